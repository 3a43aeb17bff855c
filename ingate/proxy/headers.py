"""Which headers cross the gateway. Pure.

Towards a provider only what is on a list goes, and never a gateway credential. Towards the caller
everything goes but what belongs to a connection, to a site, or to the gateway itself.
"""

from collections.abc import Iterable

from ingate.ids import KEY_PREFIX, SESSION_PREFIX
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

_GATEWAY_SECRETS = (KEY_PREFIX.encode(), SESSION_PREFIX.encode(), b"ing_")
MASK = "***"


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
    return any(value.startswith(secret) or b" " + secret in value for secret in _GATEWAY_SECRETS)


def recorded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Returns headers for the record: credentials masked, repeated names joined by a comma."""
    record: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1")
        secret = raw_name in CREDENTIALS or "key" in name or "token" in name or "secret" in name
        value = MASK if secret or carries_gateway_secret(raw_value) else raw_value.decode("utf-8", "replace")
        record[name] = f"{record[name]}, {value}" if name in record else value
    return record
