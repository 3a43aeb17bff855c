"""Fills the demo's organisation with a day of example traffic, once, and takes it out again.

That it was done is an entry in the organisation's audit log, so it is not done again, whichever process asks.
"""

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord, RecordRequest
from gen.ingate.exchanges.v1.record_service_pb2_grpc import RecordServiceStub
from ingate import clock
from ingate.cli import traffic
from ingate.core import Core
from ingate.db import Database
from ingate.errors import NotFound
from ingate.exchanges.rows import SEED, SEEDED
from ingate.exchanges.tables import Exchange
from ingate.identity import audit
from ingate.identity.tables import AuditEntry, Key, Org

AT_ONCE = 40
"""Records of a batch, and rows that are deleted at once: others have their turn in between."""
DONE, UNDONE = "org.demo_traffic", "org.demo_traffic_clear"
_MARK = f'%"{SEEDED}":"{SEED}"%'


@dataclass(frozen=True, slots=True)
class _Place:
    """Whose traffic it is: the organisation, who made it, and the key that is said to have called."""

    org_id: str
    owner_id: str
    key_id: str


async def seed(core: Core, slug: str) -> None:
    """Records a day of traffic for an organisation as gateways do, unless that was ever done.

    Begun anew after it was broken off, it completes what is missing: the records' ids are the same each time.
    """
    place = await _place(core.database, slug)
    if place is None:
        return
    stub, as_gateway = RecordServiceStub(core.channel), (("x-ingate-gateway", core.gateway_token),)
    batch: list[ExchangeRecord] = []
    async for record in traffic.day(place.org_id, place.key_id, clock.now()):
        batch.append(record)
        if len(batch) == AT_ONCE:
            await stub.Record(RecordRequest(records=batch), metadata=as_gateway)
            batch.clear()
    await stub.Record(RecordRequest(records=batch), metadata=as_gateway)
    async with core.database.write() as db:
        audit.record(db, DONE, place.org_id, org_id=place.org_id, actor_id=place.owner_id, calls=traffic.CALLS)


async def clear(database: Database, slug: str) -> int:
    """Deletes the example traffic of an organisation for good, and returns how many exchanges that were.

    Real exchanges stay. Raises NotFound.
    """
    async with database.read() as db:
        org = await db.scalar(select(Org).where(Org.slug == slug))
    if org is None:
        raise NotFound(f"there is no organisation {slug}")
    some = select(Exchange.id).where(Exchange.org_id == org.id, Exchange.meta.like(_MARK)).limit(AT_ONCE)
    deleted = 0
    while True:
        async with database.write() as db:
            batch = delete(Exchange).where(Exchange.id.in_(some.scalar_subquery()))
            gone = len((await db.scalars(batch.returning(Exchange.id))).all())
            deleted += gone
            if not gone:
                audit.record(db, UNDONE, org.id, org_id=org.id, actor_id=org.created_by or "", calls=deleted)
                return deleted


async def _place(database: Database, slug: str) -> _Place | None:
    """Returns the place to fill, None where there is none or it was filled before."""
    async with database.read() as db:
        org = await db.scalar(select(Org).where(Org.slug == slug))
        if org is None or await _is_done(db, org.id):
            return None
        key_id = await db.scalar(select(Key.id).where(Key.org_id == org.id).order_by(Key.id).limit(1))
    return None if key_id is None else _Place(org.id, org.created_by or "", key_id)


async def _is_done(db: AsyncSession, org_id: str) -> bool:
    done = select(AuditEntry.id).where(AuditEntry.org_id == org_id, AuditEntry.action.in_((DONE, UNDONE))).limit(1)
    return await db.scalar(done) is not None
