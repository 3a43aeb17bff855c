"""Requests a minute and an hour, counted exactly within one process.

Windows are one minute or one hour long and aligned to it. Nothing here awaits, so on one event loop no two takes
interleave and a limit is never overrun. Does not know what a key is, nor what other processes count.
"""

from collections import OrderedDict

from msgspec import Struct

from ingate.clock import HOUR, MINUTE


class Decision(Struct, frozen=True):
    """The answer to one take: whether it was granted and how the window stands after it."""

    allowed: bool
    limit: int
    """What the window holds in all."""
    remaining: int
    """What is left of it, never below zero."""
    reset_us: int
    """When the next window begins, in microseconds since the epoch."""
    span_us: int = MINUTE
    """How long the window is."""

    @property
    def word(self) -> str:
        """What people call a window of this length."""
        return "hour" if self.span_us == HOUR else "minute"


class FixedWindows:
    """The counters of the current window of `span_us`, at most `capacity` of them.

    All windows end together, and empty the map. A map that is full of live windows gives up its oldest, whose key then
    starts anew: `evicted` counts these, and a number other than zero asks for more capacity.
    """

    def __init__(self, *, capacity: int = 100_000, span_us: int = MINUTE) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._capacity = capacity
        self._span = span_us
        self._number = 0
        # An ordered dict, since giving up the first entry of a plain one takes longer the more were given up before.
        self._used: OrderedDict[str, int] = OrderedDict()
        self.evicted = 0

    @property
    def size(self) -> int:
        """Gauge: live windows. Not `len`, for an empty limiter must not be false."""
        return len(self._used)

    def take(self, key_id: str, limit: int, now_us: int) -> Decision:
        """Takes a request from the window of a key if it fits under `limit`, else takes nothing.

        `now_us` is in microseconds since the epoch. A clock that steps back by up to a window stays in the one
        it had reached, so that stepping refills nothing.
        """
        span = self._span
        number = now_us // span
        if number > self._number or number < self._number - 1:
            self._number = number
            self._used = OrderedDict()
        reset_us = (self._number + 1) * span
        used = self._used.get(key_id)
        if used is None:
            used = 0
            if len(self._used) >= self._capacity:
                self._used.popitem(last=False)
                self.evicted += 1
        allowed = used < limit
        if allowed:
            used += 1
        self._used[key_id] = used
        return Decision(allowed, limit, max(0, limit - used), reset_us, span)

    def give_back(self, key_id: str) -> None:
        """Undoes the take that was just granted to a key."""
        self._used[key_id] -= 1


class RateWindows:
    """The minute and the hour of each key, at most `capacity` of each."""

    def __init__(self, *, capacity: int = 100_000) -> None:
        self.minutes = FixedWindows(capacity=capacity)
        self.hours = FixedWindows(capacity=capacity, span_us=HOUR)

    def spend(self, key_id: str, per_minute: int, per_hour: int, now_us: int) -> Decision | None:
        """Takes a request from the minute and the hour of a key, 0 for no such limit, or from neither.

        Returns how the window stands that refuses, or that has less left; None where no limit applies.
        """
        if not per_hour:
            return self.minutes.take(key_id, per_minute, now_us) if per_minute else None
        hour = self.hours.take(key_id, per_hour, now_us)
        if not per_minute or not hour.allowed:
            return hour
        minute = self.minutes.take(key_id, per_minute, now_us)
        if not minute.allowed:
            self.hours.give_back(key_id)
            return minute
        return min(minute, hour, key=lambda decision: decision.remaining)
