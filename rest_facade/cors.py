"""Which pages of other origins may call the gateway and read its answers. Knows header names; no routes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address

from ingate.errors import BadRequest
from rest_facade.answer_headers import Pairs

ALL = "*"
_NULL = "null"
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(?:\[([0-9a-f:.]+)\]|([a-z0-9._~-]+))(?::(\d{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65535
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z, -]{1,4096}")
_EXPOSED = (
    "Retry-After, X-Ingate-Request-Id, X-Ingate-Served-By, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
_MAX_AGE = 7200


@dataclass(frozen=True, slots=True)
class Cors:
    """Which browsers may read answers.

    `origins` is empty for all. `request_headers` are those that a page may send, all that it asks for where empty.
    `max_age` is in seconds, none where None.
    """

    origins: frozenset[str] = frozenset()
    methods: str = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
    request_headers: str = "Content-Type, Authorization, X-Ingate-Key"
    exposed_headers: str = ""
    credentials: bool = False
    max_age: int | None = None


def from_setting(listed: str) -> Cors | None:
    """Returns the policy of the setting `cors_origins`: origins separated by commas, or `*`. None for none.

    Raises BadRequest naming the setting for what is no origin.
    """
    origins = set()
    for written in (part.strip() for part in listed.split(",")):
        if written:
            origin = _as_sent(written)
            if origin is None:
                raise BadRequest.field(
                    "cors_origins",
                    f"must be * or origins without a path such as https://app.example, not {written[:100]!r}",
                )
            origins.add(origin)
    if not origins:
        return None
    listed_here = frozenset() if ALL in origins else frozenset(origins)
    return Cors(listed_here, request_headers="", exposed_headers=_EXPOSED, max_age=_MAX_AGE)


def _as_sent(written: str) -> str | None:
    """Returns an origin as browsers send it: in lower case, without the port of its scheme. None for what is none."""
    if written in {ALL, _NULL}:
        return written
    found = _ORIGIN.fullmatch(written.lower())
    if found is None:
        return None
    scheme, address, name, port = found.groups()
    number = int(port or 0)
    try:
        host = f"[{IPv6Address(address).compressed}]" if address else name
    except ValueError:
        return None
    if number > _LAST_PORT:
        return None
    return f"{scheme}://{host}" + (f":{number}" if number and number != _DEFAULT_PORTS.get(scheme) else "")


def is_preflight(method: str, asked: Mapping[str, str]) -> bool:
    """Tells whether a browser asks, before it sends what a page wants to send, whether it may."""
    return method == "OPTIONS" and "Origin" in asked and "Access-Control-Request-Method" in asked


def cors_headers(cors: Cors, asked: Mapping[str, str], *, preflight: bool) -> Pairs:
    """Returns what an answer adds for a browser; for an origin that is not listed, only that the origin matters."""
    origin = asked.get("Origin", "")
    listed: list[tuple[str, str]] = [("Vary", "Origin")] if cors.origins else []
    if cors.origins and origin not in cors.origins:
        return tuple(listed)
    listed.append(("Access-Control-Allow-Origin", origin if cors.origins else ALL))
    if cors.credentials:
        listed.append(("Access-Control-Allow-Credentials", "true"))
    if cors.exposed_headers:
        listed.append(("Access-Control-Expose-Headers", cors.exposed_headers))
    if preflight or not cors.origins:
        listed.append(("Access-Control-Allow-Methods", cors.methods))
        names = cors.request_headers or asked.get("Access-Control-Request-Headers", "")
        if _NAMES.fullmatch(names):
            listed.append(("Access-Control-Allow-Headers", names))
    if preflight and cors.max_age is not None:
        listed.append(("Access-Control-Max-Age", str(cors.max_age)))
    return tuple(listed)
