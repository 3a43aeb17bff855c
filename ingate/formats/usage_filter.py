"""Taking out of an event stream what is there only because usage was asked for on the caller's behalf.

That is the event that has usage and no choices, and the member `"usage":null` of the others. Every other byte passes,
in its order. Works by lines: each passes once it is complete, since nobody can use half a line. Only lines that may
belong to the event to be hidden wait. Knows no provider.
"""

import re

from msgspec import Raw, Struct

from ingate.formats.oddities import BOM
from ingate.formats.shape import Shape

LONGEST = 64 * 1024
"""Bytes of the longest event that is looked at; what is longer passes as it comes."""

_KEY = b'"usage"'
_COLON = ord(":")
_LINE_ENDS = b"\r\n"
_DATA = b"data:"
_BESIDE = re.compile(rb"(?:event|id|retry|):")
"""Lines that an event may have beside its data, comments among them."""
_IS_NULL = re.compile(rb'"usage"[ \t]*+:[ \t]*+null')
_COMMA = re.compile(rb"[ \t]*+(?:,[ \t]*+)?")
_EVENT_END = b"\n\n"


class _Counted(Struct, gc=False):
    usage: Raw = Raw()


class _Chunk(Struct, gc=False):
    choices: Raw = Raw()
    error: Raw = Raw()


_COUNTED = Shape(_Counted)
_CHUNK = Shape(_Chunk)


class UsageFilter:
    """Filters one stream, in feeds of any size. `hidden` is the event that was taken out last, as it came."""

    __slots__ = ("_begun", "_hides", "_line", "_lines", "_passing", "hidden")

    def __init__(self) -> None:
        self._line = bytearray()  # that is not complete yet
        self._lines = bytearray()  # that wait for what follows them in their event
        self._hides = False  # the last of those has usage and no choices
        self._passing = False  # the line under way is too long to be looked at
        self._begun = False  # a byte order mark can stand before the first line alone
        self.hidden = b""

    def feed(self, chunk: bytes) -> bytes:
        """Takes the next bytes of the body and returns what may pass now."""
        passed = b""
        if self._line or self._lines or self._passing:
            end = chunk.find(_EVENT_END) + len(_EVENT_END)
            if end < len(_EVENT_END):
                return self._by_lines(chunk)
            passed, chunk = self._by_lines(chunk[:end]), chunk[end:]
        # Events in which the word does not stand pass as they are.
        end = chunk.rfind(_EVENT_END) + len(_EVENT_END)
        if end >= len(_EVENT_END) and chunk.find(_KEY, 0, end) < 0 and not (self._line or self._lines or self._passing):
            passed, chunk = passed + chunk[:end], chunk[end:]
            self._begun = True
        return passed + self._by_lines(chunk) if chunk else passed

    def _by_lines(self, chunk: bytes) -> bytes:
        line = self._line
        lines = chunk.splitlines(keepends=True)
        passed: list[bytes] = []
        if self._passing and lines:
            passed.append(lines.pop(0))
            self._passing = passed[0][-1] not in _LINE_ENDS
        if line and lines:
            if line.endswith(b"\r") and lines[0] != b"\n":
                lines.insert(0, b"")
            line += lines[0]
            if line[-1] not in _LINE_ENDS:
                lines.clear()  # there is one, and it goes on
            else:
                lines[0] = bytes(line)
                line.clear()
        if lines and not lines[-1].endswith(b"\n"):
            line += lines.pop()
        passed += map(self._judged, lines)
        if line == b"\r" and not self._hides:
            # A line feed may belong to it, but the event has ended without one.
            line.clear()
            passed.append(self._judged(b"\r"))
        if len(line) + len(self._lines) > LONGEST:
            passed.append(self._released())
        return passed[0] if len(passed) == 1 else b"".join(passed)

    def finish(self) -> bytes:
        """Returns what is left when the body has ended. May be called again."""
        line = bytes(self._line)
        self._line.clear()
        passed = self._judged(line) if line else b""
        if self._hides:
            self._hide(b"")
        return passed + self._waiting()

    def _judged(self, line: bytes) -> bytes:
        """Returns what may pass of a complete line and those that waited for it."""
        if not self._begun:
            self._begun = True
            if line.startswith(BOM):
                rest = line[len(BOM) :]
                return BOM + self._judged(rest) if rest else BOM
        if self._hides:
            if line[0] in _LINE_ENDS:
                self._hide(line)
                return b""
            self._hides = False
        elif _KEY in line and line.startswith(_DATA):
            kept = _without_usage(line)
            if kept is None:
                self._lines += line
                self._hides = True
                return b""
            line = kept
        elif _BESIDE.match(line) and (self._lines or line[0] != _COLON):
            self._lines += line
            return b""
        return self._waiting() + line if self._lines else line

    def _hide(self, end: bytes) -> None:
        self.hidden = self._waiting() + end
        self._hides = False

    def _waiting(self) -> bytes:
        lines = bytes(self._lines)
        self._lines.clear()
        return lines

    def _released(self) -> bytes:
        """Lets pass what has become too long."""
        self._passing = bool(self._line)
        self._hides = False
        waiting = self._waiting() + self._line
        self._line.clear()
        return waiting


def with_hidden(event: bytes, body: bytes) -> bytes:
    """Returns what is kept of a stream with the event that was taken out, at its front, for its end may not be kept."""
    # Where the stream ended in the event, nothing says that it is over.
    return event + b"\n\n" + body.removeprefix(BOM)


def _without_usage(line: bytes) -> bytes | None:
    """Returns a line of data that has the word, without a usage of null; None where it is usage and nothing else."""
    usage = _usage(line)
    if usage == b"null":
        at = line.find(_KEY)
        while at >= 0:
            shorter = _without_null(line, at)
            if shorter is not None and not _usage(shorter):  # it was not another object's
                return shorter
            at = line.find(_KEY, at + 1)
    elif usage.startswith(b"{"):
        chunk = _CHUNK.read(line[len(_DATA) :])
        if chunk is not None and bytes(chunk.choices).translate(None, b" \t") == b"[]" and not _failed(chunk):
            return None
    return line


def _usage(line: bytes) -> bytes:
    """Returns the text of the usage in a line of data, nothing where there is none."""
    chunk = _COUNTED.read(line[len(_DATA) :])
    return b"" if chunk is None else bytes(chunk.usage)


def _failed(chunk: _Chunk) -> bool:
    return bool(chunk.error) and bytes(chunk.error) != b"null"


def _without_null(line: bytes, at: int) -> bytes | None:
    """Returns a line without the member that begins there, if that is null."""
    found = _IS_NULL.match(line, at)
    if found is None:
        return None
    before = line[:at].rstrip(b" \t")
    if before.endswith(b","):
        return before[:-1] + line[found.end() :]
    # The first member takes the comma behind it along.
    return line[:at] + line[_COMMA.match(line, found.end()).end() :]  # type: ignore[union-attr]  # it matches nothing too
