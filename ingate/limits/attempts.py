"""How often something may fail, such as signing in from one place. Counts failures of one process.

A subject that failed `limit` times within the window is shut for as long as the window; if it fails as often again
once that is over, for twice as long, and so on up to `longest_us`. A time without failures makes it new.

Subjects are named from fine to coarse, such as address, network, and "" for everybody. A failure counts for the finest
that has a counter or can be given one: a full map gives up no counter that still matters, so that filling it frees
nobody, and those whom it has no room for share the counter of the next. What fails within a subject, such as one
account of many, is a part of it with a limit of its own. Asking changes nothing. Does not know what subjects are.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingate.clock import MINUTE, SECOND

SWEEP_US = 5 * SECOND
"""Between two searches of a full map for counters that matter no longer."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How often, within how long, and how long the longest wait is. Times are in microseconds."""

    limit: int
    window_us: int = 15 * MINUTE
    longest_us: int = 60 * MINUTE


class _Counter:
    """The recent failures of one subject, or of a part of it."""

    __slots__ = ("parts", "shut_until", "strikes", "times")

    def __init__(self) -> None:
        self.times = array("q")
        self.shut_until = 0
        self.strikes = 0
        self.parts: dict[str, _Counter] = {}

    def matters(self, now_us: int, terms: Terms) -> bool:
        """Tells whether a failure now would find this counter other than new."""
        last = max(self.times[-1] if self.times else 0, self.shut_until)
        return now_us < last + terms.window_us

    def add(self, now_us: int, terms: Terms) -> None:
        if not self.matters(now_us, terms):
            self.strikes = 0
        while self.times and self.times[0] <= now_us - terms.window_us:
            self.times.pop(0)
        self.times.append(now_us)
        if len(self.times) >= terms.limit:
            self.shut_until = now_us + min(terms.window_us << self.strikes, terms.longest_us)
            self.strikes = min(self.strikes + 1, 32)
            del self.times[:]


@dataclass(slots=True)
class _Level:
    """The counters of subjects of one size."""

    counters: dict[str, _Counter] = field(default_factory=dict)
    swept: int = 0


class Attempts:
    """The failures of subjects, at most `capacity` of each size, and of their parts.

    Times are in microseconds of a clock that never steps back.
    """

    def __init__(self, terms: Terms, part_terms: Terms | None = None, *, capacity: int = 10_000) -> None:
        if terms.limit < 1 or terms.window_us < 1 or capacity < 1:
            raise ValueError("limit, window and capacity must be at least 1")
        self._terms = terms
        self._part_terms = part_terms or terms
        self._capacity = capacity
        self._levels: list[_Level] = []

    @property
    def size(self) -> int:
        """Gauge: subjects held."""
        return sum(len(level.counters) for level in self._levels)

    def wait(self, subjects: Sequence[str], now_us: int, part: str = "") -> float:
        """Returns the seconds until the subject, and its part where one is named, may try again; 0.0 for now."""
        counter = self._find(subjects, now_us, make=False)
        if counter is None:
            return 0.0
        inner = counter.parts.get(part) if part else None
        until = max(counter.shut_until, inner.shut_until if inner else 0)
        return max(0, until - now_us) / SECOND

    def failed(self, subjects: Sequence[str], now_us: int, part: str = "") -> None:
        """Counts a failure of the subject, and of its part where one is named."""
        counter = self._find(subjects, now_us, make=True)
        if counter is None:
            return
        counter.add(now_us, self._terms)
        if part:
            # Each costs a failure of the subject, so there are hardly more of them than its limit.
            if len(counter.parts) > self._terms.limit:
                terms = self._part_terms
                counter.parts = {name: inner for name, inner in counter.parts.items() if inner.matters(now_us, terms)}
            counter.parts.setdefault(part, _Counter()).add(now_us, self._part_terms)

    def busy(self, subjects: Sequence[str], now_us: int) -> bool:
        """Tells whether the subject failed lately."""
        counter = self._find(subjects, now_us, make=False)
        return counter is not None and counter.matters(now_us, self._terms)

    def _find(self, subjects: Sequence[str], now_us: int, *, make: bool) -> _Counter | None:
        """Returns the counter by which the subject is judged: its own, else the next coarser one's."""
        while len(self._levels) < len(subjects):
            self._levels.append(_Level())
        for level, name in zip(self._levels, subjects, strict=False):
            counter = level.counters.get(name)
            if counter is not None:
                return counter
            if self._has_room(level, now_us):
                if make:
                    counter = level.counters[name] = _Counter()
                return counter
        return None

    def _has_room(self, level: _Level, now_us: int) -> bool:
        if len(level.counters) >= self._capacity and now_us >= level.swept + SWEEP_US:
            level.swept = now_us
            for name in [name for name, counter in level.counters.items() if not self._matters(counter, now_us)]:
                del level.counters[name]
        return len(level.counters) < self._capacity

    def _matters(self, counter: _Counter, now_us: int) -> bool:
        return counter.matters(now_us, self._terms) or any(
            inner.matters(now_us, self._part_terms) for inner in counter.parts.values()
        )
