"""Blocks of addresses that are not plainly public, and what each is. Data alone.

Sources: IANA's lists of special-purpose IPv4 and IPv6 addresses (RFC 6890), its lists of the IPv6 address space and of
multicast addresses, and the clouds' documentation for their metadata services. A table of our own, because that of
Python's `ipaddress` changes with its version and knows no cloud.

The most specific block that holds an address counts. An IPv6 address outside 2000::/3 that is in no block is not
allocated and counts as NEVER.
"""

from enum import IntEnum


class Kind(IntEnum):
    """What an address is, from harmless to never called. A policy allows all kinds up to one of them."""

    PUBLIC = 0
    LOOPBACK = 1
    PRIVATE = 2
    NEVER = 3


_PUBLIC, _LOOPBACK, _PRIVATE, _NEVER = Kind

BLOCKS_4: tuple[tuple[str, Kind], ...] = (
    ("0.0.0.0/0", _PUBLIC),
    ("0.0.0.0/8", _NEVER),  # this network, RFC 791; 0.0.0.0 reaches this machine
    ("10.0.0.0/8", _PRIVATE),  # RFC 1918
    ("100.64.0.0/10", _PRIVATE),  # shared address space, RFC 6598
    ("100.100.100.200/32", _NEVER),  # metadata: Alibaba Cloud
    ("127.0.0.0/8", _LOOPBACK),  # RFC 1122
    ("168.63.129.16/32", _NEVER),  # metadata: the platform of Azure, in a public block
    ("169.254.0.0/16", _NEVER),  # link-local, RFC 3927; metadata of nearly every cloud
    ("172.16.0.0/12", _PRIVATE),  # RFC 1918
    ("192.0.0.0/24", _NEVER),  # protocol assignments, RFC 6890; metadata of Oracle Cloud at .192
    ("192.0.2.0/24", _NEVER),  # documentation, RFC 5737
    ("192.31.196.0/24", _NEVER),  # AS112, RFC 7535: answered by whoever is near
    ("192.52.193.0/24", _NEVER),  # AMT, RFC 7450
    ("192.88.99.0/24", _NEVER),  # 6to4 relays, RFC 7526
    ("192.168.0.0/16", _PRIVATE),  # RFC 1918
    ("192.175.48.0/24", _NEVER),  # AS112, RFC 7534
    ("198.18.0.0/15", _NEVER),  # benchmarking, RFC 2544
    ("198.51.100.0/24", _NEVER),  # documentation, RFC 5737
    ("203.0.113.0/24", _NEVER),  # documentation, RFC 5737
    ("224.0.0.0/4", _NEVER),  # multicast, RFC 5771
    ("240.0.0.0/4", _NEVER),  # reserved, RFC 1112; 255.255.255.255 is limited broadcast
)

BLOCKS_6: tuple[tuple[str, Kind], ...] = (
    ("::/0", _NEVER),  # not allocated, but for what follows
    ("::1/128", _LOOPBACK),  # RFC 4291
    ("64:ff9b:1::/48", _NEVER),  # local translation, RFC 8215: what it reaches cannot be told
    ("100::/64", _NEVER),  # discard, RFC 6666
    ("100:0:0:1::/64", _NEVER),  # dummy prefix, RFC 9780
    ("2000::/3", _PUBLIC),  # global unicast, RFC 4291
    ("2001::/23", _NEVER),  # protocol assignments, RFC 2928: benchmarking, AMT, AS112, ORCHID, DRIP and others
    ("2001:db8::/32", _NEVER),  # documentation, RFC 3849
    ("2620:4f:8000::/48", _NEVER),  # AS112, RFC 7534
    ("3fff::/20", _NEVER),  # documentation, RFC 9637
    ("5f00::/16", _NEVER),  # segment routing, RFC 9602
    ("fc00::/7", _PRIVATE),  # unique local, RFC 4193
    ("fd00:42::42/128", _NEVER),  # metadata: Scaleway
    ("fd00:c1::a9fe:a9fe/128", _NEVER),  # metadata: Oracle Cloud
    ("fd00:ec2::/32", _NEVER),  # metadata, DNS, time and pod identity of AWS: ::254, ::253, ::123, ::23
    ("fd20:ce::254/128", _NEVER),  # metadata: Google Cloud
    ("fe80::/10", _NEVER),  # link-local, RFC 4291
    ("fec0::/10", _NEVER),  # site-local, RFC 3879
    ("ff00::/8", _NEVER),  # multicast, RFC 4291
)

EMBEDDING: tuple[tuple[str, tuple[int, ...], int], ...] = (
    ("::/96", (0,), 0),  # IPv4-compatible, RFC 4291
    ("::ffff:0:0/96", (0,), 0),  # IPv4-mapped, RFC 4291
    ("::ffff:0:0:0/96", (0,), 0),  # IPv4-translated, RFC 2765
    ("64:ff9b::/96", (0,), 0),  # NAT64, RFC 6052
    ("2001::/32", (64, 0), 0xFFFF_FFFF),  # Teredo, RFC 4380: server, and client with its bits turned
    ("2002::/16", (80,), 0),  # 6to4, RFC 3056
)
"""Blocks whose addresses stand for IPv4 addresses: the bits to the right of each, and what the last is XORed with."""

METADATA_NAMES = frozenset(
    {
        "api.metadata.cloud.ibm.com",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
    }
)
"""Names of metadata services. They count as NEVER whatever they resolve to, and so do names below them."""
