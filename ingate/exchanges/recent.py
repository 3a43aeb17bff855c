"""The newest exchanges of an organisation, kept once for all its readers. Knows no database.

They are a linked list, and a reader holds only the entry that it read last. When entries are dropped before a slow
reader has read them, it finds its entry cut off from the list, and continues in the database from that place.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ingate.exchanges.arrivals import Place
from ingate.exchanges.filters import Facts

ENTRY_BYTES = 1024
"""What an entry takes beside its message."""
LEAST_BYTES = 64 * 1024
"""What an organisation's chain may take, however many there are."""
_WOKEN = 32
"""Readers woken in one iteration of the loop. Each writes what it reads: a millisecond or two for all."""


@dataclass(slots=True, eq=False)
class Entry:
    """One exchange, or the beginning of a chain, which has no `answer`."""

    place: Place
    facts: Facts = ()
    answer: Any = None
    size: int = 0
    next: "Entry | None" = None
    cut: bool = False
    """Whether the following entries were dropped."""


@dataclass(slots=True, eq=False)
class Recent:
    """The chain of one organisation: everything that was stored behind `first.place`, up to number `end`.

    Until it is `complete` it is empty, and readers must wait.
    """

    first: Entry = field(default_factory=lambda: Entry(Place(0, "", 0)))
    last: Entry = field(init=False)
    end: int = 0
    complete: bool = False
    readers: int = 0
    size: int = 0
    ids: set[str] = field(default_factory=set)
    waiting: set[asyncio.Future[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.last = self.first

    def begin(self, number: int, now: int) -> None:
        """Begins after the note of this number."""
        self.first = self.last = Entry(Place(number + 1, "", now))
        self.end, self.complete = number, True

    def add(self, entry: Entry, bound: int) -> None:
        """Appends an entry, unless it is there already, and drops the oldest beyond `bound` bytes."""
        if entry.place.id in self.ids:
            return
        self.ids.add(entry.place.id)
        entry.size += ENTRY_BYTES
        self.size += entry.size
        self.last.next = entry
        self.last = entry
        while self.size > bound and (oldest := self.first.next) is not None and oldest is not entry:
            self.first.next, self.first.cut = None, True
            self.ids.discard(oldest.place.id)
            self.size -= oldest.size
            # Now it is the beginning of the chain, of which only the place matters.
            self.first = oldest
            oldest.facts, oldest.answer = (), None

    async def news(self, seconds: float) -> bool:
        """Waits for something new, at most so many seconds; returns whether there is."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.add(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            self.waiting.discard(waiter)
        return True

    def tell(self) -> None:
        """Wakes all readers, a few in each iteration of the loop: hundreds at once would delay everything else."""
        _wake(list(self.waiting))

    def find(self, place: Place) -> Entry | None:
        """Returns the last entry up to a place, None where the chain begins after it."""
        if place[:2] < self.first.place[:2]:
            return None
        entry = self.first
        while (following := entry.next) is not None and following.place[:2] <= place[:2]:
            entry = following
        return entry


def _wake(waiting: "list[asyncio.Future[None]]") -> None:
    for waiter in waiting[:_WOKEN]:
        if not waiter.done():
            waiter.set_result(None)
    if len(waiting) > _WOKEN:
        asyncio.get_running_loop().call_soon(_wake, waiting[_WOKEN:])
