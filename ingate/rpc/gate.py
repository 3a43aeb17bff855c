"""How many requests are received at a time, so that what callers have sent without being judged is bounded.

gRPC keeps a message whole, and does not say how much of it has arrived: until it ends it may be as large as the
server allows. Knows owners and time; not what is received.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ingate.errors import DomainError, RateLimited

RETRY_SECONDS = 1.0

_T = TypeVar("_T")


class Late(DomainError):
    """The request did not arrive in time."""

    reason = "REQUEST_TIMEOUT"


class _Read:
    """One request that is being received."""

    __slots__ = ("cut", "limit", "owner", "since")

    def __init__(self, owner: str, since: float, limit: asyncio.Timeout) -> None:
        self.owner = owner
        self.since = since
        self.limit = limit
        self.cut = False


class Gate:
    """Lets `most` requests be received at a time; the next wait in order, `waiting` in all and `share` of one owner.

    While somebody waits, receptions that have lasted `patience` seconds are cut: first of the owner that has most,
    there the longest. So slow senders cannot keep others out. Belongs to one event loop.
    """

    def __init__(self, most: int, *, patience: float, waiting: int, share: int) -> None:
        self._most = most
        self._patience = patience
        self._waiting = waiting
        self._share = share
        self._busy = 0
        self._reads: dict[_Read, None] = {}
        self._queue: dict[asyncio.Future[None], None] = {}
        self._queued: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody is received and nobody waits."""
        return not (self._busy or self._reads or self._queue or self._queued)

    async def read(self, owner: str, receive: Callable[[], Awaitable[_T]], seconds: float) -> _T:
        """Returns what `receive` returns, in its turn and within `seconds`.

        Raises RateLimited when too many wait or this one had to make room, Late when the time is over.
        """
        reading: _Read | None = None
        try:
            async with asyncio.timeout(seconds) as limit:
                await self._enter(owner)
                reading = _Read(owner, asyncio.get_running_loop().time(), limit)
                self._reads[reading] = None
                try:
                    return await receive()
                finally:
                    self._reads.pop(reading, None)
                    self._pass_on()
        except TimeoutError:
            if not limit.expired():
                raise
        if reading is None or reading.cut:
            raise _busy()
        raise Late("the request did not arrive in time")

    async def _enter(self, owner: str) -> None:
        if self._busy < self._most:
            self._busy += 1
            return
        if len(self._queue) >= self._waiting or self._queued[owner] >= self._share:
            raise _busy()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue[turn] = None
        self._queued[owner] += 1
        self._watch()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # Its turn had come.
                self._pass_on()
            raise
        finally:
            self._queue.pop(turn, None)
            self._queued[owner] -= 1
            if not self._queued[owner]:
                del self._queued[owner]

    def _pass_on(self) -> None:
        """Gives a turn that is over to the next, if anybody waits."""
        while self._queue:
            turn = next(iter(self._queue))
            del self._queue[turn]
            if not turn.done():
                turn.set_result(None)
                return
        self._busy -= 1

    def _watch(self) -> None:
        if self._queue and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._make_room)

    def _make_room(self) -> None:
        self._timer = None
        latest = asyncio.get_running_loop().time() - self._patience
        slow = [reading for reading in self._reads if reading.since <= latest and not reading.limit.expired()]
        held = Counter(reading.owner for reading in self._reads)
        for _ in range(min(len(slow), len(self._queue))):
            reading = max(slow, key=lambda one: (held[one.owner], -one.since))
            slow.remove(reading)
            held[reading.owner] -= 1
            del self._reads[reading]
            reading.cut = True
            reading.limit.reschedule(0)
        self._watch()


def _busy() -> RateLimited:
    return RateLimited("too many requests are being received", retry_after=RETRY_SECONDS)
