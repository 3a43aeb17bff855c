"""How often something may be tried, such as signing in from one address.

The window slides: at any moment, at most `limit` attempts lie in the `window_us` before it. Counts attempts of one
process. It does not know what a key stands for; who keys by address should key IPv6 by its /64, which one person
holds whole.
"""

from collections import OrderedDict, deque

from ingate.clock import MINUTE, SECOND


class Attempts:
    """The recent attempts of at most `capacity` keys.

    A full map forgets the key that tried longest ago; `evicted` counts those that were still held back or counted.
    """

    def __init__(self, *, limit: int = 10, window_us: int = 15 * MINUTE, capacity: int = 10_000) -> None:
        if limit < 1 or window_us < 1 or capacity < 1:
            raise ValueError("limit, window and capacity must be at least 1")
        self._limit = limit
        self._window_us = window_us
        self._capacity = capacity
        self._times: OrderedDict[str, deque[int]] = OrderedDict()
        self.evicted = 0

    @property
    def size(self) -> int:
        """Gauge: keys held."""
        return len(self._times)

    def take(self, key: str, now_us: int) -> float:
        """Records an attempt and returns 0.0, or returns the seconds to wait and records nothing.

        Refused attempts do not prolong the wait. `now_us` is in microseconds since the epoch.
        """
        times = self._times.get(key)
        if times is None:
            self._make_room(now_us)
            times = self._times[key] = deque(maxlen=self._limit)
        while times and times[0] <= now_us - self._window_us:
            times.popleft()
        if len(times) == self._limit:
            return (times[0] + self._window_us - now_us) / SECOND
        # A clock that stepped back must not put an attempt before the ones already made.
        times.append(max(now_us, times[-1]) if times else now_us)
        self._times.move_to_end(key)
        return 0.0

    def _make_room(self, now_us: int) -> None:
        while self._times:
            key, times = next(iter(self._times.items()))
            expired = times[-1] <= now_us - self._window_us
            if not expired and len(self._times) < self._capacity:
                return
            del self._times[key]
            self.evicted += not expired
