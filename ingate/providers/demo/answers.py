"""An answer as status, content type and body pieces, and the three stream framings. Knows no vendor."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

JSON = b"application/json"
EVENT_STREAM = b"text/event-stream; charset=utf-8"
NDJSON = b"application/x-ndjson"

MOST_DELTAS = 512


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; each piece of the body is one read of a stream."""

    status: int
    content_type: bytes
    pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What makes one answer distinct: a hex string drawn from the request, and the Unix time in seconds."""

    digest: str
    created: int

    def name(self, prefix: str, place: int = 0) -> str:
        """Returns an identifier: prefix and 24 hex digits. The same request and place give the same identifier."""
        return f"{prefix}{self.digest[:22]}{place:02x}"


def whole(value: Any, status: int = 200) -> Answer:
    """Returns the answer whose body is `value` as JSON."""
    return Answer(status, JSON, (msgspec.json.encode(value),))


def event_stream(events: Iterable[bytes]) -> Answer:
    """Returns the answer that streams server-sent events."""
    return Answer(200, EVENT_STREAM, tuple(events))


def data(value: Any) -> bytes:
    """Returns a server-sent event without a name."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def named(value: Mapping[str, Any]) -> bytes:
    """Returns a server-sent event named by the value's `type`."""
    return b"event: " + str(value["type"]).encode() + b"\n" + data(value)


def json_lines(values: Iterable[Any]) -> Answer:
    """Returns the answer that streams one JSON value per line."""
    return Answer(200, NDJSON, tuple(msgspec.json.encode(value) + b"\n" for value in values))


def deltas(pieces: Sequence[str]) -> list[str]:
    """Returns the pieces for streaming: one token each, or few tokens each where they are more than `MOST_DELTAS`."""
    size = -(-len(pieces) // MOST_DELTAS)
    return ["".join(pieces[at : at + size]) for at in range(0, len(pieces), size)] if pieces else []
