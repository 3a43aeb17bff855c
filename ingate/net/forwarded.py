"""Whom a proxy speaks for: the caller's address behind the proxies that are trusted. Pure.

A trusted proxy appends the address it took the request from, to `X-Forwarded-For` or to `Forwarded` (RFC 7239). So a
list is read from its end, and the first address that is no trusted proxy's is the caller's: what stands before it, the
caller may have invented.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network

from ingate.errors import BadRequest
from ingate.net.addresses import Address, Network

FORWARDED = b"forwarded"
X_FORWARDED_FOR = b"x-forwarded-for"

_HOPS = 32
_NODE = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9a-fA-F:.]+)")
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"\\]*)"|([^\s";,]+))\s*(?=;|$)', re.IGNORECASE)


class TrustedProxies:
    """The proxies whose word for a caller's address is taken."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)

    def caller(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Returns the address that a request is from, given the connection's and the headers, names in lower case.

        That of the last proxy where the headers are malformed or contradict each other: a caller may have sent the one
        that the proxies do not write.
        """
        nearest = _address(peer)
        if nearest is None or not self._trusts(nearest):
            return peer
        told = {
            str(self._first(nearest, nodes(b",".join(values).decode("latin-1"))))
            for name, nodes in ((FORWARDED, _forwarded), (X_FORWARDED_FOR, _listed))
            if (values := [value for stated, value in headers if stated == name])
        }
        return told.pop() if len(told) == 1 else str(nearest)

    def _first(self, nearest: Address, nodes: list[str]) -> Address:
        """Returns the last address that no trusted proxy has, the earliest of all where each is one."""
        for node in nodes[: -_HOPS - 1 : -1]:
            address = _address(node)
            if address is None:
                break
            nearest = address
            if not self._trusts(address):
                break
        return nearest

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def trusted_proxies(listed: str) -> TrustedProxies | None:
    """Returns the proxies of the setting `trusted_proxies`: addresses and networks, separated by commas. None for none.

    Raises BadRequest naming the setting for what is neither.
    """
    networks = []
    for entry in (part.strip() for part in listed.split(",")):
        if entry:
            try:
                networks.append(_network(entry))
            except ValueError:
                raise BadRequest.field(
                    "trusted_proxies", f"must be addresses and networks such as 10.0.0.0/8, not {entry[:100]!r}"
                ) from None
    return TrustedProxies(networks) if networks else None


def _network(entry: str) -> Network:
    network = ip_network(entry, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    # Addresses are compared as what they stand for.
    return ip_network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


def _listed(value: str) -> list[str]:
    return value.split(",")


def _forwarded(value: str) -> list[str]:
    """Returns what each element of a `Forwarded` header says the request is for, empty where it says nothing."""
    return [_node_of(element) for element in value.split(",")]


def _node_of(element: str) -> str:
    found = _FOR.search(element)
    return "" if found is None else found[1] or found[2] or ""


def _address(text: str) -> Address | None:
    """Returns the address of a node, with or without a port; None of what is none, such as `unknown` or `_hidden`."""
    found = _NODE.fullmatch(text.strip())
    if found is None:
        return None
    try:
        address = ip_address(found[1] or found[2] or found[3])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
