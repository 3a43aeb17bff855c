"""Columns of exchanges as gateways report them, in messages or in packed records. Pure.

Text that a column cannot hold is cut or cleaned; nothing else is checked.
"""

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gen.ingate.exchanges.v1.exchange_pb2 import Attempt, Exchange
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate import clock
from ingate.exchanges.columns import LENGTHS, NULLABLE, NUMBERS, OPTIONAL, TEXTS
from ingate.formats import Pairs
from ingate.packed import PackedRecord
from ingate.remembered import Remembered

T = TypeVar("T")
Columns = dict[str, Sequence[Any]]
"""Values by the name of their column."""

_json = msgspec.json.Encoder()
_head = attrgetter("org_id", "exchange", "price_provider")
_noted = attrgetter("request_id", "key_id", "created_at", "attempts", "tags")
_numbers = attrgetter(*NUMBERS)
_texts = attrgetter(*TEXTS)
_tried = attrgetter("provider", "latency_ms", "status_code", "error")

_OWN_BY_COLUMN = {
    "id": "request_id",
    "created_at": "created_at",
    **{name: name for name in ("status_code", "level", "error_code", "latency_ms", "ttft_ms", "stream")},
    **{name: name for name in ("user_id", "session_id")},
}
_OWN = tuple(_OWN_BY_COLUMN)
"""Columns of a packed record's own, which differ from exchange to exchange."""
_own = attrgetter(*_OWN_BY_COLUMN.values())
_STATED = tuple(name for name in ("org_id", "key_id", "tags", *NUMBERS, *TEXTS) if name not in _OWN)
"""Columns that many packed records have alike, and state together."""
_OWN_TEXTS = {name: length for name, length in zip(TEXTS, LENGTHS, strict=True) if name in _OWN}


class _Tried(Struct, omit_defaults=True, gc=False):
    """An attempt as it is stored."""

    provider: str
    latency_ms: float
    status_code: int | UnsetType
    error: str | UnsetType


def of_messages(records: Sequence[ExchangeRecord]) -> tuple[Sequence[Exchange], Sequence[str], Columns]:
    """Returns the exchanges of messages, the providers whose prices apply, and columns."""
    org_ids, its, price_providers = zip(*map(_head, records), strict=True)
    request_ids, key_ids, stamps, attempts, tags = zip(*map(_noted, its), strict=True)
    columns: Columns = dict(zip(NUMBERS, zip(*map(_numbers, its), strict=True), strict=True))
    for name in OPTIONAL:
        # Presence need only be asked for where the value is zero.
        columns[name] = [
            value if value or it.HasField(name) else None for value, it in zip(columns[name], its, strict=True)
        ]
    columns |= zip(TEXTS, zip(*map(_cleaned.__getitem__, map(_texts, its)), strict=True), strict=True)
    columns |= {
        "id": request_ids,
        "org_id": org_ids,
        "key_id": key_ids,
        "created_at": list(map(clock.from_proto, stamps)),
        "attempts": _written([list(map(_tried_once, several[:])) for several in attempts]),
        "tags": [objects[tuple(pairs.items())] if pairs else "{}" for pairs in tags],
    }
    return its, price_providers, columns


def of_packed(records: Sequence[PackedRecord]) -> tuple[Sequence[str], Columns]:
    """Returns the providers whose prices apply to packed records, and columns."""
    price_providers, *stated = zip(*[_stated[record.stated] for record in records], strict=True)
    columns: Columns = dict(zip(_STATED, stated, strict=True))
    columns |= zip(_OWN, zip(*map(_own, records), strict=True), strict=True)
    for name, most in _OWN_TEXTS.items():
        columns[name] = [(text and cleaned(text, most)) or None for text in columns[name]]
    columns["attempts"] = _written(
        [
            [_Tried(it.provider, it.latency_ms, _given(it.status_code), _given(it.error)) for it in record.attempts]
            for record in records
        ]
    )
    return price_providers, columns


def _stated_columns(stated: bytes) -> tuple[Any, ...]:
    """Returns whose prices apply and the columns _STATED, as a part of an ExchangeRecord in wire form states them."""
    _, price_providers, columns = of_messages([ExchangeRecord.FromString(stated)])
    return (*price_providers, *(columns[name][0] for name in _STATED))


def _tried_once(it: Attempt) -> "_Tried":
    provider, latency_ms, status_code, error = _tried(it)
    return _Tried(
        provider,
        latency_ms,
        status_code if status_code or it.HasField("status_code") else UNSET,
        error if error or it.HasField("error") else UNSET,
    )


def _given(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


def _written(tries: list[list["_Tried"]]) -> list[str]:
    """Returns the attempts of each exchange as JSON. All are written at once: JSON has no line ends of its own."""
    return _json.encode_lines(tries)[:-1].decode().split("\n")


def cleaned(text: str, most: int | None = None) -> str:
    """Returns a text that a column of `most` characters holds. PostgreSQL stores no NUL; the payload does."""
    return (text.replace("\0", "\ufffd") if "\0" in text else text)[:most]


def _clean(texts: tuple[str, ...]) -> tuple[str | None, ...]:
    """Returns what `_texts` gave as columns hold it."""
    return tuple(
        cleaned(text, most) or (None if nullable else "")
        for text, most, nullable in zip(texts, LENGTHS, NULLABLE, strict=True)
    )


_cleaned: Remembered[tuple[str, ...], tuple[str | None, ...]] = Remembered(_clean, lambda texts: sum(map(len, texts)))
objects: Remembered[Pairs, str] = Remembered(
    lambda pairs: _json.encode(dict(pairs)).decode(), lambda pairs: sum(map(len, chain.from_iterable(pairs)))
)
"""Texts, metadata and tags as columns hold them, remembered: they repeat from exchange to exchange."""
_stated: Remembered[bytes, tuple[Any, ...]] = Remembered(_stated_columns, len)
"""What packed records state together."""
