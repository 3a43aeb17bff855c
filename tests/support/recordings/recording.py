"""What a recording is, and the ways a body is written."""

import json
from dataclasses import dataclass

from ingate.formats import Format, ResponseFacts, Usage

SSE = "text/event-stream; charset=utf-8"
JSON = "application/json"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Recording:
    """A response body of one format, and what there is to learn from it."""

    name: str
    format: Format
    media: str
    body: bytes
    facts: ResponseFacts


def facts(  # noqa: PLR0917 -- the fields in their order
    model=None,
    usage=Usage(),  # noqa: B008 -- frozen
    completion=None,
    finish_reason=None,
    complete=True,
    error=None,
    tool_calls=0,
    units=(),
    terms=(),
    unkept=0,
):
    """Returns facts with everything that is not named left out."""
    return ResponseFacts(model, usage, completion, finish_reason, complete, error, tool_calls, units, terms, unkept)


def data_events(*events, end="\n\n"):
    """Returns a stream of unnamed events, objects as JSON and strings as they are."""
    return "".join(f"data: {one if isinstance(one, str) else json.dumps(one)}{end}" for one in events).encode()


def named_events(*events):
    """Returns a stream of events named after the type of their object."""
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()


def whole(one):
    """Returns a pretty-printed body, as some providers send it."""
    return json.dumps(one, indent=1, ensure_ascii=False).encode()


def lines(*objects):
    """Returns one object a line."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in objects)
