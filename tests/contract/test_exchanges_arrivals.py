"""The numbers of notes are in the order of commits, which PostgreSQL does not promise of a sequence."""

import asyncio

import pytest
import pytest_asyncio
from sqlalchemy import text

from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest
from gen.ingate.exchanges.v1.record_service_pb2_grpc import RecordServiceStub
from ingate import clock, ids
from ingate.exchanges import arrivals
from ingate.exchanges.columns import COLUMNS
from tests.support.records import record
from tests.support.tenants import sign_up
from tests.support.waiting import eventually

WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")


@pytest.fixture(scope="module", params=["postgres"])
def database_kind(request):
    """An embedded database has one writer at a time, and so no other order."""
    return request.param


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def owner(core):
    return await sign_up(core.channel, core.gateway_token)


async def found(core):
    """Returns the numbers and ids of all notes that can be read."""
    async with core.database.read() as db:
        notes = await arrivals.between(db, 0, await arrivals.last(db), 1000)
    return [(note.number, *note.ids) for note in notes]


async def test_a_number_can_be_read_when_all_before_it_can(core, owner):
    """Whoever gets one waits for those who have one before, until they commit."""
    first, second = ids.uuid7(), record(owner.org_id)
    row = tuple({"id": first, "org_id": owner.org_id}.get(name) for name in COLUMNS)
    metadata = (("x-ingate-gateway", core.gateway_token),)
    async with core.database.write() as db:
        await arrivals.note(await db.connection(), [row])
        storing = asyncio.ensure_future(
            RecordServiceStub(core.channel).Record(RecordRequest(records=[second]), metadata=metadata)
        )

        async def waits():
            async with core.database.read() as other:
                return await other.scalar(WAITING) == 1

        await eventually(waits)
        assert await found(core) == []
    await storing
    (one, *those), (two, *these) = await found(core)
    assert one < two
    assert (those, these) == ([first], [second.exchange.request_id])


async def test_notes_are_forgotten_but_for_the_last(core, owner, monkeypatch):
    """Numbers go on from it, also where nothing else tells how far they have come."""
    metadata = (("x-ingate-gateway", core.gateway_token),)
    recording = RecordServiceStub(core.channel)
    for _ in range(3):
        await recording.Record(RecordRequest(records=[record(owner.org_id)]), metadata=metadata)
    await arrivals.forget(core.database)
    before = await found(core)
    assert len(before) >= 3
    now = clock.now()
    monkeypatch.setattr("ingate.exchanges.arrivals.clock.now", lambda: now + 2 * clock.HOUR)
    await arrivals.forget(core.database)
    assert await found(core) == before[-1:]
