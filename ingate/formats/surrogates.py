r"""Lone surrogates in JSON text, such as `\ud83d` where a client cut an emoji in half.

They are valid JSON, providers differ about them, and msgspec refuses them. For reading, and only
for that, they become U+FFFD. The text keeps its length, so places found in it are places in the original.
"""

import re

_MAX = 1024 * 1024
"""Bytes of the longest text that is mended: it costs a call per surrogate."""

_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
# A backslash that is itself escaped begins no escape.
_ESCAPES = re.compile(rb"\\\\|%b%b|(%b|%b)" % (_HIGH, _LOW, _HIGH, _LOW))


def mended(text: bytes) -> bytes:
    """Returns the text with lone surrogates replaced; the text itself when it has none or is over 1 MiB."""
    if len(text) > _MAX or (b"\\ud" not in text and b"\\uD" not in text):
        return text
    return _ESCAPES.sub(lambda match: rb"\ufffd" if match[1] else match[0], text)
