"""What every answer carries, whoever makes it, and cross-origin policy. Knows header names; no routes, no dialects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Cors:
    """Which browsers may read answers. `origins` is empty for all. `max_age` is in seconds, none where None."""

    origins: frozenset[str] = frozenset()
    methods: str = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
    request_headers: str = "Content-Type, Authorization, X-Ingate-Key"
    exposed_headers: str = ""
    credentials: bool = False
    max_age: int | None = None


def cors_headers(cors: Cors, request_headers: Mapping[str, str], *, preflight: bool) -> Pairs:
    """Returns what an answer adds for a browser; for an origin that is not listed, only that the origin matters."""
    origin = request_headers.get("Origin", "")
    listed: list[tuple[str, str]] = [("Vary", "Origin")] if cors.origins else []
    if cors.origins and origin not in cors.origins:
        return tuple(listed)
    listed.append(("Access-Control-Allow-Origin", origin if cors.origins else "*"))
    if cors.credentials:
        listed.append(("Access-Control-Allow-Credentials", "true"))
    if cors.exposed_headers:
        listed.append(("Access-Control-Expose-Headers", cors.exposed_headers))
    if preflight or not cors.origins:
        listed.append(("Access-Control-Allow-Methods", cors.methods))
        listed.append(("Access-Control-Allow-Headers", cors.request_headers))
    if preflight and cors.max_age is not None:
        listed.append(("Access-Control-Max-Age", str(cors.max_age)))
    return tuple(listed)
