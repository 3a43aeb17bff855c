"""Proxied calls that were refused before they became exchanges: counted by reason, and some of them logged.

Log lines show the first characters of a key, never all of it.
"""

from collections import Counter

import structlog

from ingate.ids import key_prefix
from ingate.key_formats import SHOWN
from ingate.proxy.ports import Headers
from ingate.sampling import Sampler
from ingate.vendor_keys import HEADERS, bare

LINES = 20
SECONDS = 10.0
"""At most `LINES` lines in `SECONDS` seconds; the next line says how many were left out."""

_KEY_HEADERS = frozenset({b"x-ingate-key", *(name.encode() for name in HEADERS)})

_log = structlog.get_logger(__name__)


class Refusals:
    """`counts` are by reason, such as `UNAUTHENTICATED`, since the process started."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._sampler = Sampler(LINES, SECONDS)

    def note(self, reason: str, secret: str, address: str, why: str) -> None:
        """Counts a refusal and may log it: its reason, the key or what was sent as one, the address, the message."""
        self.counts[reason] += 1
        if (held := self._sampler.take()) is not None:
            _log.warning(
                "call_refused", reason=reason.lower(), key=shown(secret), address=address, why=why, before=held
            )

    def note_request(self, reason: str, headers: Headers, address: str, why: str) -> None:
        """Notes the refusal of an HTTP request, whose key is found in its headers."""
        secrets = (bare(value.decode("latin-1")) for name, value in headers if name in _KEY_HEADERS)
        self.note(reason, next(filter(shown, secrets), ""), address, why)


def shown(secret: str) -> str:
    """Returns the part of a key that may be shown, empty for what is not a key."""
    prefix = key_prefix(secret)
    return secret[: len(prefix) + SHOWN] if prefix else ""
