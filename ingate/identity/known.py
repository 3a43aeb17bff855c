"""Addresses from which people signed in. A right password from one of them is always taken."""

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from ingate import clock
from ingate.identity.tables import KnownAddress

KEPT = 20
"""Of a person, those used last."""

# Spelled alike on SQLite and PostgreSQL.
_NOTE = text(
    "INSERT INTO known_addresses (user_id, address, used_at) VALUES (:user_id, :address, :used_at)"
    " ON CONFLICT (user_id, address) DO UPDATE SET used_at = excluded.used_at"
)


async def remember(db: AsyncSession, user_id: str, address: str) -> None:
    """Notes in the transaction that a person signed in from an address, and forgets their oldest beyond KEPT.

    Callers whose address nobody knows have none in common.
    """
    if not address:
        return
    await db.flush()
    await db.execute(_NOTE, {"user_id": user_id, "address": address, "used_at": clock.now()})
    mine = KnownAddress.user_id == user_id
    if (await db.scalar(select(func.count()).select_from(KnownAddress).where(mine)) or 0) > KEPT:
        newest = select(KnownAddress.address).where(mine).order_by(KnownAddress.used_at.desc()).limit(KEPT)
        await db.execute(delete(KnownAddress).where(mine, KnownAddress.address.not_in(newest)))
