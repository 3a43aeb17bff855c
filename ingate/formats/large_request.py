"""Requests that are too large to be read in one piece: they are scanned for what they ask for.

Only UTF-8, the outermost object and the nesting depth are checked. The provider judges the rest, and bodies that cost
more than the budget of a scan. Knows nothing of providers.
"""

import re
from codecs import utf_8_decode
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from ingate.formats.condenser import Condenser
from ingate.formats.malformed import MalformedBody, TooLarge
from ingate.formats.members import MAX_REPEATS
from ingate.formats.oddities import BOM
from ingate.formats.pace import SLICE, Budget, Pace, Steps
from ingate.formats.paths import Format, gemini_model
from ingate.formats.request import JUDGED, Call
from ingate.formats.scan import MAX_DEPTH
from ingate.formats.shape import Shape
from ingate.formats.spliced import Body, Span, Whole, splicing
from ingate.formats.stream_usage import inserted, replaced, with_usage

_MODEL, _STREAM_OPTIONS = b"model", b"stream_options"
_TAIL = 4096
_SIMPLE = rb'(?:"[^"\\]*+"|[^ \t\n\r,:\[\]{}"]++)'
_BLANK = rb"[ \t\n\r]*+"
# In valid JSON, nothing else can stand before members with plain values that the last brace follows.
_LAST = re.compile(
    rb'[{,]%b"model"%b:%b("[^"\\]{1,256}+")(?:%b,%b"(?!model")[^"\\]*+"%b:%b%b)*+%b\}%b\Z'
    % (*[_BLANK] * 7, _SIMPLE, _BLANK, _BLANK)
)


T = TypeVar("T", bound=Struct)


class LargeCall(Call, gc=False):
    """The same of a large request. `options` is where the value of its `stream_options` lies, the last of them."""

    options: tuple[int, int] | None = None


class _Scanned(Call, gc=False):
    stream_options: None = None  # to be found, not to be read


_SCANNED = Shape(_Scanned)


class Scan(Struct, Generic[T]):
    """What a scan found: what the body says, and where the values of the members lie that were to be found.

    `whole` tells that all of it was scanned. Otherwise, only the model can be relied on.
    """

    said: T
    places: list[list[Span]]
    whole: bool = True


def reading_call(format: Format, path: str, body: Whole) -> Steps[LargeCall]:
    """Returns what a large request asks for, as `read_call` does. Raises `MalformedBody`."""
    if format not in JUDGED:
        return LargeCall()
    scan = yield from scanning(body, _SCANNED, _MODEL, _STREAM_OPTIONS)
    if format is Format.GEMINI:
        return LargeCall(gemini_model(path))
    if not scan.whole:
        return LargeCall(scan.said.model)
    options = scan.places[1]
    return LargeCall(scan.said.model, scan.said.stream, options[-1] if options else None)


def renaming(body: Whole, model: str) -> Steps[Body]:
    """Returns what `rewrite_model` does, of a large body. Raises `MalformedBody`."""
    (models,) = (yield from scanning(body, _SCANNED, _MODEL)).places
    if len(models) > MAX_REPEATS:
        raise MalformedBody(f"the body states its model more than {MAX_REPEATS} times")
    value = msgspec.json.encode(model)
    return (yield from splicing(body, ((span, value) for span in models)))


def asking_large(body: Whole, call: LargeCall) -> bytes | None:
    """Returns what `asking` does, of a large body and what was found in it."""
    if call.options is None:
        return inserted(body)
    start, end = call.options
    # Options that are large themselves are none that anybody knows.
    value = with_usage(bytes(body[start:end])) if end - start <= SLICE else None
    return None if value is None else replaced(body, call.options, value)


def scanning(body: Whole, shape: Shape[T], *marks: bytes) -> Steps[Scan[T]]:
    """Returns what a body says, and where the values of the members `marks` lie, of which `model` is the first.

    Raises `MalformedBody`.
    """
    condenser = Condenser(shape.outline, Budget(Pace()), marks)
    partial = b""  # a character that goes on in the next slice
    view = memoryview(body)
    try:
        for start in range(0, len(body), SLICE):
            some = bytes(view[start : start + SLICE])
            if partial or not some.isascii():
                partial = _partial(partial + some, last=start + SLICE >= len(body))
            if not start and some.startswith(BOM):
                some = b"   " + some[len(BOM) :]
            yield from condenser.feed(some)
            if condenser.deepest > MAX_DEPTH:
                raise MalformedBody(f"the body nests deeper than {MAX_DEPTH} levels")
    except TooLarge:
        # Of the rest, only the model is looked for: nothing else that was found can be relied on.
        last = _LAST.search(body, max(0, len(body) - _TAIL))
        models = condenser.places[0]
        if last is not None and last.span(1) not in models:
            models.append(last.span(1))
            return Scan(_said(shape, b'{"model":%b}' % last[1]), condenser.places, whole=False)
        return Scan(_said(shape, condenser.close()), condenser.places, whole=False)
    if condenser.broken or not condenser.ended:
        raise MalformedBody("the body is not valid JSON")
    return Scan(_said(shape, condenser.close()), condenser.places)


def _said(shape: Shape[T], small: bytes) -> T:
    said = shape.read(small)
    if said is None:
        raise MalformedBody("the body is not a JSON object")
    return said


def _partial(data: bytes, *, last: bool) -> bytes:
    """Returns the beginning of a character at the end of a part of a body. Raises `MalformedBody`."""
    try:
        return data[utf_8_decode(data, "strict", last)[1] :]
    except UnicodeDecodeError:
        raise MalformedBody("the body is not valid UTF-8") from None
