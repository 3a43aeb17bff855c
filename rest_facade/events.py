"""Answers that go on: what becomes of the messages of an rpc that streams as `text/event-stream`. Pure.

By HTML's rules for it: an event without a name is what `onmessage` hears, and one without data only moves the id that
a client sends as `Last-Event-ID` when it comes back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from rest_facade.message_json import encode

MEDIA_TYPE = "text/event-stream"
RESUME = "Last-Event-ID"
HEARTBEAT = b":\n\n"
"""A comment, which no client hears and no proxy takes for silence."""
ERROR = "error"
_PLACE = "cursor"
"""The field by which rpcs of ours go on where they ended."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` is a JSON value or None. `id` is where to go on behind it, empty where that is unknown."""

    data: Any = None
    name: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Events:
    """How a route tells what its rpc streams.

    `event` makes an event of the JSON of a message. `resume` is the name on the wire of the argument that takes
    `Last-Event-ID`, empty where nothing does. After `heartbeat` seconds of silence a comment is sent.
    """

    event: Callable[[dict[str, Any]], Event]
    resume: str = ""
    heartbeat: float = 15.0


def native_events(method: MethodDescriptor, body: str) -> Events | None:
    """Returns how an rpc's own route tells what it streams, None for one that answers once.

    The field `body` is the data of a message without a name; any other message field is that of one by its name.
    """
    if not method.server_streaming:
        return None
    named = [field.name for field in method.output_type.fields if field.message_type is not None]

    def event(said: Mapping[str, Any]) -> Event:
        for name in named:
            if said[name] is not None:
                return Event(said[name], "" if name == body else name, said.get(_PLACE) or "")
        return Event(id=said.get(_PLACE) or "")

    return Events(event, resume=_PLACE if _PLACE in method.input_type.fields_by_name else "")


def framed(event: Event) -> bytes:
    """Returns an event as it is sent."""
    lines = [f"id: {event.id}\n".encode()] if event.id else []
    if event.name:
        lines.append(f"event: {event.name}\n".encode())
    if event.data is not None:
        lines.append(data_lines(encode(event.data)))
    return b"".join((*lines, b"\n"))


def failed(body: bytes) -> bytes:
    """Returns the last event of a stream that failed, whose data is the body of an error answer."""
    return b"event: %b\n%b\n" % (ERROR.encode(), data_lines(body))


def data_lines(text: bytes) -> bytes:
    """Returns text as the data of an event: a line end in it would end the field."""
    return b"".join([b"data: %b\n" % line for line in text.splitlines()])
