"""Renaming the model of a request in place, so that every other byte stays as the client sent it.

Knows where the top-level `model` lies; knows nothing of providers.
"""

import re
from collections.abc import Iterator
from functools import cache

import msgspec
from msgspec import Raw, Struct

from ingate.formats.malformed import MalformedBody
from ingate.formats.nesting import deeper_than
from ingate.formats.scan import BLANK, MAX_DEPTH, STRING, value_pattern
from ingate.formats.shape import Shape

_MAX_REPEATS = 16
_KEY = b'"model"'
_ESCAPED = b"\\u00"
_COLON = re.compile(rb"%b:%b" % (BLANK, BLANK))


class _Body(Struct, gc=False):
    model: Raw = Raw()


_BODY = Shape(_Body)


def rewrite_model(body: bytes, model: str) -> bytes:
    """Returns the JSON object with the value of its top-level `model` replaced, wherever and however often it is given.

    A body without that key is returned as it is. Raises `MalformedBody` when the body is not a
    JSON object, nests deeper than 64 levels, or repeats the key more than 16 times.
    """
    parsed = _BODY.read(body)
    if parsed is None:
        raise MalformedBody("the body is not a JSON object")
    if not parsed.model:
        return body
    value = msgspec.json.encode(model)
    pieces: list[bytes] = []
    kept = 0
    for start, end in _spans(body, parsed.model):
        pieces += (body[kept:start], value)
        kept = end
    pieces.append(body[kept:])
    return b"".join(pieces)


def _spans(body: bytes, value: Raw) -> Iterator[tuple[int, int]]:
    """Yields where the values of the top-level key lie; `value` is the last of them."""
    if body.count(_KEY) == 1 and _ESCAPED not in body:
        # The key is there and can be spelled in no other way: the only place is the right one.
        colon = _COLON.match(body, body.index(_KEY) + len(_KEY))
        if colon:
            yield colon.end(), colon.end() + len(value)
        return
    if deeper_than(body, MAX_DEPTH):
        raise MalformedBody(f"the body nests deeper than {MAX_DEPTH} levels")
    pattern = _next_model()
    at = body.index(b"{") + 1
    repeats = 0
    while match := pattern.match(body, at):
        yield match.span(1)
        at = match.end()
        repeats += 1
        if repeats > _MAX_REPEATS:
            raise MalformedBody(f"the body names its model more than {_MAX_REPEATS} times")


@cache
def _next_model() -> re.Pattern[bytes]:
    """Returns the pattern from one member of the top-level object to the end of the next `model` member."""
    letters = b"".join(rb"(?:%c|\\u00%b)" % (ord(char), _either_case(f"{ord(char):x}")) for char in "model")
    key = rb'"%b"%b:' % (letters, BLANK)
    value = value_pattern()
    other = rb"%b(?!%b)%b%b:%b%b%b," % (BLANK, key, STRING, BLANK, BLANK, value, BLANK)
    return re.compile(rb"(?:%b)*+%b%b%b(%b)%b(?:,|(?=\}))" % (other, BLANK, key, BLANK, value, BLANK), re.DOTALL)


def _either_case(digits: str) -> bytes:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits).encode()
