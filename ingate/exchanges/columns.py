"""The columns of an exchange by what fills them, found by their names in the table and in the messages. Pure.

A column of the name of a field holds what the field states, and a message shows it, without another word: such a column
is declared in `ingate.exchanges.tables` alone. What else a row holds is worked out in `ingate.exchanges.rows`.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from sqlalchemy import Float, LargeBinary

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from ingate.exchanges.tables import Exchange

Row = tuple[Any, ...]
"""The values of COLUMNS."""

_TABLE = Exchange.__table__.columns
_FIELDS = pb.Exchange.DESCRIPTOR.fields_by_name

COLUMNS = tuple(column.name for column in _TABLE)
"""The columns in the order of a row."""


def place_of(name: str) -> int:
    """Returns where a row has a column. Raises ValueError."""
    return COLUMNS.index(name)


def value(name: str) -> Callable[[Row], Any]:
    """Returns the function that reads one column of a row."""
    return itemgetter(place_of(name))


def values(names: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
    """Returns the function that reads several columns of a row, two at least."""
    return itemgetter(*map(place_of, names))


def length(name: str) -> int | None:
    """Returns how many characters a column of text holds, None where as many as there are."""
    return getattr(_TABLE[name].type, "length", None)


def _stated(name: str, *, text: bool) -> bool:
    field = _FIELDS.get(name)
    if field is None or field.is_repeated or field.type == FieldDescriptor.TYPE_MESSAGE:
        return False
    return (field.type == FieldDescriptor.TYPE_STRING) is text


WORKED_OUT = frozenset(
    {
        *("model", "prompt", "completion", "error_message", "cost_source", "usage_source", "key_id"),
        *(
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
            "total_tokens",
        ),
    }
)
"""Columns that may hold something else than the field of their name states, or that are checked first."""

SHOWN = tuple(name for name in COLUMNS if _stated(name, text=True) or _stated(name, text=False))
"""Columns that a message shows as they are."""

TEXTS = tuple(name for name in SHOWN if _stated(name, text=True) and name not in WORKED_OUT)
LENGTHS = tuple(map(length, TEXTS))
NULLABLE = tuple(bool(_TABLE[name].nullable) for name in TEXTS)
"""Whether an empty text is null."""

NUMBERS = tuple(name for name in SHOWN if _stated(name, text=False) and name not in WORKED_OUT)
OPTIONAL = tuple(name for name in NUMBERS if _TABLE[name].nullable)
"""Numbers that are null where the message does not state them."""
FRACTIONS = tuple(name for name in NUMBERS if isinstance(_TABLE[name].type, Float))

PAYLOAD = tuple(name for name in COLUMNS if name in pb.Payload.DESCRIPTOR.fields_by_name)
"""What went over the wire."""
BODIES = tuple(name for name in PAYLOAD if isinstance(_TABLE[name].type, LargeBinary))
"""What of it is read only where it is asked for."""
