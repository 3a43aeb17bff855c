"""Server-sent events from bytes that arrive in any pieces, as the WHATWG describes the format.

Knows no JSON and no provider. Costs are linear in the bytes, whatever their pieces.
"""

import re

from ingate.formats.splitter import Splitter

MAX_EVENT = 4 * 1024 * 1024
"""Bytes of the longest event that is reported; longer ones are skipped."""

Event = tuple[bytes, bytes]
"""The event's name, empty when it has none, and its data."""

_BOM = b"\xef\xbb\xbf"
_CR = ord("\r")  # looking for a byte costs a fifth of looking for a string of one
# Events in the two usual forms, one data line or an event line and one data line; then whatever else there is.
_USUAL = re.compile(rb"(?:event: (.*+)\n|)data: (.*+)\n\n|((?s:.++))")


class SSEParser:
    """Turns pieces of a stream into events. Holds at most one unfinished event."""

    __slots__ = ("_blocks", "_head", "_in_crlf", "_max_event")

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._blocks = Splitter(b"\n\n", max_event)
        self._head: bytes | None = b""  # the first bytes, as long as they may be a byte order mark
        self._in_crlf = False
        self._max_event = max_event

    def feed(self, chunk: bytes) -> list[Event]:
        """Returns the events that the chunk completes."""
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                self._head = chunk
                return []
            self._head = None
            chunk = chunk.removeprefix(_BOM)
        if self._in_crlf or _CR in chunk:
            chunk = self._with_plain_line_ends(chunk)
        if not self._blocks.idle or len(chunk) > self._max_event:
            return _events(self._blocks.feed(chunk))
        found = _USUAL.findall(chunk)
        rest = found.pop()[2] if found and found[-1][2] else b""
        events = [(name, data) for name, data, _ in found]
        return events + _events(self._blocks.feed(rest)) if rest else events

    def close(self) -> list[Event]:
        """Returns the last event when the stream ended without the blank line that ends an event."""
        return _events(self._blocks.close())

    def _with_plain_line_ends(self, chunk: bytes) -> bytes:
        """Returns the chunk with every line end as a line feed: a carriage return ends its line at once."""
        if self._in_crlf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._in_crlf = False
        if chunk.endswith(b"\r"):
            self._in_crlf = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


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
