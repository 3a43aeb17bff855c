"""Where a field of a multipart form lies (RFC 7578). Forms are scanned, not parsed: files in them are passed over.

Judges nothing: what is no form has no fields. Knows no wire format and no provider.
"""

import re
from collections.abc import Sequence

from ingate.formats.malformed import MalformedBody, TooLarge
from ingate.formats.pace import Budget, Steps
from ingate.formats.spliced import Span, Whole

MAX_BOUNDARY = 70
"""Characters of a boundary at most, by RFC 2046."""
MAX_HEADERS = 8 * 1024
"""Bytes of the headers of a part at most. A part with more ends the search."""
MAX_PARTS = 1000
"""Parts of a form at most: each costs a step of its own, and no API takes as many."""
MAX_VALUE = 4 * 256
"""Bytes of the longest value that is a name: 256 characters."""

_WINDOW = 256 * 1024
_PART_COST = 4
_VALUE = rb'"(?:[^"\\\r\n]|\\[^\r\n])*+"|[^ \t;\r\n]*+'
_PARAMETERS = rb'(?:[ \t]*+;[ \t]*+(?:%b=(%b)|[^ \t=;"\r\n]++=(?:%b)))*+'
_NAMES, _BOUNDARIES = (
    re.compile(_PARAMETERS % (name, _VALUE, _VALUE), re.IGNORECASE) for name in (b"name", b"boundary")
)
"""Their group is the last value of the parameter: an expression reads many without a step of Python's for each."""
_DISPOSITION = re.compile(rb"(?:\A|\r\n)content-disposition:[ \t]*+form-data", re.IGNORECASE)
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_LINE_END = re.compile(rb"[ \t]*+\r\n")
_OPENING = re.compile(rb"--([^\r\n]{1,%d}+)\r\n" % MAX_BOUNDARY)


def boundary_of(content_type: bytes) -> bytes:
    """Returns the boundary that the media type of a form states, empty where it is none or states no valid one."""
    media = re.match(rb"[ \t]*+multipart/form-data(?=[ \t]*+;)", content_type, re.IGNORECASE)
    if media is None:
        return b""
    stated = _stated(_BOUNDARIES, content_type, media.end()) or b""
    return stated if len(stated) <= MAX_BOUNDARY else b""


def opening_boundary(body: Whole) -> bytes:
    """Returns the boundary of a form that begins with it, as clients write them, where no media type is at hand."""
    opened = _OPENING.match(body)
    return bytes(opened[1]).rstrip(b" \t") if opened else b""


def finding(body: Whole, boundary: bytes, name: bytes, budget: Budget) -> Steps[list[Span]]:
    """Returns where the values of the field of this name lie, in order, in bounded pieces of work.

    A value that is not ended is none. Of a body that costs more than its budget, the values until then are found.
    Raises MalformedBody for a form of too many parts.
    """
    found: list[Span] = []
    parts = 0
    if not boundary:
        return found
    delimiter = b"\r\n--" + boundary
    try:
        # A body may begin with the first of them, without a line end before it.
        at = len(delimiter) - 2 if body.startswith(delimiter[2:]) else (yield from _behind(body, delimiter, 0, budget))
        while at >= 0 and (line_end := _LINE_END.match(body, at)) is not None:
            parts += 1
            if parts > MAX_PARTS:
                raise MalformedBody(f"the form has more than {MAX_PARTS} parts")
            headers = line_end.end()
            # From the line end on, for a part may have no headers.
            blank = body.find(b"\r\n\r\n", headers - 2, headers + MAX_HEADERS)
            if blank < 0:
                break
            if budget.spend(_PART_COST + ((blank - headers) >> 5)):
                yield
            at = yield from _behind(body, delimiter, blank + 2, budget)
            if at >= 0 and _name(bytes(body[headers:blank])) == name:
                found.append((blank + 4, max(blank + 4, at - len(delimiter))))
    except TooLarge:
        pass
    return found


def last_value(body: Whole, spans: Sequence[Span]) -> str | None:
    """Returns the last of some values as a name, `None` when there is none, or it is too long or no UTF-8."""
    if not spans:
        return None
    start, end = spans[-1]
    try:
        return body[start:end].decode() or None if end - start <= MAX_VALUE else None
    except UnicodeDecodeError:
        return None


def _behind(body: Whole, delimiter: bytes, at: int, budget: Budget) -> Steps[int]:
    """Returns the place behind the next delimiter, -1 where none follows."""
    while at < len(body):
        found = body.find(delimiter, at, at + _WINDOW + len(delimiter))
        stop = found if found >= 0 else at + _WINDOW
        if budget.spend(1 + ((stop - at) >> 10)):
            yield
        if found < 0:
            at = stop
            continue
        at = found + len(delimiter)
        # What goes on is a line that begins alike.
        if body.startswith(b"--", at) or _LINE_END.match(body, at):
            return at
    return -1


def _name(headers: bytes) -> bytes | None:
    headers = _FOLD.sub(b"", headers)
    stated = _DISPOSITION.search(headers)
    return None if stated is None else _stated(_NAMES, headers, stated.end())


def _stated(parameter: re.Pattern[bytes], text: bytes, at: int) -> bytes | None:
    """Returns the last value of a parameter among those that a header value has from a place on."""
    found = parameter.match(text, at)
    value = found[1] if found else None
    return value[1:-1] if value and value.startswith(b'"') else value
