"""What gateways must forget, told through the database, so that every core and every command tells it.

A change and its announcement commit together. Epochs are handed out under a lock that is held until the commit, so
no epoch appears after a higher one was read. A gateway in the same process is told before the caller is answered.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import NamedTuple

import structlog
from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from ingate import clock
from ingate.db import Database
from ingate.identity.tables import Change

LOCK = 0x1A6A7F
POLL_SECONDS = 0.4
HEARTBEAT_SECONDS = 1.0
"""Without news for so long, listeners are told that there is none."""
KEPT = clock.HOUR
QUEUE_LIMIT = 1000

log = structlog.get_logger(__name__)


class Subject(StrEnum):
    """What of an organisation changed."""

    KEYS = "keys"
    """What keys may do."""
    POLICY = "policy"
    """What all keys share: where requests can go."""
    ALL = "all"

    @property
    def keys(self) -> bool:
        """Whether grants of keys are no longer true."""
        return self is not Subject.POLICY

    @property
    def policy(self) -> bool:
        """Whether the policy is no longer true."""
        return self is not Subject.KEYS


class News(NamedTuple):
    """The epoch of a change and the organisation that it concerns; no organisation where nothing has changed."""

    epoch: int
    org_id: str
    subject: Subject = Subject.ALL


class Changes:
    """Announces changes of this process and follows those of every process on the database.

    A listener that falls `QUEUE_LIMIT` changes behind loses the oldest; the gap in the epochs tells it so. `changed`
    is called with the organisation and what of it, when a change of this process has committed, or may have.
    """

    def __init__(self, database: Database, changed: Callable[[str, Subject], None] | None = None) -> None:
        self._database = database
        self._changed = changed
        self._listeners: set[asyncio.Queue[News]] = set()
        self._joined: set[asyncio.Queue[News]] = set()
        self._wake = asyncio.Event()
        self._spoke = 0.0
        self.epoch = 0

    @asynccontextmanager
    async def write(self, org_id: str, subject: Subject = Subject.ALL) -> AsyncIterator[AsyncSession]:
        """Yields a session like `Database.write()`; the commit also announces what of an organisation changed."""
        announced = False
        try:
            async with self._database.write() as db:
                yield db
                await db.flush()
                if not self._database.embedded:
                    await db.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
                last = await db.scalar(select(func.coalesce(func.max(Change.epoch), 0)))
                db.add(Change(epoch=(last or 0) + 1, org_id=org_id, subject=subject, at=clock.now()))
                announced = True
        finally:
            # A commit that was cut off may have happened, too.
            if announced:
                if self._changed is not None:
                    self._changed(org_id, subject)
                self._wake.set()

    @contextmanager
    def listen(self) -> Iterator[AsyncIterator[News]]:
        """Yields the news from now on: first, as soon as the database has been asked, where the count stands."""
        queue: asyncio.Queue[News] = asyncio.Queue(QUEUE_LIMIT)
        self._joined.add(queue)
        self._wake.set()

        async def news() -> AsyncIterator[News]:
            while True:
                yield await queue.get()

        try:
            yield news()
        finally:
            self._joined.discard(queue)
            self._listeners.discard(queue)

    async def start(self) -> None:
        """Begins where the database is, after forgetting news that every gateway has had."""
        async with self._database.write() as db:
            self.epoch = await db.scalar(select(func.coalesce(func.max(Change.epoch), 0))) or 0
            await db.execute(delete(Change).where(Change.at < clock.now() - KEPT, Change.epoch < self.epoch))

    async def follow(self) -> None:
        """Tells listeners what is new: at once what this process announces, else within `POLL_SECONDS`.

        While the database does not answer, they are told nothing.
        """
        while True:
            # Not wait_for, which on Python 3.11 swallows a cancellation that meets the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._poll()
            except Exception as error:  # noqa: BLE001 -- whatever went wrong, what comes later must still be heard
                log.warning("changes_unreadable", error=type(error).__name__)

    async def _poll(self) -> None:
        news = (
            select(Change.epoch, Change.org_id, Change.subject).where(Change.epoch > self.epoch).order_by(Change.epoch)
        )
        async with self._database.read() as db:
            found = (await db.execute(news)).all()
        now = time.monotonic()
        for epoch, org_id, subject in found:
            self.epoch = epoch
            for queue in self._listeners:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(News(epoch, org_id, Subject(subject)))
        if found:
            self._spoke = now
        elif now >= self._spoke + HEARTBEAT_SECONDS:
            self._spoke = now
            for queue in self._listeners:
                if queue.empty():  # else there is something to tell
                    queue.put_nowait(News(self.epoch, ""))
        # Whoever came while the database was asked hears of what it did not tell when it is asked again.
        for queue in self._joined:
            queue.put_nowait(News(self.epoch, ""))
        self._listeners |= self._joined
        self._joined.clear()
