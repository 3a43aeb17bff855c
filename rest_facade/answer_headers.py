"""The headers of every answer. Knows header names; no routes, no dialects."""

from collections.abc import Iterable

from multidict import CIMultiDict, istr

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload",
}
REQUEST_ID = istr("X-Ingate-Request-Id")
JSON = "application/json; charset=utf-8"

_BASE = CIMultiDict({istr(name): value for name, value in (*SECURITY.items(), ("Server", "ingate"))})
_RATE = {
    "x-ratelimit-limit": istr("X-RateLimit-Limit"),
    "x-ratelimit-remaining": istr("X-RateLimit-Remaining"),
    "x-ratelimit-reset": istr("X-RateLimit-Reset"),
}

Pairs = tuple[tuple[str, str], ...]


def answer_headers(request_id: str) -> CIMultiDict[str]:
    """Returns a fresh dictionary of the headers that every answer starts with."""
    headers = _BASE.copy()
    headers[REQUEST_ID] = request_id
    return headers


def common_lines() -> bytes:
    """Returns the same as head lines, each ended by CRLF, but for the request id."""
    return "".join(f"{name}: {value}\r\n" for name, value in _BASE.items()).encode()


def rate_headers(trailing: Iterable[tuple[str, str | bytes]]) -> Pairs:
    """Returns the X-RateLimit headers that trailing metadata states."""
    return tuple((_RATE[key], str(value)) for key, value in trailing if key in _RATE)
