"""The example traffic of `--demo`: recorded as gateways record, once an organisation, and deleted without a trace."""

import asyncio
from collections import Counter

import pytest

from gen.ingate.audit.v1.audit_service_pb2 import ListEntriesRequest
from gen.ingate.audit.v1.audit_service_pb2_grpc import AuditServiceStub
from gen.ingate.exchanges.v1 import exchange_pb2
from gen.ingate.exchanges.v1.exchange_service_pb2 import GetExchangeRequest, ListExchangesRequest
from gen.ingate.exchanges.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest
from gen.ingate.exchanges.v1.record_service_pb2_grpc import RecordServiceStub
from ingate import clock
from ingate.cli import seeding, traffic
from ingate.errors import NotFound
from tests.support.records import record


async def listed(tenant):
    """Returns all exchanges of an organisation, newest first."""
    stub = ExchangeServiceStub(tenant.channel)
    found, cursor = [], ""
    while True:
        page = await stub.ListExchanges(ListExchangesRequest(limit=100, cursor=cursor), metadata=tenant.owner)
        found += page.items
        cursor = page.next_cursor
        if not cursor:
            return found


def slug(tenant):
    return tenant.answer.org.slug


async def test_a_day_is_varied_and_marked(core, tenant, stranger):
    """Models, users, sessions, outcomes, tokens and costs vary over the last day; each is marked, others have none."""
    await seeding.seed(core, slug(tenant))
    found = await listed(tenant)
    assert len(found) == traffic.CALLS
    assert all(it.metadata[traffic.SEEDED] == traffic.SEED for it in found)
    now = clock.now()
    moments = [clock.from_proto(it.created_at) for it in found]
    assert now - 25 * clock.HOUR < min(moments) < now - 12 * clock.HOUR
    assert now - 6 * clock.HOUR < max(moments) < now
    assert len({it.model for it in found}) > 4
    assert len({it.user_id for it in found}) > 4
    sessions = Counter(it.session_id for it in found if it.session_id)
    assert len(sessions) > 20
    assert 2 < max(sessions.values()) < 12
    assert {200, 429, 500, 504} <= {it.status_code for it in found}
    assert {exchange_pb2.LEVEL_INFO, exchange_pb2.LEVEL_WARN, exchange_pb2.LEVEL_ERROR} == {it.level for it in found}
    assert {it.stream for it in found} == {True, False}
    for count in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"):
        assert any(getattr(it, count) for it in found), count
    failed = [it for it in found if it.level == exchange_pb2.LEVEL_ERROR or it.status_code == 429]
    assert all(it.error_message and "answers every request" not in it.error_message for it in failed), failed
    assert {f"the provider {it} did not answer in time" for it in ("openai", "anthropic", "gemini")} & {
        it.error_message for it in failed
    }
    assert any("Rate limit reached" in it.error_message for it in failed)
    good = [it for it in found if it.level == exchange_pb2.LEVEL_INFO]
    assert all(it.cost_source == exchange_pb2.COST_SOURCE_LIST and float(it.cost_usd) > 0 for it in good)
    assert any(it.metadata.get("tool_calls") for it in found)
    whole = await ExchangeServiceStub(tenant.channel).GetExchange(
        GetExchangeRequest(request_id=good[0].request_id), metadata=tenant.owner
    )
    assert whole.payload.request_body
    assert b"demo" not in whole.payload.request_body
    assert await listed(stranger) == []


async def test_it_comes_once_whoever_asks(core, tenant):
    """Asked again, at the same time or after it was deleted, it stays as it is; what is missing is completed."""
    place = await seeding._place(core.database, slug(tenant))
    some = [it async for it in traffic.day(place.org_id, place.key_id, clock.now())][:50]
    stub = RecordServiceStub(core.channel)
    await stub.Record(RecordRequest(records=some), metadata=(("x-ingate-gateway", core.gateway_token),))
    await asyncio.gather(seeding.seed(core, slug(tenant)), seeding.seed(core, slug(tenant)))
    first = await listed(tenant)
    assert len(first) == traffic.CALLS
    await seeding.seed(core, slug(tenant))
    assert await listed(tenant) == first
    assert await seeding.clear(core.database, slug(tenant)) == traffic.CALLS
    await seeding.seed(core, slug(tenant))
    assert await listed(tenant) == []


async def test_deleting_leaves_what_is_real(core, tenant, stranger, gateway):
    """Real exchanges stay, even those that quote the mark, and so does another organisation's example."""
    quoting = {"note": f'"{traffic.SEEDED}":"{traffic.SEED}"'}
    real = [
        record(tenant.org_id),
        record(tenant.org_id, metadata=quoting),
        record(tenant.org_id, tags={"seeded": "demo"}),
    ]
    await RecordServiceStub(core.channel).Record(RecordRequest(records=real), metadata=gateway)
    await seeding.seed(core, slug(tenant))
    await seeding.seed(core, slug(stranger))
    assert await seeding.clear(core.database, slug(tenant)) == traffic.CALLS
    assert {it.request_id for it in await listed(tenant)} == {it.exchange.request_id for it in real}
    assert len(await listed(stranger)) == traffic.CALLS
    entries = await AuditServiceStub(tenant.channel).ListEntries(ListEntriesRequest(), metadata=tenant.owner)
    assert [(it.action, it.numbers["calls"]) for it in entries.items[:2]] == [
        (seeding.UNDONE, traffic.CALLS),
        (seeding.DONE, traffic.CALLS),
    ]


async def test_an_organisation_that_is_not_there(core):
    """There is nothing to fill, and nothing to delete."""
    await seeding.seed(core, "nobody-at-all")
    with pytest.raises(NotFound, match="nobody-at-all"):
        await seeding.clear(core.database, "nobody-at-all")
