"""Masks credentials that are known, in whatever a provider may quote them in. Pure.

Nothing is changed on its way to a caller: this is for what is recorded. A record is searched for a few byte strings,
and only one that holds any is taken apart.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ingate.proxy.ports import Headers

MASK = "***"
SHORTEST = 8
"""Characters of the shortest credential that is looked for: what is shorter turns up in ordinary text."""

_MASK = MASK.encode()
_LEAST_LEFT = 4  # bytes of a credential that a cut may leave
_UNSAFE = re.compile(rb"[^A-Za-z0-9._~-]+")  # what JSON, URLs or HTML may write otherwise
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9]+")  # the rest of the alphabet differs between variants
_SCHEME = re.compile(r"[A-Za-z-]+ +(\S+)")


class Mask:
    """Finds some credentials, plain and as JSON, URLs and HTML escape them; `user:password` also in base64."""

    __slots__ = ("_anchors", "_forms", "secrets")

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = frozenset(secrets)
        self._forms: list[tuple[bytes, bool]] = []
        for secret in sorted(self.secrets, key=lambda text: (-len(text), text)):
            data = secret.encode()
            self._forms.append((data, False))
            if ":" in secret:  # each form is searched for in every record, and nobody encodes a token
                self._forms += [(core, True) for core in _cores(data)]
        self._anchors = tuple(
            dict.fromkeys(
                max((_NOT_BASE64 if is_base64 else _UNSAFE).split(form), key=len) or form
                for form, is_base64 in self._forms
            )
        )

    def hits(self, data: bytes) -> bool:
        """Tells whether there may be something to mask. Costs one search of the data for each form."""
        for anchor in self._anchors:  # noqa: SIM110 -- a generator would double the cost
            if anchor in data:
                return True
        return False

    def apply(self, data: bytes) -> bytes:
        """Returns the data with each credential replaced by `***`."""
        if self.hits(data):
            for form, is_base64 in self._forms:
                data = _pattern(form, is_base64).sub(_MASK, data)
        return data

    def text(self, text: str) -> str:
        """Returns a text with each credential replaced by `***`."""
        return self.apply(text.encode("utf-8", "replace")).decode("utf-8", "replace")

    def beginning(self, data: bytes | bytearray, limit: int) -> bytes:
        """Returns the first `limit` bytes of what is masked, without a credential's beginning that is cut there."""
        longest = max(len(form) for form, _ in self._forms)
        return self.end(self.apply(bytes(data[: limit + longest]))[:limit])

    def end(self, data: bytes) -> bytes:
        """Returns what was cut somewhere, without the beginning of a credential that is its end."""
        for form, _ in self._forms:
            for size in range(min(len(form) - 1, len(data)), _LEAST_LEFT - 1, -1):
                if data.endswith(form[:size]):
                    return data[:-size] + _MASK
        return data


def mask_of(secrets: Iterable[str]) -> Mask | None:
    """Returns what masks some credentials; None where none is long enough to be looked for."""
    found = {secret for secret in secrets if len(secret) >= SHORTEST}
    return Mask(found) if found else None


def joined(masks: Iterable[Mask | None]) -> Mask | None:
    """Returns what masks the credentials of several."""
    return mask_of(secret for mask in masks if mask is not None for secret in mask.secrets)


def credentials(value: str) -> Iterator[str]:
    """Yields what is secret in a header value: itself, what follows its scheme, and what that holds if it is Basic."""
    yield value
    schemed = _SCHEME.fullmatch(value)
    if schemed is None:
        return
    yield schemed[1]
    if value[:6].lower() == "basic ":
        try:
            plain = base64.b64decode(schemed[1], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield plain
        yield plain.partition(":")[2]


def shown_by(headers: Headers, names: frozenset[bytes]) -> Iterator[str]:
    """Yields the credentials in those of a caller's headers that have one of the names."""
    for name, value in headers:
        if name in names:
            text = value.decode("latin-1")
            if name == b"cookie":
                yield from (pair.partition("=")[2].strip() for pair in text.split(";"))
            else:
                yield from credentials(text)


def _cores(data: bytes) -> Iterator[bytes]:
    """Yields what is the same in every base64 text that the data is part of, for each place it may begin at."""
    for before in range(3):
        size = before + len(data)
        core = base64.b64encode(bytes(before) + data)[(0, 2, 3)[before] : size * 8 // 6]
        if len(core) >= SHORTEST:
            yield core


@lru_cache(maxsize=256)
def _pattern(form: bytes, is_base64: bool) -> re.Pattern[bytes]:
    spelled = b"".join(map(_either, form))
    return re.compile(rb"[A-Za-z0-9+/_-]{0,3}%b[A-Za-z0-9+/_-]{0,2}={0,2}" % spelled if is_base64 else spelled)


def _either(byte: int) -> bytes:
    """Returns the pattern of a character, plain or escaped."""
    char = bytes([byte])
    if char.isalnum():
        return char
    spellings = [re.escape(char), rb"\\%b" % re.escape(char), rb"\\u00(?i:%02x)" % byte, rb"%%(?:25)?(?i:%02X)" % byte]
    spellings += [b"&#0*%d;" % byte, b"&#[xX]0*(?i:%02x);" % byte]
    spellings += {b"&": [b"&amp;"], b"<": [b"&lt;"], b">": [b"&gt;"], b'"': [b"&quot;"], b" ": [rb"\+"]}.get(char, [])
    spellings += {b"+": [b"-"], b"/": [b"_"]}.get(char, [])  # in base64 for URLs
    return b"(?:%b)" % b"|".join(spellings)
