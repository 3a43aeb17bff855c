"""The usage of a streamed chat: asked for in the request, hidden in the answer where the caller did not ask for it.

OpenAI and who follows it state usage at the end of a stream only when `stream_options.include_usage` says so. Each byte
that is not about that stays as it is. Knows no provider.
"""

import re

import msgspec
from msgspec import Raw, Struct

from ingate.formats.fault import is_null
from ingate.formats.shape import BROKEN, Shape

MAX_HELD = 1024 * 1024
"""Bytes of an unfinished event that are held back at most: a longer one goes on unseen."""

_TRUE = Raw(b"true")
_ASKED = b'"stream_options":{"include_usage":true}'
_KEY = b'"stream_options"'
_COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_ESCAPED = b"\\u00"
_USAGE = b'"usage"'
_NULL = re.compile(rb',[ \t]*"usage"[ \t]*:[ \t]*null(?=[ \t]*[,}])')
_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class Wish(Struct, gc=False):
    """What a request says of its stream. `options` are undecoded."""

    stream: bool | None = None
    stream_options: Raw = Raw()


class _Chunk(Struct, gc=False):
    choices: Raw = Raw()
    usage: Raw = Raw()


_CHUNK = Shape(_Chunk)


def ask(body: bytes, options: Raw) -> bytes | None:
    """Returns the request with usage asked for, None where it asks for it already, or where no safe place is found.

    `body` is a JSON object that is not empty; `options` is the value of its member `stream_options`, if it has one.
    """
    if not options:
        start = body.index(b"{") + 1
        return b"%b%b,%b" % (body[:start], _ASKED, body[start:])
    stated = {} if is_null(options) else _members(options)
    span = _value(body, options)
    if stated is None or span is None or stated.get("include_usage") == _TRUE:
        return None
    stated["include_usage"] = _TRUE
    return body[: span[0]] + msgspec.json.encode(stated) + body[span[1] :]


def _members(options: Raw) -> dict[str, Raw] | None:
    try:
        return msgspec.json.decode(options, type=dict[str, Raw])
    except BROKEN:
        return None


def _value(body: bytes, options: Raw) -> tuple[int, int] | None:
    """Returns where the value of the member lies, None where its name could be spelled in another way or twice."""
    if body.count(_KEY) != 1 or _ESCAPED in body:
        return None
    colon = _COLON.match(body, body.index(_KEY) + len(_KEY))
    if colon is None or not body.startswith(bytes(options), colon.end()):
        return None
    return colon.end(), colon.end() + len(options)


class UsageHider:
    """Takes the usage that the caller did not ask for out of a stream of server-sent events.

    An event that states usage and no choice is left out; a usage of null is taken out of its event. Bytes are handed on
    by whole events, the rest is held back.
    """

    __slots__ = ("_held", "_passing")

    def __init__(self) -> None:
        self._held = b""
        self._passing = False  # inside an event that is too long to be held

    def feed(self, chunk: bytes) -> bytes:
        """Returns what of the stream can go on, after the next bytes of it."""
        data = self._held + chunk if self._held else chunk
        end = _last_end(data)
        if self._passing:
            first = _END.search(data)
            if first is None:
                self._held = data[-3:]  # the end may lie between two chunks
                return data[: len(data) - len(self._held)]
            self._passing = False
            start = first.end()
            rest, self._held = data[start:end], data[end:]
            return data[:start] + _shown(rest)
        if end == 0 and len(data) > MAX_HELD:
            self._passing = True
            self._held = data[-3:]
            return data[:-3]
        self._held = data[end:]
        return _shown(data[:end])

    def close(self) -> bytes:
        """Returns what is still held, at the end of the stream."""
        held, self._held = self._held, b""
        return held if self._passing else _shown(held)


def _last_end(data: bytes) -> int:
    """Returns where the last whole event ends, 0 when there is none."""
    return max((at + len(mark) for mark in (b"\n\n", b"\r\n\r\n", b"\r\r") if (at := data.rfind(mark)) >= 0), default=0)


def _shown(events: bytes) -> bytes:
    """Returns whole events without the usage in them."""
    if _USAGE not in events:
        return events
    pieces: list[bytes] = []
    at = 0
    for end in [*(mark.end() for mark in _END.finditer(events)), len(events)]:
        event = events[at:end]
        at = end
        if _USAGE in event:
            if _only_usage(event):
                continue
            event = _NULL.sub(b"", event)
        pieces.append(event)
    return b"".join(pieces)


def _only_usage(event: bytes) -> bool:
    """Tells whether an event states usage and no choice."""
    data = b"\n".join(
        line.partition(b":")[2].strip() for line in event.splitlines() if line.partition(b":")[0] == b"data"
    )
    chunk = _CHUNK.read(data)
    return (
        chunk is not None
        and bool(chunk.usage)
        and not is_null(chunk.usage)
        and bytes(chunk.choices).translate(None, b" \t\r\n") == b"[]"
    )
