"""Stored exchanges as messages. Pure."""

from operator import attrgetter
from typing import Any

import msgspec

from gen.ingate.exchanges.v1 import exchange_pb2
from ingate import clock
from ingate.exchanges.columns import PAYLOAD, SHOWN
from ingate.exchanges.tables import Exchange
from ingate.pricing import to_usd

WHOLE_BYTES = 512 * 1024
"""Of each of these texts in a message of its own. Beside bodies of a mebibyte each, clients take no more."""
WHOLE_TEXTS = ("prompt", "completion")
LISTED_TEXTS = ("prompt", "completion", "path")
LISTED_CHARACTERS = 1024
"""Of each of these texts in a list."""
CUT = "…"

_shown = attrgetter(*SHOWN)


def _within(text: str | None) -> str | None:
    """Returns a text of up to `WHOLE_BYTES`, the last of which say that there were more."""
    if text is None or len(encoded := text.encode()) <= WHOLE_BYTES:
        return text
    return encoded[: WHOLE_BYTES - len(CUT.encode())].decode(errors="ignore") + CUT


def listed(row: Any) -> exchange_pb2.Exchange:
    """Returns the message of a row as lists show it; a text that was longer ends in an ellipsis."""
    item = message(row)
    for name in LISTED_TEXTS:
        if len(text := getattr(item, name)) > LISTED_CHARACTERS:
            setattr(item, name, text[: LISTED_CHARACTERS - 1] + CUT)
    return item


def message(stored: Any) -> exchange_pb2.Exchange:
    """Returns the message of a stored exchange, or of a row with its columns."""
    fields = dict(zip(SHOWN, _shown(stored), strict=True))
    fields |= {name: _within(fields[name]) for name in WHOLE_TEXTS}
    return exchange_pb2.Exchange(
        request_id=stored.id,
        created_at=clock.to_proto(stored.created_at),
        cost_usd=to_usd(stored.cost_pico),
        attempts=[exchange_pb2.Attempt(**attempt) for attempt in msgspec.json.decode(stored.attempts)],
        metadata=msgspec.json.decode(stored.meta),
        tags=msgspec.json.decode(stored.tags),
        units=msgspec.json.decode(stored.units),
        **fields,
    )


def payload(stored: Exchange) -> exchange_pb2.Payload:
    """Returns what went over the wire; the payload columns must be loaded."""
    return exchange_pb2.Payload(**{name: getattr(stored, name) for name in PAYLOAD})
