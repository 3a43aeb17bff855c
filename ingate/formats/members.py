"""Where the values of one top-level member lie in JSON text, so that they can be replaced and nothing else.

A member may be given more than once, and spelled with escapes. Knows no wire format.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Raw

from ingate.formats.malformed import MalformedBody
from ingate.formats.nesting import deeper_than
from ingate.formats.scan import BLANK, MAX_DEPTH, STRING, value_pattern

MAX_REPEATS = 16
"""How often a member that is to be replaced may be given."""

_ESCAPED = b"\\u00"
_COLON = re.compile(rb"%b:%b" % (BLANK, BLANK))


def places(body: bytes, name: str, value: Raw | bytes) -> Iterator[tuple[int, int]]:
    """Yields where the values of a member of a valid JSON object lie; `value` is the text of the last of them.

    Raises `MalformedBody` when it nests deeper than 64 levels or has the member more than 16 times, where that matters.
    """
    key = b'"%b"' % name.encode()
    if body.count(key) == 1 and _ESCAPED not in body:
        # The key is there and can be spelled in no other way: the only place is the right one.
        colon = _COLON.match(body, body.index(key) + len(key))
        if colon:
            yield colon.end(), colon.end() + len(value)
        return
    if deeper_than(body, MAX_DEPTH):
        raise MalformedBody(f"the body nests deeper than {MAX_DEPTH} levels")
    pattern = _next_member(name)
    at = body.index(b"{") + 1
    repeats = 0
    while match := pattern.match(body, at):
        yield match.span(1)
        at = match.end()
        repeats += 1
        if repeats > MAX_REPEATS:
            raise MalformedBody(f"the body states its {name} more than {MAX_REPEATS} times")


@lru_cache(maxsize=8)
def _next_member(name: str) -> re.Pattern[bytes]:
    """Returns the pattern from one member of the top-level object to the end of the next one of that name."""
    letters = b"".join(rb"(?:%b|\\u00%b)" % (re.escape(char.encode()), _either_case(f"{ord(char):x}")) for char in name)
    key = rb'"%b"%b:' % (letters, BLANK)
    value = value_pattern()
    other = rb"%b(?!%b)%b%b:%b%b%b," % (BLANK, key, STRING, BLANK, BLANK, value, BLANK)
    return re.compile(rb"(?:%b)*+%b%b%b(%b)%b(?:,|(?=\}))" % (other, BLANK, key, BLANK, value, BLANK), re.DOTALL)


def _either_case(digits: str) -> bytes:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits).encode()
