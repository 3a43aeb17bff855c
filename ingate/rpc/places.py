"""How many calls are open that nobody answers for, and their end. Knows owners; not what calls do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingate.errors import RateLimited, Unavailable

RETRY_SECONDS = 1.0


class Place:
    """What one open call takes up until it ends or `leave` is called."""

    __slots__ = ("_limit", "_owner", "_places")

    def __init__(self, places: "Places", owner: str, limit: asyncio.Timeout) -> None:
        self._places = places
        self._owner = owner
        self._limit = limit

    def leave(self) -> None:
        """Gives the place back: somebody answers for the call now. May be called again."""
        self._places.forget(self, self._owner)

    def cut(self) -> None:
        """Ends the call soon."""
        if not self._limit.expired():
            self._limit.reschedule(0)


class Places:
    """Room for `most` calls, `share` of them of one owner. Belongs to one event loop."""

    def __init__(self, most: int, share: int) -> None:
        self._most = most
        self._share = share
        self._open: dict[Place, None] = {}
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    @asynccontextmanager
    async def place(self, owner: str) -> AsyncIterator[Place]:
        """Yields a place for one call. Raises RateLimited when there is none, Unavailable when the call is cut."""
        if len(self._open) >= self._most or self._held[owner] >= self._share:
            raise RateLimited("too many calls without a credential are open", retry_after=RETRY_SECONDS)
        try:
            async with asyncio.timeout(None) as limit:
                taken = Place(self, owner, limit)
                self._open[taken] = None
                self._held[owner] += 1
                try:
                    yield taken
                finally:
                    taken.leave()
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unavailable("the server is stopping") from None

    def cut(self) -> None:
        """Ends all calls that hold a place."""
        for taken in list(self._open):
            taken.cut()

    def forget(self, taken: Place, owner: str) -> None:
        """Takes a place back, the first time."""
        if taken not in self._open:
            return
        del self._open[taken]
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
