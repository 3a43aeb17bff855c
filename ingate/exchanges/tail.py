"""Sends exchanges to readers as they are stored. One query of the database serves all readers, each at its own pace.

New exchanges are found by their notes (`ingate.exchanges.arrivals`), whichever process stored them. While there are
readers, the notes are polled and their exchanges kept for a while (`ingate.exchanges.recent`). A reader that resumes or
falls behind reads from the database (`ingate.exchanges.backlog`). Without readers the database is not queried.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress

import structlog

from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from ingate import clock
from ingate.db import Database
from ingate.errors import DomainError, RateLimited
from ingate.exchanges import arrivals
from ingate.exchanges.arrivals import Place
from ingate.exchanges.backlog import AT_ONCE, Backlog, answer, entries, gap
from ingate.exchanges.filters import matcher
from ingate.exchanges.recent import LEAST_BYTES, Entry, Recent

POLL_SECONDS = 0.4
"""Between two polls for what other processes have stored."""
QUIET_SECONDS = 10.0
"""A reader that gets no exchange for so long gets a new cursor."""
FORGET_SECONDS = 300.0
READERS, READERS_OF_ONE = 2_000, 1_000
"""The most readers in a process, and of one organisation in it."""
KEPT_BYTES = 16 * 1024 * 1024
"""Bytes kept for readers, divided among the organisations that have readers."""

_log = structlog.get_logger(__name__)


class Tail:
    """The readers of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent: dict[str, Recent] = {}  # by organisation; only of those that have readers
        self._end = 0  # the number up to which all of them are complete
        self._wanted = asyncio.Event()
        self._stored = asyncio.Event()
        self._backlog = Backlog(database)

    async def answers(
        self, request: pb.TailExchangesRequest, org_id: str
    ) -> AsyncGenerator[pb.TailExchangesResponse, None]:
        """Yields the answers for a reader, without end. The first, sent once the database was read, has only a cursor.

        Raises BadRequest for an invalid cursor, RateLimited where there are too many readers.
        """
        cursor = arrivals.decode(request.cursor, org_id) if request.cursor else None
        with self._reading(org_id) as recent:
            while not recent.complete:
                await recent.news(QUIET_SECONDS)
            place = cursor or Place(recent.end + 1, "", clock.now())
            if (resumed := await self._backlog.after_gap(place, org_id, recent.end)) is not None:
                yield gap(place, resumed, org_id)
                place = resumed
            yield answer(place, org_id)
            async with aclosing(self._on(request, org_id, place, recent)) as told:
                async for one in told:
                    yield one

    async def _on(
        self, request: pb.TailExchangesRequest, org_id: str, place: Place, recent: Recent
    ) -> AsyncGenerator[pb.TailExchangesResponse, None]:
        """Yields what was stored after a place, from the chain or the database, without end."""
        matches = matcher(request)
        entry = recent.find(place)
        while True:
            if entry is None:
                told, place = await self._backlog.behind(request, org_id, place, recent.end)
                for one in told:
                    yield one
                entry = recent.find(place)
            elif (following := entry.next) is not None:
                entry = following
                # The reader may have it already, from another process or from the database.
                if entry.place[:2] > place[:2]:
                    place = entry.place
                    if matches(entry.facts):
                        yield entry.answer
            elif entry.cut:
                entry = None
            elif not await recent.news(QUIET_SECONDS) and entry.next is None and not entry.cut:
                place = max(place, Place(recent.end + 1, "", clock.now()))
                yield answer(place, org_id)

    async def follow(self, stored: asyncio.Event) -> None:
        """Wakes readers for new exchanges, without end: at once when `stored` is set, else every `POLL_SECONDS`.

        While the database does not answer, readers get nothing; they miss nothing either.
        """
        self._stored = stored
        while True:
            await self._wanted.wait()
            # Not wait_for, which on Python 3.11 swallows a cancellation that meets the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await stored.wait()
            stored.clear()
            try:
                await self._poll()
            except Exception as error:  # noqa: BLE001 -- whatever went wrong, what comes later must still be told
                _log.warning("exchanges_unreadable", error=type(error).__name__)

    async def forget(self) -> None:
        """Deletes old notes, for ever."""
        while True:
            await asyncio.sleep(FORGET_SECONDS)
            try:
                await arrivals.forget(self._database)
            except DomainError as error:
                _log.warning("arrivals_kept", why=error.message)

    @contextmanager
    def _reading(self, org_id: str) -> Iterator[Recent]:
        """Counts a reader and yields the chain of its organisation, which is kept as long as it has readers."""
        recent = self._recent.get(org_id)
        of_one = recent.readers if recent is not None else 0
        if of_one >= READERS_OF_ONE or sum(it.readers for it in self._recent.values()) >= READERS:
            raise RateLimited("too many readers follow exchanges", retry_after=1)
        if recent is None:
            recent = self._recent[org_id] = Recent()
            self._wanted.set()
            self._stored.set()
        recent.readers += 1
        try:
            yield recent
        finally:
            recent.readers -= 1
            if not recent.readers:
                del self._recent[org_id]
                if not self._recent:
                    self._wanted.clear()

    async def _poll(self) -> None:
        asked = dict(self._recent)
        complete = [org_id for org_id, recent in asked.items() if recent.complete]
        async with self._database.read() as db:
            end = max(self._end, await arrivals.last(db))
            notes = await arrivals.between(db, self._end + 1, end, AT_ONCE, complete) if complete else []
            if len(notes) == AT_ONCE:
                end = notes[-1].number
                self._stored.set()
            for note in notes:
                for at in range(0, len(note.ids), AT_ONCE):
                    self._keep(asked[note.org_id], await entries(db, note, note.ids[at : at + AT_ONCE]))
        self._end = end
        for recent in asked.values():
            if recent.complete:
                recent.end = end
            else:
                recent.begin(end, clock.now())
                recent.tell()

    def _keep(self, recent: Recent, found: Sequence[Entry]) -> None:
        bound = max(KEPT_BYTES // max(len(self._recent), 1), LEAST_BYTES)
        for entry in found:
            recent.add(entry, bound)
        if found:
            recent.tell()
