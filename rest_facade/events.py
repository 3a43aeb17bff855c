"""Server-sent events: how the messages of an rpc that streams become `text/event-stream`. Pure.

As HTML defines it, an event without a name goes to `onmessage`, and one without data only sets the id that a client
sends as `Last-Event-ID` when it reconnects.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from rest_facade.message_json import encode

MEDIA_TYPE = "text/event-stream"
RESUME = "Last-Event-ID"
HEARTBEAT = b":\n\n"
"""A comment: clients ignore it, and it keeps proxies from closing an idle connection."""
ERROR = "error"
_CURSOR = "cursor"
"""The field of requests and messages by which an rpc resumes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` is a JSON value or None. `id` is the cursor to resume after it, empty where there is none."""

    data: Any = None
    name: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Events:
    """How a route turns the messages of its rpc into events.

    `event` makes an event of the JSON of a message. `resume` is the name on the wire of the argument that takes
    `Last-Event-ID`, empty where none does. After `heartbeat` seconds of silence a comment is sent.
    """

    event: Callable[[dict[str, Any]], Event]
    resume: str = ""
    heartbeat: float = 15.0


def native_events(method: MethodDescriptor, body: str) -> Events | None:
    """Returns how the native route of an rpc streams its messages, None for an rpc that does not stream.

    The field `body` becomes the data of an event without a name, any other message field that of an event of its name.
    """
    if not method.server_streaming:
        return None
    named = [field.name for field in method.output_type.fields if field.message_type is not None]

    def event(message: Mapping[str, Any]) -> Event:
        for name in named:
            if message[name] is not None:
                return Event(message[name], "" if name == body else name, message.get(_CURSOR) or "")
        return Event(id=message.get(_CURSOR) or "")

    return Events(event, resume=_CURSOR if _CURSOR in method.input_type.fields_by_name else "")


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
