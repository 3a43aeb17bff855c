"""Requests that are too large to be read in one piece: they are scanned for what they ask for.

Judged are UTF-8, the outermost object, and how deep it nests; what else a body may be, and a body that costs more than
its budget, are the provider's to judge. Knows nothing of providers.
"""

import re
from codecs import utf_8_decode

import msgspec
from msgspec import Struct

from ingate.formats.condenser import Condenser
from ingate.formats.malformed import MalformedBody, TooLarge
from ingate.formats.members import MAX_REPEATS
from ingate.formats.oddities import BOM
from ingate.formats.pace import SLICE, Budget, Pace, Steps
from ingate.formats.paths import Format, gemini_model
from ingate.formats.request import PROMPTS, Call
from ingate.formats.scan import MAX_DEPTH
from ingate.formats.shape import Shape
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


class LargeCall(Call, gc=False):
    """The same of a large request. `options` is where the value of its `stream_options` lies, the last of them."""

    options: tuple[int, int] | None = None


class _Scanned(Call, gc=False):
    stream_options: None = None  # to be found, not to be read


_SCANNED = Shape(_Scanned)


class _Found(Struct):
    """What a scan found: what is asked for, and where the values of the model lie."""

    call: LargeCall
    models: list[tuple[int, int]]


def reading_call(format: Format, path: str, body: bytes | bytearray) -> Steps[LargeCall]:
    """Returns what a large request asks for, as `read_call` does. Raises `MalformedBody`."""
    if format not in PROMPTS:
        return LargeCall()
    found = yield from _find(body)
    return LargeCall(gemini_model(path)) if format is Format.GEMINI else found.call


def renaming(body: bytes | bytearray, model: str) -> Steps[list[memoryview]]:
    """Returns what `rewrite_model` does, of a large body and in pieces. Raises `MalformedBody`."""
    found = yield from _find(body)
    if len(found.models) > MAX_REPEATS:
        raise MalformedBody(f"the body states its model more than {MAX_REPEATS} times")
    view = memoryview(body)
    value = memoryview(msgspec.json.encode(model))
    pieces: list[memoryview] = []
    kept = 0
    for start, end in found.models:
        pieces += (view[kept:start], value)
        kept = end
    pieces.append(view[kept:])
    return pieces


def asking_large(body: bytes, call: LargeCall) -> bytes | None:
    """Returns what `asking` does, of a large body and what was found in it."""
    if call.options is None:
        return inserted(body)
    start, end = call.options
    # Options that are large themselves are none that anybody knows.
    value = with_usage(body[start:end]) if end - start <= SLICE else None
    return None if value is None else replaced(body, call.options, value)


def _find(body: bytes | bytearray) -> Steps[_Found]:
    scan = Condenser(_SCANNED.outline, Budget(Pace()), (_MODEL, _STREAM_OPTIONS))
    partial = b""  # a character that goes on in the next slice
    models, options = scan.places
    view = memoryview(body)
    try:
        for start in range(0, len(body), SLICE):
            some = bytes(view[start : start + SLICE])
            if partial or not some.isascii():
                partial = _partial(partial + some, last=start + SLICE >= len(body))
            if not start and some.startswith(BOM):
                some = b"   " + some[len(BOM) :]
            yield from scan.feed(some)
            if scan.deepest > MAX_DEPTH:
                raise MalformedBody(f"the body nests deeper than {MAX_DEPTH} levels")
    except TooLarge:
        # Of the rest, only the model is looked for: nothing else that was found can be relied on.
        last = _LAST.search(body, max(0, len(body) - _TAIL))
        if last is not None and last.span(1) not in models:
            return _Found(LargeCall(msgspec.json.decode(last[1], type=str)), [*models, last.span(1)])
        return _Found(LargeCall(_read(scan).model), models)
    if scan.broken or not scan.ended:
        raise MalformedBody("the body is not valid JSON")
    read = _read(scan)
    return _Found(LargeCall(read.model, read.stream, options[-1] if options else None), models)


def _read(scan: Condenser) -> Call:
    read = _SCANNED.read(scan.close())
    if read is None:
        raise MalformedBody("the body is not a JSON object")
    return read


def _partial(data: bytes, *, last: bool) -> bytes:
    """Returns the beginning of a character at the end of a part of a body. Raises `MalformedBody`."""
    try:
        return data[utf_8_decode(data, "strict", last)[1] :]
    except UnicodeDecodeError:
        raise MalformedBody("the body is not valid UTF-8") from None
