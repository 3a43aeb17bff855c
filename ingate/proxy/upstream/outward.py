"""Which proxy leads outward: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl reads them. Pure; opens nothing.

Lower-case names win over upper-case ones. This machine is reached directly, as browsers, Go and Java do it, unless
NO_PROXY has the entry `<-loopback>`.
"""

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlsplit

from ingate.proxy.ports import ConnectFailed, Origin

_DEFAULT_PORT = 80
_LOOPBACK_TOO = "<-loopback>"


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy: where it listens, and its `proxy-authorization` value (a secret) if it wants one."""

    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)


def proxy_for(origin: Origin, environ: Mapping[str, str]) -> Proxy | None:
    """Returns the proxy for an origin, or None for the direct way. ConnectFailed if what is set cannot be used."""
    name = f"{origin.scheme}_proxy"
    for candidate in (name, name.upper(), "all_proxy", "ALL_PROXY"):
        if candidate in environ:
            value = environ[candidate].strip()
            if not value or bypassed(origin, environ.get("no_proxy", environ.get("NO_PROXY", ""))):
                return None
            return _parse(candidate, value)
    return None


def _parse(variable: str, value: str) -> Proxy:
    try:
        url = urlsplit(value if "://" in value else f"http://{value}")
        host, port = url.hostname, url.port or _DEFAULT_PORT
    except ValueError:
        host = None
    if not host:
        raise ConnectFailed(f"{variable} is not a proxy URL")  # its text may hold a password
    if url.scheme != "http":
        raise ConnectFailed(f"{variable} names a proxy that is not http")
    authorization = None
    if url.username is not None:
        userinfo = unquote_to_bytes(url.username) + b":" + unquote_to_bytes(url.password or "")
        authorization = b"Basic " + base64.b64encode(userinfo)
    return Proxy(host, port, authorization)


def bypassed(origin: Origin, no_proxy: str) -> bool:
    """Tells whether an origin is reached directly: on this machine, or covered by NO_PROXY.

    An entry of it is `*`, a host, a domain suffix, an address or a network, with or without port.
    """
    host = origin.host.lower().rstrip(".")
    entries = [entry for entry in re.split(r"[\s,]+", no_proxy.lower()) if entry]
    if _LOOPBACK_TOO not in entries and _is_loopback(host):
        return True
    return any(_covers(entry, host, origin.port) for entry in entries)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, entry_port = _split_port(entry)
    if entry_port is not None and entry_port != port:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, int | None]:
    """Splits `host:port` and `[v6]:port`; a bare IPv6 address has no port."""
    match = re.fullmatch(r"(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:]*))(?::(?P<port>\d+))?", entry)
    if match is None:
        return entry, None
    port = match["port"]
    return match["v6"] or match["name"] or "", int(port) if port else None
