"""AWS's event stream from bytes that arrive in any pieces: messages with a prelude, headers, a payload and checksums.

Knows no JSON but that of an error, and no service.
"""

import struct
from zlib import crc32

import msgspec

from ingate.formats.malformed import Broken, Unreadable

LONGEST = 256 * 1024
"""Bytes of the longest message that is read; a longer one is passed over."""
_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_LEAST = _PRELUDE.size + _CHECKSUM.size
_TEXTS = frozenset({6, 7})
"""Types of a header's value that state their length: bytes and text."""
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type."""
_BROKEN = "the event stream is broken"

Event = tuple[bytes, bytes]
"""The event's type, and its payload. Exceptions and errors have the type `error`, and say in JSON what they are."""


class EventStreamParser:
    """Turns pieces of a stream into events. Holds at most one unfinished message, of up to `LONGEST` bytes.

    `problem` is why the stream cannot be followed any further; events that came before it are returned all the same.
    """

    __slots__ = ("_held", "_skip", "problem")

    def __init__(self) -> None:
        self.problem: str | None = None
        self._held = bytearray()
        self._skip = 0  # what is still to come of a message that is passed over

    def feed(self, chunk: bytes) -> list[Event]:
        """Returns the events that the chunk completes; none once there is a problem."""
        events: list[Event] = []
        if self.problem is not None:
            return events
        skipped = min(self._skip, len(chunk))
        self._skip -= skipped
        held = self._held
        held += chunk[skipped:] if skipped else chunk
        at = 0
        try:
            while len(held) - at >= _PRELUDE.size:
                length, headers = _lengths(held, at)
                if length > LONGEST:
                    self._skip = max(0, length - (len(held) - at))
                elif len(held) - at < length:
                    break
                else:
                    events.append(_event(bytes(held[at : at + length]), headers))
                at += length
        except Unreadable as problem:
            self.problem = str(problem)
            at = len(held)
        del held[:at]
        return events

    @property
    def within(self) -> bool:
        """Whether a message is under way."""
        return bool(self._held or self._skip)


def _lengths(held: bytearray, at: int) -> tuple[int, int]:
    """Returns the bytes of the message that begins at a place, and of its headers. Raises `Unreadable`."""
    length, headers, checksum = _PRELUDE.unpack_from(held, at)
    if length < _LEAST + headers or checksum != crc32(held[at : at + 8]):
        raise Broken(_BROKEN)
    return length, headers


def _event(message: bytes, headers: int) -> Event:
    end = len(message) - _CHECKSUM.size
    if _CHECKSUM.unpack_from(message, end)[0] != crc32(message[:end]):
        raise Broken(_BROKEN)
    start = _PRELUDE.size + headers
    named = _headers(message[_PRELUDE.size : start])
    payload = message[start:end]
    kind = named.get(b":message-type", b"event")
    if kind == b"event":
        return named.get(b":event-type", b""), payload
    what = named.get(b":exception-type") or named.get(b":error-code") or kind
    said = named.get(b":error-message", b"")
    return b"error", msgspec.json.encode({"type": _text(what), "message": _text(said) or _message(payload)})


def _headers(block: bytes) -> dict[bytes, bytes]:
    """Returns the headers whose value is text or bytes."""
    found: dict[bytes, bytes] = {}
    at = 0
    try:
        while at < len(block):
            name = block[at + 1 : at + 1 + block[at]]
            at += 1 + block[at]
            kind = block[at]
            at += 1
            if kind in _TEXTS:
                (size,) = _LENGTH.unpack_from(block, at)
                at += _LENGTH.size
                found[name] = block[at : at + size]
            else:
                size = _SIZES[kind]
            at += size
    except (IndexError, KeyError, struct.error):
        raise Broken(_BROKEN) from None
    if at != len(block):
        raise Broken(_BROKEN)
    return found


class _Exception(msgspec.Struct, gc=False):
    message: str | None = None
    also: str | None = msgspec.field(name="Message", default=None)


def _message(payload: bytes) -> str:
    try:
        said = msgspec.json.decode(payload, type=_Exception)
    except ValueError:
        return ""
    return said.message or said.also or ""


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
