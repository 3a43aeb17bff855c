"""What roles allow, and how a key's scopes are stored."""

from collections.abc import Iterable

from gen.ingate.access.v1.access_pb2 import (
    ROLE_ADMIN,
    ROLE_MEMBER,
    ROLE_OWNER,
    ROLE_VIEWER,
    SCOPE_ADMIN,
    SCOPE_INGEST,
    SCOPE_KEYS,
    SCOPE_PROXY,
    SCOPE_READ,
    SCOPE_WRITE,
)

_MEMBER = (SCOPE_PROXY, SCOPE_INGEST, SCOPE_READ, SCOPE_WRITE)
BY_ROLE: dict[int, frozenset[int]] = {
    ROLE_VIEWER: frozenset({SCOPE_READ}),
    ROLE_MEMBER: frozenset(_MEMBER),
    ROLE_ADMIN: frozenset({*_MEMBER, SCOPE_ADMIN, SCOPE_KEYS}),
    ROLE_OWNER: frozenset({*_MEMBER, SCOPE_ADMIN, SCOPE_KEYS}),
}
"""The scopes that each role allows a key."""


def held(scopes: Iterable[int]) -> frozenset[int]:
    """Returns scopes with those that one of them includes."""
    found = frozenset(scopes)
    return found | {SCOPE_KEYS} if SCOPE_ADMIN in found else found


def pack(scopes: Iterable[int]) -> str:
    """Returns the stored form: the numbers in order, comma-separated."""
    return ",".join(str(scope) for scope in sorted(set(scopes)))


def unpack(stored: str) -> frozenset[int]:
    """Returns the scopes of the stored form."""
    return frozenset(int(part) for part in stored.split(",") if part)
