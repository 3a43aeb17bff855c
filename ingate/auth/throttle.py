"""Sign-in attempts: counted by where they come from and whom they are for."""

import ipaddress

from ingate import clock
from ingate.errors import RateLimited
from ingate.limits.attempts import Attempts


class Throttle:
    """Refuses what comes too often."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    def check(self, address: str, account: str = "") -> None:
        """Counts an attempt from an address, and for an account where one is named. Raises RateLimited."""
        keys = [_neighbourhood(address), f"account:{account}"][: 2 if account else 1]
        now = clock.now()
        waits = [wait for key in keys if (wait := self._attempts.take(key, now))]
        if waits:
            raise RateLimited("too many attempts to sign in", retry_after=max(waits))


def _neighbourhood(address: str) -> str:
    """Returns the key by which attempts from an address are counted: one person holds a whole IPv6 /64."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address}"
    if known.version == 6 and known.ipv4_mapped is None:
        return f"address:{ipaddress.ip_network((known.packed, 64), strict=False)}"
    return f"address:{getattr(known, 'ipv4_mapped', None) or known}"
