"""Reads the credentials in the headers of a request, alike for every dialect. Knows header names; no dialect."""

import re
from typing import NamedTuple

from ingate.errors import Unauthenticated
from ingate.ids import KEY_PREFIXES
from ingate.vendor_keys import HEADERS, bare
from rest_facade.asked import Headers

_CREDENTIAL = re.compile(r"[\x21-\x7e]{1,4096}")


class Shown(NamedTuple):
    """The credentials in the headers of a request.

    `stated` are the values of the header for keys of the gateway. In the headers in which vendors' clients send their
    key, `keys` are keys of the gateway, `others` are all other values, and `bearers` those of `others` that are bearer
    tokens of `Authorization`.
    """

    stated: frozenset[str]
    keys: frozenset[str]
    others: tuple[str, ...]
    bearers: frozenset[str]


def shown(headers: Headers, key_header: str) -> Shown:
    """Returns the credentials in headers. `key_header` is the header for keys of the gateway."""
    keys: set[str] = set()
    bearers: set[str] = set()
    others: list[str] = []
    for name in HEADERS:
        for value in headers.getall(name, ()):
            token = bare(value)
            if is_key(token):
                keys.add(token)
                continue
            others.append(token)
            if token and token != value and name == "authorization":
                bearers.add(token)
    stated = frozenset(value for value in headers.getall(key_header, ()) if value)
    return Shown(stated, frozenset(keys), tuple(others), frozenset(bearers))


def is_key(value: str) -> bool:
    """Tells whether a value begins as a key of the gateway does."""
    return value.startswith(KEY_PREFIXES)


def checked(value: str) -> str:
    """Returns a credential that call metadata can carry. Raises Unauthenticated for what cannot be one."""
    # gRPC metadata is printable ASCII, and no credential of ours is anything else.
    if not _CREDENTIAL.fullmatch(value):
        raise Unauthenticated("the credential is not valid")
    return value
