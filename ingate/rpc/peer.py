"""Where a call comes from, as gRPC tells it."""

from urllib.parse import unquote


def peer_address(peer: str) -> str:
    """Returns the address of gRPC's peer (`ipv4:1.2.3.4:5`, `ipv6:%5B::1%5D:5`), or "" for one that has none."""
    family, _, rest = peer.partition(":")
    if family == "ipv4":
        return rest.rpartition(":")[0]
    if family == "ipv6":
        return unquote(rest).rpartition(":")[0].strip("[]")
    return ""
