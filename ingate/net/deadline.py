"""A deadline that costs an attribute to move. Knows nothing of what it guards."""

import asyncio
import math
from collections.abc import Callable

_SLACK = 0.001  # loops round to milliseconds; a timer may be that early


class Deadline:
    """Calls `expired` once the time set by `arm` has passed without `disarm` or another `arm`.

    One timer stands behind it, which looks at the deadline when it fires and is set again only then (or for an earlier
    deadline): a request that answers in time never touches the loop's timers.
    """

    __slots__ = ("_at", "_expired", "_loop", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], object]) -> None:
        self._loop = loop
        self._expired = expired
        self._at = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def arm(self, seconds: float) -> None:
        """Sets the deadline `seconds` from now."""
        self._at = at = self._loop.time() + seconds
        if at < self._timer_at:
            self._set_timer(at)

    def disarm(self) -> None:
        """There is no deadline."""
        self._at = math.inf

    def close(self) -> None:
        """Lets go of the timer and of what it guards. The deadline is not used again."""
        self._at = math.inf
        self._expired = _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_later(max(0.0, at - self._loop.time()), self._look)

    def _look(self) -> None:
        self._timer, self._timer_at = None, math.inf
        if self._at - self._loop.time() <= _SLACK:
            self._at = math.inf
            self._expired()
        elif self._at != math.inf:
            self._set_timer(self._at)


def _nothing() -> None:
    """What a closed deadline calls."""
