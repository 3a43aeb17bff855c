r"""JSON text as some senders write it, though not all who read JSON take it.

These are lone surrogates, such as `\ud83d` where a client cut an emoji in half, NaN and Infinity as Python writes them,
and a byte order mark. For reading, and only for that, they become what every reader takes, a number that is none an
empty text. The text keeps its length, so places found in it are places in the original.
"""

import re

_LONGEST = 512 * 1024
"""Bytes of the longest text that is mended, a piece of work of milliseconds."""
_MOST = 1000
"""How many are mended: each costs a call."""

BOM = b"\xef\xbb\xbf"
_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
# A backslash that is itself escaped begins no escape.
_SURROGATES = re.compile(
    rb"((?:[^\\]++|\\[^u]|%b%b|(?!%b|%b)\\u)*+)(?:(%b|%b)|.*+)" % (_HIGH, _LOW, _HIGH, _LOW, _HIGH, _LOW), re.DOTALL
)
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_NUMBERS = re.compile(
    rb'((?:[^"NI-]++|%b|-(?!Infinity\b)|(?!NaN\b|Infinity\b)[NI])*+)(?:(NaN\b|-?Infinity\b)|.*+)' % _STRING, re.DOTALL
)


def mended(text: bytes) -> bytes:
    """Returns the text with what is odd replaced; the text itself when nothing is, or it is over 512 KiB."""
    if len(text) > _LONGEST:
        return text
    if text.startswith(BOM):
        text = b"   " + text[len(BOM) :]
    if b"NaN" in text or b"Infinity" in text:
        text = _NUMBERS.sub(lambda odd: odd[1] + b'""'.ljust(len(odd[2])) if odd[2] else odd[0], text, _MOST)
    if b"\\ud" in text or b"\\uD" in text:
        text = _SURROGATES.sub(lambda odd: odd[1] + rb"\ufffd" if odd[2] else odd[0], text, _MOST)
    return text
