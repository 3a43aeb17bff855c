"""The order in which exchanges were stored. Ids and times do not give it: exchanges are stored late and out of order.

Each transaction that stores exchanges notes which, as its last statement. Numbers are handed out under a lock that is
held until the commit, so no number appears after a higher one was read. Notes are kept for an hour.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from ingate import clock, cursors
from ingate.db import Database
from ingate.exchanges.columns import Row, place_of
from ingate.exchanges.tables import Arrival

KEPT = clock.HOUR
"""How long a reader can resume at a cursor."""
_SPARE = 5 * clock.MINUTE
"""Notes are kept for so much longer, since clocks differ."""
LOCK = 0x1A6A80
_HEX = 32
_ID, _ORG = place_of("id"), place_of("org_id")
_LOCKED = text(f"SELECT pg_advisory_xact_lock({LOCK})")


class Place(NamedTuple):
    """A place in the order: behind the exchange `id` of a note, or before all of it where that is empty.

    `at` is when it was given out, in microseconds.
    """

    number: int
    id: str
    at: int


class Note(NamedTuple):
    """What one transaction stored for one organisation. `ids` are in order."""

    number: int
    org_id: str
    at: int
    ids: list[str]


def encode(place: Place, org_id: str) -> str:
    """Returns the cursor of a place in what an organisation is told."""
    return cursors.encode(place, _fingerprint(org_id))


def decode(cursor: str, org_id: str) -> Place:
    """Returns the place of a cursor. Raises BadRequest for one that this organisation was not given."""
    number, id_, at = cursors.decode(cursor, (int, str, int), _fingerprint(org_id))
    return Place(int(number), str(id_), int(at))


def _fingerprint(org_id: str) -> bytes:
    return f"tail {org_id}".encode()


async def note(connection: AsyncConnection, made: Sequence[Row]) -> None:
    """Notes that rows are stored, as the last statement of the transaction that stores them."""
    if not made:
        return
    now = clock.now()
    notes = [
        {"org_id": org_id, "at": now, "ids": b"".join(sorted(_packed(row[_ID]) for row in rows))}
        for org_id, rows in groupby(sorted(made, key=lambda row: row[_ORG]), key=lambda row: row[_ORG])
    ]
    if connection.dialect.name != "sqlite":  # which has one writer at a time
        await connection.execute(_LOCKED)
    await connection.execute(insert(Arrival), notes)


async def last(db: AsyncSession) -> int:
    """Returns the greatest number of all notes, 0 where there are none."""
    return await db.scalar(select(func.max(Arrival.number))) or 0


async def between(
    db: AsyncSession, first: int, end: int, limit: int, org_ids: Sequence[str] | None = None
) -> list[Note]:
    """Returns notes with numbers from `first` to `end`, of which `limit` at most; about some organisations, or all."""
    query = (
        select(Arrival.number, Arrival.org_id, Arrival.at, Arrival.ids)
        .where(Arrival.number.between(first, end))
        .order_by(Arrival.number)
        .limit(limit)
    )
    if org_ids is not None:
        query = query.where(Arrival.org_id.in_(org_ids))
    found = await db.execute(query)
    return [Note(number, org_id, at, _unpacked(ids)) for number, org_id, at, ids in found]


async def since(db: AsyncSession, org_id: str, at: int) -> int | None:
    """Returns the least number of a note about an organisation that was made at a time or later, None for none."""
    return await db.scalar(select(func.min(Arrival.number)).where(Arrival.org_id == org_id, Arrival.at >= at))


async def forget(database: Database) -> None:
    """Deletes notes that are too old to resume at, but for the last, which holds the highest number."""
    async with database.write() as db:
        newest = select(func.max(Arrival.number)).scalar_subquery()
        await db.execute(delete(Arrival).where(Arrival.at < clock.now() - KEPT - _SPARE, Arrival.number < newest))


def _packed(id_: str) -> bytes:
    return bytes.fromhex(id_.replace("-", ""))


def _unpacked(ids: bytes) -> list[str]:
    digits = ids.hex()
    whole = (digits[at : at + _HEX] for at in range(0, len(digits), _HEX))
    return [f"{it[:8]}-{it[8:12]}-{it[12:16]}-{it[16:20]}-{it[20:]}" for it in whole]
