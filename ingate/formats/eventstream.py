"""Amazon's binary event stream: frames with headers and a payload, from bytes that arrive in any pieces.

Knows no JSON. Checksums are not checked: what is read here is only looked at.
"""

from ingate.formats.encoding import Unreadable
from ingate.formats.sse import MAX_EVENT, Event

MEDIA_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE = 12
_CRC = 4
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of the values of headers whose type fixes them; types 6 and 7 state their length."""
_EXCEPTIONS = frozenset({b"exception", b"error"})


class EventStreamParser:
    """Turns pieces of a stream into events. Holds at most one unfinished frame."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """Returns the events that the chunk completes; one that tells of a failure is named `error`.

        Raises Unreadable for what is no frame, or one that is too long.
        """
        data = self._held + chunk if self._held else chunk
        events: list[Event] = []
        at = 0
        while len(data) - at >= _PRELUDE:
            total = int.from_bytes(data[at : at + 4], "big")
            headers = int.from_bytes(data[at + 4 : at + 8], "big")
            if total > MAX_EVENT or total < _PRELUDE + headers + _CRC:
                raise Unreadable("a frame of the event stream is too large, or none")
            if len(data) - at < total:
                break
            start = at + _PRELUDE + headers
            named = _headers(data[at + _PRELUDE : start])
            failed = named.get(b":message-type") in _EXCEPTIONS
            events.append((b"error" if failed else b"", data[start : at + total - _CRC]))
            at += total
        self._held = data[at:]
        return events

    def close(self) -> list[Event]:
        """Returns nothing: what is held is no whole frame."""
        self._held = b""
        return []


def _headers(data: bytes) -> dict[bytes, bytes]:
    """Returns the headers whose values are text."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        start = at + 1 + data[at]
        if start >= len(data):
            break
        name, kind = data[at + 1 : start], data[start]
        at = start + 1
        if kind in _SIZES:
            at += _SIZES[kind]
            continue
        size = int.from_bytes(data[at : at + 2], "big")
        if kind == _STRING:
            found[name] = data[at + 2 : at + 2 + size]
        at += 2 + size
    return found
