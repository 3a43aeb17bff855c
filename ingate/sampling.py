"""Events that may come by the thousand, and of which a log wants a few: some in a time, the others counted.

Knows no logger.
"""

import time
from collections.abc import Callable


class Sampler:
    """Lets `lines` events through in each `seconds`, counted from the first. Not thread-safe."""

    __slots__ = ("_ends", "_held", "_left", "_lines", "_now", "_seconds")

    def __init__(self, lines: int, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._seconds = seconds
        self._now = now
        self._ends = float("-inf")
        self._left = 0
        self._held = 0

    def take(self) -> int | None:
        """Returns None for an event to be held back, else how many were since the last that was let through."""
        now = self._now()
        if now >= self._ends:
            self._ends, self._left = now + self._seconds, self._lines
        if not self._left:
            self._held += 1
            return None
        self._left -= 1
        held, self._held = self._held, 0
        return held
