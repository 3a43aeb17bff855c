"""How many calls may be under way at a time, and of whom: one key or organisation must not keep out all others.

Knows neither connections nor HTTP.
"""

import asyncio
import contextlib
from collections import deque
from weakref import WeakValueDictionary

from ingate.proxy.ports import Account, NoRoom, ShareUsedUp, UpstreamError

_MOST_WAITING = 4096
"""Calls that wait for one share; those beyond are refused at once."""
_HERE = " at this provider"


class Share:
    """Calls that may be under way at a time, `free` more than there are. Others wait, and have their turns in order."""

    __slots__ = ("__weakref__", "_error", "_message", "free", "limit", "waiting")

    def __init__(self, limit: int, error: type[UpstreamError], message: str) -> None:
        self.limit = limit
        self.free = limit
        self._error = error
        self._message = message
        self.waiting: deque[asyncio.Future[None]] = deque()

    def refused(self) -> UpstreamError:
        """Returns what a call is told that had no turn in time."""
        return self._error(self._message)

    async def take(self) -> None:
        """Returns once the call is counted in. Raises the refusal when too many wait already."""
        if self.free:
            self.free -= 1
            return
        if len(self.waiting) >= _MOST_WAITING:
            raise self.refused()
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                with contextlib.suppress(ValueError):  # passed over already
                    self.waiting.remove(turn)
            else:
                self.give_back()  # it came while the caller was being cancelled
            raise

    def give_back(self) -> None:
        """A call has ended: its turn goes to the next that waits."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


Seat = tuple[Share, Share, Share, Share, Share]
"""What a call counts in, narrowest first. One that waits for a wider share holds the narrower ones, so that no key or
organisation waits with more calls than it may have under way."""


class Shares:
    """The shares of one pool.

    `limit` is how many calls may be under way in all, `origin_limit` how many at one origin. Of both an organisation
    may have three quarters, and of the latter a key half. Shares are forgotten with the seats that they are part of.
    """

    def __init__(self, limit: int, origin_limit: int) -> None:
        self._limit = limit
        self._origin_limit = origin_limit
        self._known: WeakValueDictionary[tuple[object, ...], Share] = WeakValueDictionary()
        self.all = Share(limit, NoRoom, _told("the gateway", limit))

    def seat(self, account: Account, key: str) -> Seat:
        """Returns the seat of an account's key."""
        at, org = (account.origin.host, account.origin.port), account.org
        of_origin, of_all = max(1, self._origin_limit * 3 // 4), max(1, self._limit * 3 // 4)
        return (
            self._share((at, org, key), max(1, self._origin_limit // 2), ShareUsedUp, "the key", _HERE),
            self._share((at, org), of_origin, ShareUsedUp, "the organisation", _HERE),
            self._share((org,), of_all, ShareUsedUp, "the organisation", ""),
            self._share((at,), self._origin_limit, NoRoom, "the gateway", _HERE),
            self.all,
        )

    def _share(self, name: tuple[object, ...], limit: int, error: type[UpstreamError], who: str, where: str) -> Share:
        share = self._known.get(name)
        if share is None:
            share = self._known[name] = Share(limit, error, _told(who, limit, where))
        return share


def _told(who: str, limit: int, where: str = "") -> str:
    return f"{who} has {limit} calls under way{where}, as many as it may have"
