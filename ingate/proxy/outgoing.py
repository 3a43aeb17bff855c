"""What a provider's settings add to every request: judged when they are stored, and again when they are used. Pure.

Each function raises BadRequest naming the field for what could not be sent, or would say something about the connection
rather than to the provider.
"""

import re
from collections.abc import Iterator, Mapping

from gen.ingate.providers.v1.route_pb2 import Route
from ingate.errors import BadRequest
from ingate.proxy.headers import HOP_BY_HOP, is_ordinary, may_be_secret
from ingate.proxy.masking import credentials

PLACE = "{key}"
MAX_NAME = 128
MAX_VALUE = 8192
MAX_HEADERS = 16 * 1024
"""Bytes of all added headers together: servers refuse heads of twice that."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE = re.compile(r"(?! )[\x20-\x7e]*(?<! )")
_OPAQUE = re.compile(r"(?=\S*[0-9])(?=\S*[A-Za-z])\S{16,}")
_REFUSED = HOP_BY_HOP | {b"content-length", b"expect", b"host", b"max-forwards"}


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """Returns added headers, their names in lower case."""
    added: dict[str, str] = {}
    for name, value in given.items():
        lower = _name("headers", name)
        if lower in added:
            raise BadRequest.field("headers", f"must not state {lower} twice")
        added[lower] = _value("headers", value)
    if sum(len(name) + len(value) + 4 for name, value in added.items()) > MAX_HEADERS:
        raise BadRequest.field("headers", f"must have at most {MAX_HEADERS} bytes together")
    return added


def key(given: str) -> str:
    """Returns an API key."""
    return _value("api_key", given)


def check_place(header: str, format: str) -> None:
    """Judges where a key goes. No header at all is a place too: then none is sent."""
    if header:
        _name("auth_header", header)
    if header or format:
        _value("auth_format", format)
        if format.count(PLACE) != 1:
            raise BadRequest.field("auth_format", f"must contain {PLACE} once")


def credential(header: str, format: str, api_key: str) -> tuple[str, str]:
    """Returns the header that carries a key: its name in lower case, and its value."""
    check_place(header, format)
    return header.lower(), format.replace(PLACE, key(api_key))


def secrets(route: Route) -> Iterator[str]:
    """Yields what is secret in what a provider gets: its key, and added headers whose name or looks say so.

    Headers that callers send too, such as `anthropic-version`, are not secret by their looks alone.
    """
    if route.api_key:
        yield from credentials(route.api_key)
        yield from credentials(route.auth_format.replace(PLACE, route.api_key))
    for name, value in route.headers.items():
        if may_be_secret(name.lower().encode(), value.encode()):
            yield from credentials(value)
        elif _OPAQUE.fullmatch(value) and not is_ordinary(name.lower().encode()):
            yield value


def _name(field: str, name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise BadRequest.field(field, f"must be an HTTP header name of at most {MAX_NAME} characters")
    lower = name.lower()
    if lower.encode() in _REFUSED or lower.startswith("x-ingate-"):
        raise BadRequest.field(field, f"must not be {lower}, which is not the provider's to read")
    return lower


def _value(field: str, value: str) -> str:
    if len(value) > MAX_VALUE or not _VALUE.fullmatch(value):
        raise BadRequest.field(
            field, f"must be printable ASCII without blanks around it, at most {MAX_VALUE} characters"
        )
    return value
