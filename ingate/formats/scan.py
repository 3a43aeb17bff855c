r"""Walking JSON text by regular expression, where the place of a value matters and not only the value.

Valid JSON is assumed. Quantifiers are possessive: matching never backtracks, so it is linear.
"""

import re
from collections.abc import Iterator
from functools import cache

MAX_DEPTH = 64
"""Nested arrays and objects that are followed; a value nested deeper does not match."""

BLANK = rb"[ \t\n\r]*+"
STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


@cache
def value_pattern() -> bytes:
    """Returns the pattern of any JSON value; it has no groups and needs `re.DOTALL`."""
    nested = rb"[\[{](?:[^\[\]{}\"]++|%b)*+[\]}]" % STRING
    for _ in range(MAX_DEPTH - 1):
        nested = rb"[\[{](?:[^\[\]{}\"]++|%b|%b)*+[\]}]" % (STRING, nested)
    return rb"(?:%b|[^ \t\n\r,:\[\]{}\"]++|%b)" % (STRING, nested)


def items(body: bytes | bytearray) -> Iterator[bytes]:
    """Yields the complete items of a JSON array that may be cut off anywhere."""
    opened = _OPEN_ARRAY.match(body)
    if not opened:
        return
    pattern = _item()
    match = pattern.match(body, opened.end())
    while match:
        yield bytes(match[1])
        match = pattern.match(body, match.end())


_OPEN_ARRAY = re.compile(rb"%b\[" % BLANK)


@cache
def _item() -> re.Pattern[bytes]:
    return re.compile(rb"%b(%b)%b(?:,|(?=\]))" % (BLANK, value_pattern(), BLANK), re.DOTALL)
