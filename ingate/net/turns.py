"""Who can wait goes on a few at a time, so that many of them leave room for others. Knows nothing of what they do."""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Calls `each` of those who wait, in their order, every `seconds`. Belongs to the running loop."""

    __slots__ = ("_each", "_seconds", "_waiting")

    def __init__(self, each: int, seconds: float) -> None:
        self._each = each
        self._seconds = seconds
        self._waiting: deque[Callable[[], None]] = deque()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Calls `go_on` when it is its turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(self._seconds, self._go_on)
        self._waiting.append(go_on)

    def _go_on(self) -> None:
        waiting = self._waiting
        for _ in range(min(self._each, len(waiting))):
            waiting.popleft()()
        if waiting:
            asyncio.get_running_loop().call_later(self._seconds, self._go_on)
