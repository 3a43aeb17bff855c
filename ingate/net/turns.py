"""Who can wait goes on a few at a time, so that many of them leave room for others. Knows nothing of what they do."""

import asyncio
import time
from collections import deque
from collections.abc import Callable


class Turns:
    """Calls `each` of those who wait, in their order, every `seconds`, later where the loop is late.

    Belongs to the running loop.
    """

    __slots__ = ("_due", "_each", "_seconds", "_waiting")

    def __init__(self, each: int, seconds: float) -> None:
        self._each = each
        self._seconds = seconds
        self._waiting: deque[Callable[[], None]] = deque()
        self._due = 0.0

    def wait(self, go_on: Callable[[], None]) -> None:
        """Calls `go_on` when it is its turn."""
        if not self._waiting:
            self._after(self._seconds)
        self._waiting.append(go_on)

    def _go_on(self) -> None:
        waiting = self._waiting
        late = time.perf_counter() - self._due
        for _ in range(min(self._each, len(waiting))):
            waiting.popleft()()
        if waiting:
            # A loop that is late has other work: it does that first, as long again.
            self._after(self._seconds + max(late, 0.0))

    def _after(self, seconds: float) -> None:
        self._due = time.perf_counter() + seconds
        asyncio.get_running_loop().call_later(seconds, self._go_on)
