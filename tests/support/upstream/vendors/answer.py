"""The answer of a vendor as data, and the facts all vendors agree on. Knows no vendor."""

import json
from dataclasses import dataclass

from tests.support.upstream.responses import event

INPUT_TOKENS = 11
"""Tokens of every prompt, the cached ones included (Anthropic reports them apart, the others inside)."""

CACHED_TOKENS = 4

DELTAS = 5
"""Pieces of text in an answer unless told otherwise; each piece is one token."""

OUTPUT_TOKENS = DELTAS

CREATED = 1_700_000_000
MODEL = "test-model"
VECTOR = (0.25, -0.5, 0.125)

_WORDS = ("Hello", " from", " the", " upstream", ".")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: body pieces as they are sent; `streamed` ones are chunked, one frame each."""

    status: int
    content_type: str
    pieces: tuple[bytes, ...]
    streamed: bool = False
    headers: tuple = ()


def words(deltas):
    """Returns the pieces of text of an answer that long."""
    return [_WORDS[number % len(_WORDS)] for number in range(deltas)]


TEXT = "".join(words(DELTAS))
"""The text of every answer."""


def whole(body, status=200, headers=()):
    """Returns a JSON answer."""
    return Answer(status, "application/json", (encode(body),), headers=tuple(headers))


def event_stream(events, headers=()):
    """Returns a stream of (name or None, data) events; data is JSON or text."""
    pieces = tuple(event(data if isinstance(data, str) else encode(data), name) for name, data in events)
    return Answer(200, "text/event-stream; charset=utf-8", pieces, streamed=True, headers=tuple(headers))


def line_stream(objects):
    """Returns a stream of JSON lines."""
    pieces = tuple(encode(item) + b"\n" for item in objects)
    return Answer(200, "application/x-ndjson", pieces, streamed=True)


def encode(value):
    """Returns compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()
