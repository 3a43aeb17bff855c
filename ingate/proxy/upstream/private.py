"""Which hosts are not on the public internet. Resolves nothing."""

import ipaddress

_EMBEDDING = (ipaddress.ip_network("::/96"), ipaddress.ip_network("64:ff9b::/96"))
"""IPv6 addresses whose last 32 bits are the IPv4 address that is reached: the old compatible form, and NAT64."""


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
