"""Which headers cross the gateway. Pure.

Towards a provider only what is on a list goes, and never a gateway credential. Towards the caller
everything goes but what belongs to a connection, to a site, or to the gateway itself.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from ingate.ids import INVITATION_PREFIX, KEY_PREFIX, SESSION_PREFIX
from ingate.proxy.ports import Headers
from ingate.proxy.target import Target

OUTBOUND = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"content-encoding",
        b"content-type",
        b"idempotency-key",
        b"if-match",
        b"if-none-match",
        b"prefer",
        b"range",
        b"traceparent",
        b"tracestate",
        b"user-agent",
    }
)
OUTBOUND_PREFIXES = (b"openai-", b"anthropic-", b"x-stainless-", b"x-goog-api-client", b"x-goog-user-project")
CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"cookie"})
"""What a caller shows a provider; crosses only to one that takes the caller's own."""
RECORD_MASKED = CREDENTIALS | {b"proxy-authorization", b"set-cookie"}
CUSTOM_REFUSED = (b"x-ingate-", b"x-forwarded-", b"x-real-ip")

INBOUND_REFUSED = frozenset(
    {
        # of one connection
        b"connection",
        b"content-length",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        # of the provider's site
        b"alt-svc",
        b"nel",
        b"report-to",
        b"server",
        b"set-cookie",
        b"strict-transport-security",
        # of the gateway
        b"permissions-policy",
        b"referrer-policy",
        b"x-cache",
        b"x-content-type-options",
        b"x-frame-options",
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
        b"x-xss-protection",
    }
)

MASK = "***"

_PREFIXES = f"{KEY_PREFIX}|{SESSION_PREFIX}|{INVITATION_PREFIX}|ing_"
_GATEWAY_SECRET = re.compile(rf"(?<![A-Za-z0-9])(?:{_PREFIXES})[\w-]{{6}}".encode(), re.ASCII)
_SECRET = re.compile(_GATEWAY_SECRET.pattern + rb"|(?<![A-Za-z0-9])(?:sk-|AIza)[\w-]{6}|\b[Bb]earer\s", re.ASCII)
_MARK = re.compile(rb"sk-|ing|AIza|earer")
"""In whatever the searches before find, and found ten times faster: most values have none."""
_SECRET_NAME = re.compile(rb"key|token(?!s)|secret|password|credential|signature")


def outbound(headers: Headers, target: Target) -> Headers:
    """Returns what the provider gets of a caller's headers (names lower-case), and what the gateway adds."""
    sent = [pair for pair in headers if _crosses(pair[0], target) and not carries_gateway_secret(pair[1])]
    set_here = {name for name, _ in target.extra}
    if set_here:
        sent = [pair for pair in sent if pair[0] not in set_here]
    if target.defaults:
        names = {name for name, _ in sent}
        sent += [pair for pair in target.defaults if pair[0] not in names]
    return sent + target.extra


def _crosses(name: bytes, target: Target) -> bool:
    if name in OUTBOUND or name.startswith(OUTBOUND_PREFIXES):
        return True
    if name in CREDENTIALS:
        return target.passthrough
    return target.custom_headers and name.startswith(b"x-") and not name.startswith(CUSTOM_REFUSED)


def inbound(headers: Headers) -> Headers:
    """Returns what the caller gets of a provider's headers."""
    return [pair for pair in headers if pair[0] not in INBOUND_REFUSED and not pair[0].startswith(b"x-ingate-")]


def carries_gateway_secret(value: bytes) -> bool:
    """Tells whether a header value holds a credential of this gateway."""
    return _MARK.search(value) is not None and _GATEWAY_SECRET.search(value) is not None


def recorded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Returns headers for the record: what may be a credential masked, repeated names joined by a comma."""
    record: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, masked = _record_name(raw_name)
        if not masked and _MARK.search(raw_value) is not None:
            masked = _SECRET.search(raw_value) is not None
        value = MASK if masked else raw_value.decode("utf-8", "replace")
        record[name] = f"{record[name]}, {value}" if name in record else value
    return record


@lru_cache(maxsize=512)
def _record_name(raw: bytes) -> tuple[str, bool]:
    """Returns a name for the record, and whether it tells that the value is a credential. Cached: names repeat."""
    return raw.decode("latin-1"), raw in RECORD_MASKED or _SECRET_NAME.search(raw) is not None
