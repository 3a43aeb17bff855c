"""Which addresses a provider may have. Parses and judges URLs; resolves nothing.

A name is judged again when it is connected to, by `refuse_private`, since what it resolves to can change.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from ingate.errors import BadRequest
from ingate.proxy.ports import Origin

_PORTS = {"http": 80, "https": 443}
_EMBEDDING = (ipaddress.ip_network("::/96"), ipaddress.ip_network("64:ff9b::/96"))
"""IPv6 addresses whose last 32 bits are the IPv4 address that is reached: the old compatible form, and NAT64."""
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+(%[a-z0-9._-]+)?")


def parse(base_url: str, *, allow_private: bool) -> tuple[Origin, str]:
    """Returns origin and path prefix (no trailing slash) of a base URL, or raises BadRequest naming what is wrong."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise BadRequest.field("base_url", "is not a URL") from None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS:
        raise BadRequest.field("base_url", "must begin with http:// or https://")
    if not _HOST.fullmatch(host) or port == 0 or any(not 33 <= ord(character) <= 126 for character in base_url):
        raise BadRequest.field("base_url", "must name a host, in ASCII and without blanks")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in base_url or "#" in base_url:
        raise BadRequest.field("base_url", "must not carry credentials, a query or a fragment")
    if any(segment in {".", ".."} for segment in parts.path.split("/")):
        raise BadRequest.field("base_url", "must not contain . or .. segments")
    if not allow_private and is_private(host):
        raise BadRequest.field(
            "base_url", "must be a public address (INGATE_ALLOW_PRIVATE_UPSTREAMS=yes allows others)"
        )
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme]), parts.path.rstrip("/")


def is_private(host: str) -> bool:
    """Tells whether a host is an address that is not public, or a name that means this machine."""
    host = host.rstrip(".")
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # Shorthand such as 127.1 or 0x7f000001 is an address to some resolvers; no public name ends in a number.
        return host.rsplit(".", 1)[-1].lower().removeprefix("0x").isalnum() and host.rsplit(".", 1)[-1][:1].isdigit()
    reached = _embedded(address) if isinstance(address, ipaddress.IPv6Address) else address
    return not reached.is_global or reached.is_multicast or reached.is_reserved


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Returns the IPv4 address that an IPv6 address stands for, where it does, else the address itself."""
    if any(address in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
