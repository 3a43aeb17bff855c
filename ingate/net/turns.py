"""Who can wait goes on a few at a time, so that many of them leave room for others. Knows nothing of what they do."""

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count


class Turns:
    """Calls `each` of those who wait every `seconds`, later where the loop is late. Belongs to the running loop."""

    __slots__ = ("_due", "_each", "_numbers", "_seconds", "_waiting")

    def __init__(self, each: int, seconds: float) -> None:
        self._each = each
        self._seconds = seconds
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._due = 0.0

    def wait(self, go_on: Callable[[], None], number: int | None = None) -> int:
        """Calls `go_on` when it is its turn: behind all who wait, or before those with a higher number.

        Returns its number, for who waits again and is to come before those who began later.
        """
        if not self._waiting:
            self._after(self._seconds)
        last = next(self._numbers)
        number = last if number is None else number
        heappush(self._waiting, (number, last, go_on))
        return number

    def _go_on(self) -> None:
        waiting = self._waiting
        late = time.perf_counter() - self._due
        for go_on in [heappop(waiting)[2] for _ in range(min(self._each, len(waiting)))]:
            go_on()
        if waiting:
            # A loop that is late has other work: it does that first, as long again.
            self._after(self._seconds + max(late, 0.0))

    def _after(self, seconds: float) -> None:
        self._due = time.perf_counter() + seconds
        asyncio.get_running_loop().call_later(seconds, self._go_on)
