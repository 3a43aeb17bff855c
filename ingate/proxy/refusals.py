"""Proxied calls that were refused before they became exchanges: counted by reason, and some of them logged.

Of a key, its first characters are shown, never the key.
"""

from collections import Counter

import structlog

from ingate.ids import KEY_PREFIXES
from ingate.proxy.ports import Headers
from ingate.sampling import Sampler
from ingate.vendor_keys import HEADERS

SHOWN = 4
"""Characters of a key after its prefix that are shown: 24 bits of 256."""
LINES = 20
SECONDS = 10.0
"""There are so many lines in so many seconds at most; the next one says how many were left out."""

_KEY_HEADERS = frozenset({b"x-ingate-key", *(name.encode() for name in HEADERS)})

_log = structlog.get_logger(__name__)


class Refusals:
    """`counts` are by reason, such as `UNAUTHENTICATED`, since the process started."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._sampler = Sampler(LINES, SECONDS)

    def note(self, reason: str, secret: str, address: str, why: str) -> None:
        """Takes note of a refusal: what for, the caller's key or whatever stands in its place, address, the answer."""
        self.counts[reason] += 1
        if (held := self._sampler.take()) is not None:
            _log.warning(
                "call_refused", reason=reason.lower(), key=shown(secret), address=address, why=why, before=held
            )

    def note_request(self, reason: str, headers: Headers, address: str, why: str) -> None:
        """Does so for an HTTP request."""
        stated = (value.decode("latin-1") for name, value in headers if name in _KEY_HEADERS)
        secrets = (text[7:].strip() if text[:7].lower() == "bearer " else text for text in stated)
        self.note(reason, next(filter(shown, secrets), ""), address, why)


def shown(secret: str) -> str:
    """Returns what may be shown of a key, nothing of what is none."""
    prefix = next((prefix for prefix in KEY_PREFIXES if secret.startswith(prefix)), None)
    return "" if prefix is None else secret[: len(prefix) + SHOWN]
