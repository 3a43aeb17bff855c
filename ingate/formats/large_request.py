"""Requests that are too large to be read in one piece: they are scanned for their model.

Judged are UTF-8, the outermost object, and how deep it nests; what else a body may be, and a body that costs more than
its budget, are the provider's to judge. Knows nothing of providers.
"""

import re
from codecs import utf_8_decode
from typing import TypeVar

import msgspec
from msgspec import Struct

from ingate.formats.condenser import Condenser
from ingate.formats.malformed import MalformedBody, TooLarge
from ingate.formats.oddities import BOM
from ingate.formats.pace import SLICE, Budget, Pace, Steps
from ingate.formats.paths import Format, gemini_model
from ingate.formats.request import JUDGED
from ingate.formats.scan import MAX_DEPTH
from ingate.formats.shape import Shape
from ingate.formats.spliced import Body, Span, splicing

_MODEL = b"model"
_MAX_REPEATS = 16
_TAIL = 4096
_SIMPLE = rb'(?:"[^"\\]*+"|[^ \t\n\r,:\[\]{}"]++)'
_BLANK = rb"[ \t\n\r]*+"
# In valid JSON, nothing else can stand before members with plain values that the last brace follows.
_LAST = re.compile(
    rb'[{,]%b"model"%b:%b("[^"\\]{1,256}+")(?:%b,%b"(?!model")[^"\\]*+"%b:%b%b)*+%b\}%b\Z'
    % (*[_BLANK] * 7, _SIMPLE, _BLANK, _BLANK)
)


class _Named(Struct, gc=False):
    model: str | None = None


_NAMED = Shape(_Named)


T = TypeVar("T", bound=Struct)


def naming(format: Format, path: str, body: bytes) -> Steps[str | None]:
    """Returns the model that a large request names, `None` as `read_model` does. Raises `MalformedBody`."""
    if format not in JUDGED:
        return None
    named, _ = yield from scanning(body, _NAMED)
    return gemini_model(path) if format is Format.GEMINI else named.model


def renaming(body: bytes, model: str) -> Steps[Body]:
    """Returns what `rewrite_model` does, of a large body. Raises `MalformedBody`."""
    _, spans = yield from scanning(body, _NAMED)
    if len(spans) > _MAX_REPEATS:
        raise MalformedBody(f"the body names its model more than {_MAX_REPEATS} times")
    value = msgspec.json.encode(model)
    return (yield from splicing(body, ((span, value) for span in spans)))


def scanning(body: bytes, shape: Shape[T]) -> Steps[tuple[T, list[Span]]]:
    """Returns what a body says, and where the values of `model` lie that the shape wants. Raises `MalformedBody`."""
    scan = Condenser(shape.outline, Budget(Pace()), _MODEL)
    partial = b""  # a character that goes on in the next slice
    spans = scan.spans
    try:
        for start in range(0, len(body), SLICE):
            some = body[start : start + SLICE]
            if partial or not some.isascii():
                partial = _partial(partial + some, last=start + SLICE >= len(body))
            if not start and some.startswith(BOM):
                some = b"   " + some[len(BOM) :]
            yield from scan.feed(some)
            if scan.deepest > MAX_DEPTH:
                raise MalformedBody(f"the body nests deeper than {MAX_DEPTH} levels")
    except TooLarge:
        small = scan.close()
        last = _LAST.search(body, max(0, len(body) - _TAIL))
        if last is not None and last.span(1) not in spans:
            small, spans = b'{"model":%b}' % last[1], [*spans, last.span(1)]
    else:
        if scan.broken or not scan.ended:
            raise MalformedBody("the body is not valid JSON")
        small = scan.close()
    said = shape.read(small)
    if said is None:
        raise MalformedBody("the body is not a JSON object")
    return said, spans


def _partial(data: bytes, *, last: bool) -> bytes:
    """Returns the beginning of a character at the end of a part of a body. Raises `MalformedBody`."""
    try:
        return data[utf_8_decode(data, "strict", last)[1] :]
    except UnicodeDecodeError:
        raise MalformedBody("the body is not valid UTF-8") from None
