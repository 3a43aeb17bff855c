"""Who may have a password hashed next: one at a time, in an order that a crowd cannot bend.

Networks take turns, and so do the addresses within each, so an address that sends many delays only itself. People at an
address that is known to be theirs come first; places where something failed lately come last, though not never. What
waits is bounded for each address and in all; when all places are taken, a network that has few gets one of those of
the network that has most. A caller who leaves gives up the place at once.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum

from ingate.errors import RateLimited, Unavailable

EACH = 32
TOTAL = 64
PATIENCE = 4
"""Of so many turns in a row, one goes to the suspect when there are any."""
RETRY_SECONDS = 1.0

Waiter = asyncio.Future[None]


class Rank(IntEnum):
    """In which of the queues a caller waits; the lower comes first."""

    KNOWN = 0
    STRANGER = 1
    SUSPECT = 2


@dataclass(slots=True)
class _Ring:
    """Waiters of one rank: network → address → in order. The first of each mapping is next."""

    networks: dict[str, dict[str, deque[Waiter]]] = field(default_factory=dict)

    def add(self, network: str, address: str, waiter: Waiter) -> None:
        self.networks.setdefault(network, {}).setdefault(address, deque()).append(waiter)

    def remove(self, network: str, address: str, waiter: Waiter) -> None:
        lanes = self.networks[network]
        lanes[address].remove(waiter)
        if not lanes[address]:
            del lanes[address]
        if not lanes:
            del self.networks[network]

    def pop(self) -> Waiter:
        """Takes the next waiter, and puts their address and network behind the others."""
        network, lanes = next(iter(self.networks.items()))
        address, lane = next(iter(lanes.items()))
        waiter = lane.popleft()
        del lanes[address], self.networks[network]
        if lane:
            lanes[address] = lane
        if lanes:
            self.networks[network] = lanes
        return waiter

    def count(self, network: str) -> int:
        return sum(len(lane) for lane in self.networks.get(network, {}).values())

    def longest(self) -> tuple[str, int]:
        """Returns the network with most waiters and how many these are; ("", 0) where nobody waits."""
        return max(((network, self.count(network)) for network in self.networks), key=lambda of: of[1], default=("", 0))


class Turns:
    """Turns, one at a time. Runs on one event loop."""

    def __init__(self, *, each: int = EACH, total: int = TOTAL) -> None:
        self._each = each
        self._total = total
        self._rings = {rank: _Ring() for rank in Rank}
        self._taken = False
        self._passed_over = 0
        self.waiting = 0

    @asynccontextmanager
    async def turn(self, rank: Rank, network: str, address: str) -> AsyncIterator[None]:
        """Holds a turn for the block.

        Raises RateLimited when too many wait at the address, Unavailable when too many wait in all.
        """
        if self._taken:
            await self._wait(rank, network, address)
        self._taken = True
        try:
            yield
        finally:
            self._next()

    async def _wait(self, rank: Rank, network: str, address: str) -> None:
        ring = self._rings[rank]
        if sum(len(ring.networks.get(network, {}).get(address, ())) for ring in self._rings.values()) >= self._each:
            raise RateLimited("too many attempts at once", retry_after=RETRY_SECONDS)
        if self.waiting >= self._total:
            self._make_room(rank, ring.count(network))
        waiter: Waiter = asyncio.get_running_loop().create_future()
        ring.add(network, address, waiter)
        self.waiting += 1
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                if waiter.exception() is None:
                    self._next()
            else:
                ring.remove(network, address, waiter)
                self.waiting -= 1
            raise

    def _make_room(self, rank: Rank, own: int) -> None:
        """Sends away the last of the network that waits most, of the worst rank there is. Raises Unavailable."""
        for worse in sorted(Rank, reverse=True):
            ring = self._rings[worse]
            network, count = ring.longest()
            if count and (worse > rank or (worse == rank and count > own + 1)):
                lanes = ring.networks[network]
                address = max(reversed(lanes), key=lambda name: len(lanes[name]))
                sent_away = lanes[address][-1]
                ring.remove(network, address, sent_away)
                self.waiting -= 1
                sent_away.set_exception(_crowded())
                return
        raise _crowded()

    def _next(self) -> None:
        """Passes the turn on."""
        ring = self._choose()
        if ring is None:
            self._taken = False
            return
        self.waiting -= 1
        ring.pop().set_result(None)

    def _choose(self) -> _Ring | None:
        known, strangers, suspects = (self._rings[rank] for rank in Rank)
        if known.networks:
            return known
        if strangers.networks and (self._passed_over < PATIENCE - 1 or not suspects.networks):
            self._passed_over += bool(suspects.networks)
            return strangers
        self._passed_over = 0
        return suspects if suspects.networks else None


def _crowded() -> Unavailable:
    return Unavailable("too many people sign in at the moment", retry_after=RETRY_SECONDS)
