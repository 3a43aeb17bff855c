"""What gateways must forget, told through the database, so that every core and every command tells it.

A change and its announcement commit together. Epochs are handed out under a lock that is held until the commit, so
whoever has read an epoch has read all before it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from ingate import clock
from ingate.db import Database
from ingate.identity.tables import Change

LOCK = 0x1A6A7F
POLL_SECONDS = 0.4
KEPT = clock.HOUR
QUEUE_LIMIT = 1000

log = structlog.get_logger(__name__)
News = tuple[int, str]


class Changes:
    """Announces changes of this process and follows those of every process on the database.

    A listener that falls `QUEUE_LIMIT` changes behind loses the oldest; the gap in the epochs tells it so.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[asyncio.Queue[News]] = set()
        self._wake = asyncio.Event()
        self.epoch = 0

    @asynccontextmanager
    async def write(self, org_id: str) -> AsyncIterator[AsyncSession]:
        """Yields a session like `Database.write()`; the commit also announces that an organisation's grants changed."""
        async with self._database.write() as db:
            yield db
            await db.flush()
            if not self._database.embedded:
                await db.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            last = await db.scalar(select(func.coalesce(func.max(Change.epoch), 0)))
            db.add(Change(epoch=(last or 0) + 1, org_id=org_id, at=clock.now()))
        self._wake.set()

    @contextmanager
    def listen(self) -> Iterator[AsyncIterator[News]]:
        """Yields the changes from now on, as (epoch, organisation)."""
        queue: asyncio.Queue[News] = asyncio.Queue(QUEUE_LIMIT)
        self._listeners.add(queue)

        async def changes() -> AsyncIterator[News]:
            while True:
                yield await queue.get()

        try:
            yield changes()
        finally:
            self._listeners.discard(queue)

    async def start(self) -> None:
        """Begins where the database is, after forgetting news that every gateway has had."""
        async with self._database.write() as db:
            self.epoch = await db.scalar(select(func.coalesce(func.max(Change.epoch), 0))) or 0
            await db.execute(delete(Change).where(Change.at < clock.now() - KEPT, Change.epoch < self.epoch))

    async def follow(self) -> None:
        """Tells listeners what is new: at once what this process announces, else within `POLL_SECONDS`."""
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
        news = select(Change.epoch, Change.org_id).where(Change.epoch > self.epoch).order_by(Change.epoch)
        async with self._database.read() as db:
            found = (await db.execute(news)).all()
        for epoch, org_id in found:
            self.epoch = epoch
            for queue in self._listeners:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait((epoch, org_id))
