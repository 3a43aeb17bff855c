"""Failed attempts to prove who one is: counted by where they come from and whom they are for.

Only failures count. Ten for one account from one place, ten for accounts that do not exist, or a hundred from the
place, shut it for a quarter of an hour, and for longer each time it happens again. An account has no counter of its
own, which strangers could use up for its owner. Attempts with a session or an invitation are counted by that alone,
whatever others at the same place do.
"""

import ipaddress
import time
from dataclasses import dataclass

from ingate.clock import HOUR
from ingate.errors import RateLimited
from ingate.limits.attempts import Attempts, Terms

PLACE = Terms(limit=100)
ACCOUNT = Terms(limit=10)
GUESSES = Terms(limit=10)
"""For accounts that do not exist, all together: many of them are a sign of guessing."""
HOLDER = Terms(limit=10)
SIGNUPS = Terms(limit=10)
KNOWN = Terms(limit=1000, window_us=24 * HOUR, longest_us=24 * HOUR)
"""For an account at an address that its person is known at: a right password is taken until so many were wrong."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call comes from: its address (an IPv6 /64, which one person holds whole) and the network around it."""

    address: str
    network: str

    @property
    def subjects(self) -> tuple[str, str, str]:
        """As `Attempts` takes them."""
        return self.address, self.network, ""


def place_of(address: str) -> Place:
    """Returns the place of an address in text form; what is no address is a place by itself."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return Place(address, "")
    known = getattr(known, "ipv4_mapped", None) or known
    if known.version == 4:
        return Place(str(known), _around(known.packed, 24))
    return Place(_around(known.packed, 64), _around(known.packed, 48))


def _around(packed: bytes, prefix: int) -> str:
    return str(ipaddress.ip_network((packed, prefix), strict=False))


def _now() -> int:
    return time.monotonic_ns() // 1000


class Throttle:
    """Says who must wait. Asking counts nothing and remembers nothing."""

    def __init__(self, *, capacity: int = 10_000) -> None:
        self._places = Attempts(PLACE, ACCOUNT, capacity=capacity)
        self._guesses = Attempts(GUESSES, capacity=capacity)
        self._known = Attempts(KNOWN, capacity=capacity)
        self._holders = Attempts(HOLDER, capacity=capacity)
        self._signups = Attempts(SIGNUPS, capacity=capacity)

    def wait(self, place: Place, account: str = "") -> float:
        """Returns the seconds until somebody at this place may try, for an account where one is named."""
        now = _now()
        return max(self._places.wait(place.subjects, now, account), self._guesses.wait(place.subjects, now))

    def check(self, place: Place, account: str = "") -> None:
        """Raises RateLimited where somebody at this place must wait."""
        _refuse(self.wait(place, account))

    def failed(self, place: Place, account: str = "") -> None:
        """Counts a failure."""
        self._places.failed(place.subjects, _now(), account)

    def guessed(self, place: Place) -> None:
        """Counts a failure for an account that does not exist."""
        self._guesses.failed(place.subjects, _now())

    def suspect(self, place: Place) -> bool:
        """Tells whether somebody at this place failed lately."""
        return self._places.busy(place.subjects, _now())

    def check_known(self, place: Place, account: str) -> None:
        """Raises RateLimited where even the account's person must wait at a place they are known at."""
        _refuse(self._known.wait((f"{account} {place.address}", ""), _now()))

    def known_failed(self, place: Place, account: str) -> None:
        """Counts a wrong password for an account from a place that its person is known at."""
        self._known.failed((f"{account} {place.address}", ""), _now())

    def check_holder(self, held: str) -> None:
        """Raises RateLimited when attempts with a session or an invitation, by its id, failed too often."""
        _refuse(self._holders.wait((held, ""), _now()))

    def holder_failed(self, held: str) -> None:
        """Counts a failed attempt with it."""
        self._holders.failed((held, ""), _now())

    def check_signups(self, place: Place) -> None:
        """Raises RateLimited where too many have signed up."""
        _refuse(self._signups.wait(place.subjects, _now()))

    def signed_up(self, place: Place) -> None:
        """Counts a sign-up, whatever becomes of it."""
        self._signups.failed(place.subjects, _now())


def _refuse(wait: float) -> None:
    if wait:
        raise RateLimited("too many attempts", retry_after=wait)
