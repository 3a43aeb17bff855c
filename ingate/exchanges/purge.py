"""Deletes the exchanges of an organisation, which no foreign key does: they may be millions."""

from sqlalchemy import delete, select

from ingate.db import Database
from ingate.exchanges.tables import Exchange

PURGED_AT_ONCE = 1000


async def purge(database: Database, org_id: str) -> None:
    """Deletes all exchanges of an organisation, a thousand in a transaction."""
    some = select(Exchange.id).where(Exchange.org_id == org_id).limit(PURGED_AT_ONCE)
    while True:
        async with database.write() as db:
            batch = delete(Exchange).where(Exchange.id.in_(some.scalar_subquery()))
            if not (await db.scalars(batch.returning(Exchange.id))).all():
                return
