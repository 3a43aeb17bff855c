"""Which headers cross the gateway. Pure.

Towards a provider only what is on a list goes, and never a gateway credential. Towards the caller
everything goes but what belongs to a connection, to a site, or to the gateway itself.
"""

import re
from collections.abc import Mapping
from itertools import compress
from typing import TYPE_CHECKING

import msgspec

from ingate import ids
from ingate.proxy.masking import MASK
from ingate.proxy.ports import Headers
from ingate.remembered import Remembered

if TYPE_CHECKING:
    from ingate.proxy.target import Target

OUTBOUND = frozenset(
    {
        b"cache-control",
        b"http-referer",
        b"idempotency-key",
        b"prefer",
        b"range",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"x-title",
    }
)
OUTBOUND_PREFIXES = (
    b"accept",
    b"anthropic-",
    b"content-",
    b"if-",
    b"openai-",
    b"x-client-",
    b"x-goog-",
    b"x-ms-",
    b"x-stainless-",
)
CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"cookie"})
"""What a caller shows a provider; crosses only to one that takes the caller's own."""
_NOT_ORDINARY = CREDENTIALS | {b"content-length"}
RECORD_MASKED = CREDENTIALS | {b"proxy-authorization", b"set-cookie"}
CUSTOM_REFUSED = (b"x-ingate-", b"x-forwarded-", b"x-real-ip")

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""What belongs to one connection, beside what its `Connection` header names (RFC 9110, 7.6.1)."""
_VERBATIM_REFUSED = HOP_BY_HOP | {b"content-length", b"expect", b"forwarded", b"host"}
_VERBATIM_REFUSED_BEGINNINGS = (*CUSTOM_REFUSED, b"x-ongoingai-")
INBOUND_REFUSED = HOP_BY_HOP | frozenset(
    {
        b"content-length",  # the gateway's own to state
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

INBOUND_REFUSED_PREFIXES = (
    b"access-control-",  # which pages may read an answer is the gateway's to say
    b"x-ingate-",
)

_ORDINARY = frozenset({b"close", b"keep-alive"})  # values of `Connection` that name no header

_json = msgspec.json.Encoder()
_GATEWAY_SECRET = re.compile(ids.SECRET.encode(), re.ASCII)
_SECRET = re.compile(_GATEWAY_SECRET.pattern + rb"|(?<![A-Za-z0-9])(?:sk-|AIza)[\w-]{6}|\b[Bb]earer\s", re.ASCII)
_SECRET_NAME = re.compile(rb"key|token(?!s|-count)|secret|password|credential|signature|auth(?!or(?!iz))")


def outbound(headers: Headers, target: "Target") -> Headers:
    """Returns what the provider gets of a caller's headers (names lower-case), and what the gateway adds."""
    sent = also_outbound(headers, target, named_by_connection(headers))
    if target.defaults:
        names = {name for name, _ in sent}
        sent += [pair for pair in target.defaults if pair[0] not in names]
    return sent + target.extra


def also_outbound(headers: Headers, target: "Target", ends_here: frozenset[bytes]) -> Headers:
    """Returns what the provider gets of some of a caller's headers, but for those that end here."""
    return [
        (name, value)
        for name, value in headers
        if (_ordinary[name] or _crosses(name, target))
        and name not in ends_here
        and name not in target.set_here
        and not carries_gateway_secret(value)
    ]


def _crosses(name: bytes, target: "Target") -> bool:
    """Tells whether a header that is not ordinary crosses all the same."""
    if target.verbatim:
        return name not in _VERBATIM_REFUSED and not name.startswith(_VERBATIM_REFUSED_BEGINNINGS)
    if name in CREDENTIALS:
        return target.passthrough
    return target.custom_headers and name.startswith(b"x-") and not name.startswith(CUSTOM_REFUSED)


def is_ordinary(name: bytes) -> bool:
    """Tells whether a header, its name in lower case, is one that any caller may send to any provider."""
    return name in OUTBOUND or (name.startswith(OUTBOUND_PREFIXES) and name not in _NOT_ORDINARY)


def inbound(headers: Headers, named: Mapping[bytes, bytes]) -> Headers:
    """Returns what the caller gets of a provider's headers; `named` are the same by name, the last of each."""
    if len(named) == len(headers) and named.get(b"connection", b"close") in _ORDINARY:
        return list(compress(headers, map(_returns.__getitem__, named)))
    ends_here = named_by_connection(headers)
    return [pair for pair in headers if _returns[pair[0]] and pair[0] not in ends_here]


def named_by_connection(headers: Headers) -> frozenset[bytes]:
    """Returns the names, in lower case, that `Connection` headers say are for this connection alone."""
    values = [value for name, value in headers if name == b"connection"]
    return frozenset(token.strip(b" \t").lower() for value in values for token in value.split(b","))


def _comes_back(name: bytes) -> bool:
    return name not in INBOUND_REFUSED and not name.startswith(INBOUND_REFUSED_PREFIXES)


def carries_gateway_secret(value: bytes) -> bool:
    """Tells whether a header value holds a credential of this gateway."""
    return ids.may_hold_secret(value.decode("latin-1")) and _GATEWAY_SECRET.search(value) is not None


def _may_hold_any(text: str) -> bool:
    """Tells whether a text has in it what every secret that is searched for has."""
    return "sk-" in text or "AIza" in text or "earer" in text or ids.may_hold_secret(text)


def recorded(headers: Headers) -> bytes:
    """Returns headers for the record, an object of strings in JSON.

    What may be a credential is masked, repeated names are joined by a comma.
    """
    if len(dict(headers)) < len(headers):
        record: dict[str, str] = {}
        for header in headers:
            name, shown = header[0].decode("latin-1"), _shown(header)
            record[name] = f"{record[name]}, {shown}" if name in record else shown
        return _json.encode(record)
    return b"{" + b",".join(map(_members.__getitem__, headers)) + b"}"


def also_recorded(record: bytes, headers: Headers) -> bytes:
    """Returns the record of some headers with more, whose names it does not have. What they are is not remembered."""
    return b"%b%b%b}" % (record[:-1], b"," if len(record) > len(b"{}") else b"", b",".join(map(_member, headers)))


def _member(header: tuple[bytes, bytes]) -> bytes:
    return _names[header[0]][0] + _json.encode(_shown(header))


def _shown(header: tuple[bytes, bytes]) -> str:
    """Returns a value for the record: MASK for what may be a credential."""
    return MASK if may_be_secret(*header) else header[1].decode("utf-8", "replace")


def may_be_secret(name: bytes, value: bytes) -> bool:
    """Tells whether a header's value may be a credential, by its name or by its looks."""
    return _names[name][1] or (_may_hold_any(value.decode("latin-1")) and _SECRET.search(value) is not None)


def _name(name: bytes) -> tuple[bytes, bool]:
    """Returns what begins a member of this name, and whether the name tells that the value is a credential."""
    credential = name in RECORD_MASKED or _SECRET_NAME.search(name) is not None
    return _json.encode(name.decode("latin-1")) + b":", credential


_members = Remembered(_member, lambda header: len(header[0]) + len(header[1]))
_names = Remembered(_name, len)
_returns = Remembered(_comes_back, len)
_ordinary = Remembered(is_ordinary, len)
