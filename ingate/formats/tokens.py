"""The tokens of JSON text, as regular expressions that never backtrack.

Where the text ends inside a token, it does not match.
"""

import re
from functools import lru_cache

import msgspec

MAX_KEY = 256
"""Bytes of the longest key that is compared."""
MAX_NUMBER = 64
"""Bytes of the longest number that is kept."""
KEY_ROOM = 17 * (MAX_KEY + 2) + 64
"""Bytes of the longest key that is compared, escapes and the blanks behind it included."""

_BLANK = rb"[ \t\n\r]*+"
_FLAT = rb"[^\"\[\]{}]++"
# Longer strings are found the end of faster, one by one.
_SHORT = rb'"[^"\\]{0,256}+(?:\\.[^"\\]{0,64}+){0,16}+"'
_NESTED = rb"[\[{](?:%b|%b)*+[\]}]" % (_FLAT, _SHORT)
_NESTED_TWICE = rb"[\[{](?:%b|%b|%b)*+[\]}]" % (_FLAT, _SHORT, _NESTED)

BLANKS = re.compile(rb"[ \t\n\r]*+")
BRACKETS = re.compile(rb"[\[{]++|[\]}]++")
SEPARATORS = re.compile(rb"[ \t\n\r,]*+")
SCALAR = re.compile(rb"[^ \t\n\r,:\[\]{}\"]++")
PLAIN_SCALAR = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null")
INSIDE_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
KEY = re.compile(rb'"([^"\\]{0,%d}+(?:\\.[^"\\]{0,%d}+){0,16}+)"%b:%b' % (MAX_KEY, MAX_KEY, _BLANK, _BLANK), re.DOTALL)
RUN = re.compile(rb"(?:%b|%b|%b)*+" % (_FLAT, _SHORT, _NESTED_TWICE), re.DOTALL)
"""Whatever follows inside an array or object, as long as it nests two levels deep at most."""
FLAT_RUN = re.compile(rb"(?:%b|%b)*+" % (_FLAT, _SHORT), re.DOTALL)
"""Whatever follows that does not nest."""


@lru_cache(maxsize=256)
def others(keys: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Returns the pattern of members with plain values whose keys are none of these and have no escapes."""
    plain = rb"(?:%b|[^ \t\n\r,:\[\]{}\"]++|[\[{]%b[\]}])" % (_SHORT, _BLANK)
    key = rb'"(?!(?:%b)")[^"\\]{0,%d}+"' % (b"|".join(map(re.escape, keys)), MAX_KEY)
    member = rb"[ \t\n\r,]*+%b%b:%b%b(?=[ \t\n\r,}])" % (key, _BLANK, _BLANK, plain)
    return re.compile(rb"(?:%b)*+" % member, re.DOTALL)


def plain_key(key: bytes) -> bytes:
    """Returns a key spelled without escapes; empty for one that cannot be, or is none."""
    if b"\\" not in key:
        return key
    try:
        plain = msgspec.json.decode(b'"%b"' % key, type=str)
    except ValueError:
        return b""
    return plain.encode() if plain.isprintable() and not _ESCAPED.intersection(plain) else b""


_ESCAPED = frozenset('"\\')
_PARTIAL = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")


def trimmed(text: bytes) -> bytes:
    """Returns the inside of a string that was cut off, without the part of a character at its end."""
    at = text.rfind(b"\\", max(0, len(text) - 6))
    if at >= 0:
        before = text[: at + 1]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 and len(text) - at < (
            6 if text[at + 1 : at + 2] == b"u" else 2
        ):
            return text[:at]
    found = _PARTIAL.search(text, max(0, len(text) - 3))
    return text[: found.start()] if found else text
