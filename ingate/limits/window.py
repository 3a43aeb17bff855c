"""Requests a minute, counted exactly within one process.

Windows are one minute long and aligned to the minute. `FixedWindows.take` does not await, so on one event loop
no two takes interleave and a limit is never overrun. It does not know what a key is, nor what other processes count.
"""

from collections import OrderedDict

from msgspec import Struct

from ingate.clock import MINUTE


class Decision(Struct, frozen=True):
    """The answer to one take: whether it was granted and how the window stands after it."""

    allowed: bool
    limit: int
    """What the window holds in all."""
    remaining: int
    """What is left of it, never below zero."""
    reset_us: int
    """When the next window begins, in microseconds since the epoch."""


class FixedWindows:
    """The counters of the current minute, at most `capacity` of them.

    All windows end together, so the turn of the minute empties the map. A map that is full of live windows gives
    up its oldest, whose key then starts anew: `evicted` counts these, and a number other than zero asks for more
    capacity.
    """

    def __init__(self, *, capacity: int = 100_000) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._capacity = capacity
        self._minute = 0
        # An ordered dict, since giving up the first entry of a plain one takes longer the more were given up before.
        self._used: OrderedDict[str, int] = OrderedDict()
        self.evicted = 0

    @property
    def size(self) -> int:
        """Gauge: live windows. Not `len`, for an empty limiter must not be false."""
        return len(self._used)

    def take(self, key_id: str, limit: int, now_us: int, cost: int = 1) -> Decision:
        """Takes `cost` from the window of a key if it fits under `limit`, else takes nothing.

        `now_us` is in microseconds since the epoch. A clock that steps back by up to a minute stays in the window
        it had reached, so that stepping refills nothing.
        """
        minute = now_us // MINUTE
        if minute > self._minute or minute < self._minute - 1:
            self._minute = minute
            self._used = OrderedDict()
        reset_us = (self._minute + 1) * MINUTE
        used = self._used.get(key_id)
        if used is None:
            used = 0
            if len(self._used) >= self._capacity:
                self._used.popitem(last=False)
                self.evicted += 1
        allowed = used + cost <= limit
        if allowed:
            used += cost
        self._used[key_id] = used
        return Decision(allowed, limit, max(0, limit - used), reset_us)
