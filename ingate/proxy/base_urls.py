"""Where a provider answers: takes a base URL apart and judges it. Resolves nothing.

A name is judged again whenever it is connected to, since what it resolves to can change: see `Origin.policy`.
"""

import re
from urllib.parse import unquote, urlsplit

from ingate.errors import BadRequest
from ingate.net import addresses
from ingate.net.addresses import AddressPolicy
from ingate.proxy.ports import Origin

_PORTS = {"http": 80, "https": 443}
_PATH = re.compile(r"(?:[!-$&-\[\]-~]|%[0-9A-Fa-f]{2})*")
"""Printable, without backslash, each % the beginning of an escape."""


def checked(base_url: str) -> None:
    """Checks the base URL of a setting. Raises BadRequest."""
    try:
        parse(base_url, addresses.EXCEPT_NEVER)
    except BadRequest as error:
        raise BadRequest(error.fields["base_url"]) from None


def parse(base_url: str, policy: AddressPolicy) -> tuple[Origin, str]:
    """Returns origin and path prefix (no trailing slash) of a base URL, or raises BadRequest naming what is wrong."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise BadRequest.field("base_url", "is not a URL") from None
    if parts.scheme not in _PORTS:
        raise BadRequest.field("base_url", "must begin with http:// or https://")
    if port == 0 or any(not 33 <= ord(character) <= 126 for character in base_url):
        raise BadRequest.field("base_url", "must name a host, in ASCII and without blanks")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in base_url or "#" in base_url:
        raise BadRequest.field("base_url", "must not carry credentials, a query or a fragment")
    host = addresses.host(parts.hostname or "")
    if host is None or parts.netloc.startswith("[") != (":" in host):
        raise BadRequest.field("base_url", "must name a host: a name, or an address in its usual form and without zone")
    if not _PATH.fullmatch(parts.path) or not {".", ".."}.isdisjoint(unquote(parts.path).split("/")):
        raise BadRequest.field("base_url", "must not contain . or .. segments, backslashes or broken escapes")
    if not policy.allows_host(host):
        raise BadRequest.field(
            "base_url",
            "is an address that this gateway does not call"
            " (INGATE_ALLOW_PRIVATE_UPSTREAMS and INGATE_SSRF_ALLOWED_HOSTS say which it does)",
        )
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme], policy), parts.path.rstrip("/")
