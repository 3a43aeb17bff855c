"""When keys were last used, without a write per use."""

import asyncio

import structlog
from sqlalchemy import bindparam, update

from ingate import clock
from ingate.db import Database
from ingate.identity.tables import Key

CAPACITY = 100_000
FLUSH_SECONDS = 30.0

_USED = update(Key).where(Key.id == bindparam("key_id")).values(last_used_at=bindparam("moment"))

log = structlog.get_logger(__name__)


class LastUsed:
    """Remembers the last use of each key and writes what changed in one transaction every 30 seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, int] = {}

    def touch(self, key_id: str) -> None:
        """Notes that a key was used now. Past the capacity, keys not yet noted wait for the next flush."""
        if key_id in self._seen or len(self._seen) < CAPACITY:
            self._seen[key_id] = clock.now()

    async def flush(self) -> None:
        """Writes what was noted since the last flush."""
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            async with self._database.write() as db:
                # On the connection, which takes no offence at keys that were deleted meanwhile.
                await (await db.connection()).execute(
                    _USED, [{"key_id": key_id, "moment": moment} for key_id, moment in sorted(seen.items())]
                )
        except Exception:
            self._seen = seen | self._seen
            raise

    async def run(self) -> None:
        """Flushes until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                await self._try_flush()
        finally:
            await self._try_flush()

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except Exception:
            log.exception("last_used_flush_failed")
