"""Server-sent events from bytes that arrive in any pieces, as the WHATWG describes the format.

Knows no JSON. Costs are linear in the bytes, whatever their pieces.
"""

import re

from ingate.formats.oddities import BOM
from ingate.formats.pace import LARGE
from ingate.formats.splitter import Splitter

Event = tuple[bytes, bytes]
"""The event's name, empty when it has none, and its data."""

_DONE = b"[DONE]"
_LONGER_THAN_DONE = 20
_CR = ord("\r")  # looking for a byte costs a fifth of looking for a string of one
_DATA = re.compile(rb"^data(?:: ?+(.*+)|$)", re.MULTILINE)
_NAME = re.compile(rb"^event: ?+(.*+)", re.MULTILINE)
_FIELD = 6  # bytes that tell what a line is
# Events in the two usual forms, one data line or an event line and one data line; then whatever else there is.
_USUAL = re.compile(rb"(?:event: (.*+)\n|)data: (.*+)\n\n|((?s:.++))")


class SSEParser:
    """Turns pieces of a stream into events. Holds at most one unfinished event.

    The data of an event over `max_event` bytes is handed on as it comes: after each call, `ending` is what came of the
    event that was long before it, `over` tells that this was the last of it, and `beginning` is what is there of one
    that has become long, named `name`. Line feeds in it may be lost where it came in pieces.
    """

    __slots__ = ("_blocks", "_head", "_in_crlf", "_line", "_max_event", "beginning", "ending", "name", "over")

    def __init__(self, max_event: int = LARGE) -> None:
        self._blocks = Splitter(b"\n\n", max_event)
        self._head: bytes | None = b""  # the first bytes, as long as they may be a byte order mark
        self._in_crlf = False
        self._max_event = max_event
        self._line = b""  # what the line of a long event that is under way begins with
        self.name = b""
        self.ending = b""
        self.beginning = b""
        self.over = False

    @property
    def long(self) -> bool:
        """Whether the last call had to do with a long event."""
        return self._blocks.long

    def feed(self, chunk: bytes) -> list[Event]:
        """Returns the events that the chunk completes."""
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < len(BOM) and BOM.startswith(chunk):
                self._head = chunk
                return []
            self._head = None
            chunk = chunk.removeprefix(BOM)
        if self._in_crlf or _CR in chunk:
            chunk = self._with_plain_line_ends(chunk)
        first: list[Event] = []
        if not self._blocks.idle:
            end = chunk.find(b"\n\n") + 2
            if end < 2 or self._blocks.passing:
                return self._divided(chunk)
            first = self._divided(chunk[:end])
            chunk = chunk[end:]
        if len(chunk) > self._max_event:
            return first + self._divided(chunk)
        found = _USUAL.findall(chunk)
        rest = found.pop()[2] if found and found[-1][2] else b""
        events = first + [(name, data) for name, data, _ in found]
        return events + self._divided(rest) if rest or self._blocks.long else events

    def close(self) -> list[Event]:
        """Returns the last event when the stream ended without the blank line that ends an event."""
        blocks = self._blocks.close()
        self._hand_on()
        return _events(blocks)

    def _divided(self, text: bytes) -> list[Event]:
        blocks = self._blocks.feed(text)
        self._hand_on()
        return _events(blocks)

    def _hand_on(self) -> None:
        blocks = self._blocks
        self.over = blocks.over
        self.ending = self._data(blocks.ending, last=blocks.over) if blocks.ending or blocks.over else b""
        if blocks.beginning:
            named = _NAME.findall(blocks.beginning)
            self.name = named[-1] if named else b""
            self._line = b""
            self.beginning = self._data(blocks.beginning)
        else:
            self.beginning = b""

    def _data(self, text: bytes, *, last: bool = False) -> bytes:
        """Returns the data in the next part of a long event."""
        text = self._line + text
        self._line = b""
        start = text.rfind(b"\n") + 1
        line = text[start : start + _FIELD]
        if not last:
            if len(line) < _FIELD:
                text, self._line = text[:start], line
            else:
                # It goes on as what it is.
                self._line = b"data: " if line.startswith(b"data:") else b":     "
        return b"\n".join(_DATA.findall(text))

    def _with_plain_line_ends(self, chunk: bytes) -> bytes:
        """Returns the chunk with every line end as a line feed: a carriage return ends its line at once."""
        if self._in_crlf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._in_crlf = False
        if chunk.endswith(b"\r"):
            self._in_crlf = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def is_done(data: bytes) -> bool:
    """Tells whether the data of an event is the marker that ends the streams of OpenAI and who follows it."""
    return len(data) < _LONGER_THAN_DONE and data.strip() == _DONE


def _events(blocks: list[bytes]) -> list[Event]:
    return [event for block in blocks if block and (event := _event(block)) is not None]


def _event(block: bytes) -> Event | None:
    name = b""
    data = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return (name, b"\n".join(data)) if data else None
