"""Which hosts a gateway may connect to: what an address is, and a policy over that. Resolves nothing.

A name is judged twice: by itself when it is stored, and by the addresses it resolves to whenever it is connected to.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ingate.errors import BadRequest
from ingate.net.special_addresses import BLOCKS_4, BLOCKS_6, EMBEDDING, METADATA_NAMES, Kind

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_V4 = tuple(sorted(((IPv4Network(text), kind) for text, kind in BLOCKS_4), key=lambda block: -block[0].prefixlen))
_V6 = tuple(sorted(((IPv6Network(text), kind) for text, kind in BLOCKS_6), key=lambda block: -block[0].prefixlen))
_EMBEDDING = tuple((IPv6Network(text), shifts, turned) for text, shifts, turned in EMBEDDING)
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})  # RFC 5214: what leads an interface identifier
_WORD = 0xFFFF_FFFF
_NAME = re.compile(
    r"(?=.{1,253}\.?\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"
)
_NUMERIC = re.compile(r"(?:^|\.)([0-9]+|0x[0-9a-f]*)\.?\Z")


@dataclass(frozen=True, slots=True, eq=False)
class AddressPolicy:
    """Which hosts may be connected to: those up to a kind, and those that are listed.

    One is made for a process; one is told from another by identity, so that comparing origins costs nothing.
    """

    most: Kind
    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def allows_host(self, host: str) -> bool:
        """Tells whether a host, as `host` returns it, may be stored; a name may still resolve to what may not."""
        name = _bare(host)
        if name in self.hosts:
            return True
        address = _address(name)
        return kind_of_name(name) <= self.most if address is None else self._allows(address)

    def allows(self, host: str, resolved: str) -> bool:
        """Tells whether a host may be connected to at an address that it resolved to."""
        if _bare(host) in self.hosts:
            return True
        address = _address(resolved.partition("%")[0])
        return address is not None and self._allows(address)

    def _allows(self, address: Address) -> bool:
        return any(address in network for network in self.networks) or all(
            _kind(one) <= self.most or any(one in network for network in self.networks) for one in _reached(address)
        )


@lru_cache(maxsize=16)
def for_operators(policy: AddressPolicy) -> AddressPolicy:
    """Returns the policy of what the installation itself configures: private addresses may be called too."""
    return replace(policy, most=Kind.PRIVATE)


EVERYWHERE = AddressPolicy(Kind.NEVER)
"""Allows all; for asking what an address is rather than for calling it."""
EXCEPT_NEVER = AddressPolicy(Kind.PRIVATE)
"""Allows what an operator may have in mind: all but link-local, metadata and what is nobody's."""


def policy(allow_private: str, listed: str, *, embedded: bool) -> AddressPolicy:
    """Returns the policy of the settings `allow_private_upstreams` (auto, yes or no) and `ssrf_allowed_hosts`.

    Raises BadRequest naming the latter for what is neither a host nor a network.
    """
    modes = {"yes": Kind.PRIVATE, "no": Kind.PUBLIC}
    most = modes.get(allow_private, Kind.LOOPBACK if embedded else Kind.PUBLIC)
    return AddressPolicy(most, *hosts_and_networks(listed))


def hosts_and_networks(listed: str) -> tuple[frozenset[str], tuple[Network, ...]]:
    """Returns what the setting `ssrf_allowed_hosts` lists. Raises BadRequest as `policy` does."""
    hosts, networks = set(), []
    for entry in (part.strip().lower() for part in listed.split(",")):
        if not entry:
            continue
        try:
            networks.append(ip_network(entry.strip("[]"), strict=False))
        except ValueError:
            if _NUMERIC.search(entry) or not _NAME.fullmatch(entry):
                raise BadRequest.field(
                    "ssrf_allowed_hosts", f"must be host names, addresses and networks, not {entry[:100]!r}"
                ) from None
            hosts.add(_bare(entry))
    return frozenset(hosts), tuple(networks)


def host(text: str) -> str | None:
    """Returns a host name or address in lower case, None for what is none.

    None too for addresses in other than their usual form, such as 127.1, 0x7f000001 or 0177.0.0.1, which resolvers
    read in different ways, and for those with a zone.
    """
    if not text.isascii():
        return None
    text = text.lower()
    if ":" in text or _NUMERIC.search(text):
        address = _address(text)
        return None if address is None else str(address)
    return text if _NAME.fullmatch(text) else None


def kind_of_name(name: str) -> Kind:
    """Returns what a name by itself is: this machine's, a local network's, a metadata service's, or public."""
    labels = _bare(name).split(".")
    if any(".".join(labels[index:]) in METADATA_NAMES for index in range(len(labels))):
        return Kind.NEVER
    if labels[-1] in {"localhost", "localdomain"}:
        return Kind.LOOPBACK
    return Kind.PRIVATE if labels[-1] in {"local", "internal"} else Kind.PUBLIC


def kind_of_address(text: str) -> Kind:
    """Returns what an address is, the worst of those that it stands for; NEVER for what is no address."""
    address = _address(text)
    return Kind.NEVER if address is None else max(map(_kind, _reached(address)))


def _bare(host: str) -> str:
    return host.lower().rstrip(".")


def _address(text: str) -> Address | None:
    if "%" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def _kind(address: Address) -> Kind:
    if isinstance(address, IPv4Address):
        return next(kind for network, kind in _V4 if address in network)
    return next(kind for network, kind in _V6 if address in network)


def _reached(address: Address) -> Iterable[Address]:
    """Returns the addresses that are reached at an address: the IPv4 addresses in it, or else itself."""
    if isinstance(address, IPv4Address):
        return (address,)
    number = int(address)
    if number > 1:  # :: and ::1 are themselves
        for network, shifts, turned in _EMBEDDING:
            if address in network:
                words = [number >> shift & _WORD for shift in shifts]
                words[-1] ^= turned
                return map(IPv4Address, words)
    if number >> 32 & _WORD in _ISATAP:
        return address, IPv4Address(number & _WORD)
    return (address,)
