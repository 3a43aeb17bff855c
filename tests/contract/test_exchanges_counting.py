"""An answer that states its usage whenever it is asked for is counted once, whoever asks, wherever it is recorded."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1 import exchange_service_pb2 as service_pb
from gen.ingate.exchanges.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest
from gen.ingate.exchanges.v1.record_service_pb2_grpc import RecordServiceStub
from ingate import ids
from ingate.exchanges import counting
from ingate.exchanges.tables import CountedAnswer, Exchange
from tests.support.records import record

COUNTS = {"input_tokens": 1000, "output_tokens": 500, "units": {"web_searches": 1}}


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return ExchangeServiceStub


def fetched(tenant, answer_id="resp_1", **fields):
    metadata = {"answer_id": answer_id, "finish_reason": "completed"}
    said = {"method": "GET", "metadata": metadata, "completion": "Done.", **COUNTS}
    return record(tenant.org_id, **said | fields)


async def store(stub, gateway, *records):
    await stub.Record(RecordRequest(records=records), metadata=gateway)


async def entries(stub, tenant):
    listed = await stub.ListExchanges(service_pb.ListExchangesRequest(), metadata=tenant.owner)
    return {entry.request_id: entry for entry in listed.items}


async def test_the_first_counts_and_the_others_say_so(grpc_stub, recording, tenant, gateway):
    """Model and outcome stay; tokens, units and cost are those of the first alone."""
    first, second, third = fetched(tenant), fetched(tenant), fetched(tenant)
    await store(recording, gateway, first)
    await store(recording, gateway, second, third)
    stored = await entries(grpc_stub, tenant)
    counted = stored.pop(first.exchange.request_id)
    assert (counted.total_tokens, dict(counted.units), counted.usage_source) == (
        1500,
        {"web_searches": 1},
        pb.USAGE_SOURCE_PROVIDER,
    )
    assert counted.HasField("cost_usd")
    assert "usage_counted_by" not in counted.metadata
    for entry in stored.values():
        assert not any(entry.HasField(name) for name in ("input_tokens", "output_tokens", "total_tokens", "cost_usd"))
        assert not entry.units
        assert (entry.cost_source, entry.usage_source) == (pb.COST_SOURCE_UNKNOWN, pb.USAGE_SOURCE_UNSPECIFIED)
        assert entry.metadata["usage_counted_by"] == first.exchange.request_id
        assert (entry.metadata["finish_reason"], entry.completion, entry.model) == ("completed", "Done.", "demo")


async def test_what_is_sent_again_is_counted_as_before(grpc_stub, recording, tenant, gateway):
    """A batch that a gateway ships twice, as when the answer to it was lost."""
    one, other = fetched(tenant), fetched(tenant)
    for _ in range(2):
        await store(recording, gateway, one, other)
    assert sum(entry.total_tokens for entry in (await entries(grpc_stub, tenant)).values()) == 1500


async def test_answers_are_told_apart(grpc_stub, recording, tenant, stranger, gateway):
    """By organisation, provider and id; and what names no answer counts each time."""
    several = [fetched(tenant), fetched(tenant, "resp_2"), fetched(tenant, served_by="b"), fetched(stranger)]
    several += [record(tenant.org_id, **COUNTS) for _ in range(2)]
    await store(recording, gateway, *several)
    assert [entry.total_tokens for entry in (await entries(grpc_stub, tenant)).values()] == [1500] * 5
    assert [entry.total_tokens for entry in (await entries(grpc_stub, stranger)).values()] == [1500]


async def test_an_answer_without_usage_claims_nothing(grpc_stub, recording, tenant, gateway):
    """Asked for while it is made, it leaves the usage to the call that gets it."""
    waiting = record(tenant.org_id, metadata={"answer_id": "resp_1"})
    await store(recording, gateway, waiting, fetched(tenant))
    assert sorted(entry.total_tokens for entry in (await entries(grpc_stub, tenant)).values()) == [0, 1500]


async def test_of_many_at_once_one_counts(core, recording, second_core, tenant, gateway):
    """As when two cores record the same answers in the same moment, in batches that overlap in any order."""
    names = [f"resp_{number}" for number in range(20)]
    batches = [[fetched(tenant, name) for name in (names if turn % 2 else reversed(names))] for turn in range(8)]
    other, as_other = RecordServiceStub(second_core.channel), (("x-ingate-gateway", second_core.gateway_token),)
    doors = [(recording, gateway), (other, as_other)]
    async with asyncio.timeout(120):
        await asyncio.gather(*(store(*doors[turn // 2 % 2], *batch) for turn, batch in enumerate(batches)))
    mine = Exchange.org_id == tenant.org_id
    async with core.database.read() as db:
        assert await db.scalar(select(func.count()).select_from(Exchange).where(mine)) == 160
        assert await db.scalar(select(func.sum(Exchange.total_tokens)).where(mine)) == 20 * 1500
        counting = select(func.count()).select_from(Exchange).where(mine, Exchange.total_tokens == 1500)
        assert await db.scalar(counting) == 20


async def test_a_batch_that_is_refused_counts_nothing(core, recording, tenant, gateway):
    """What is said of an answer is stored with the exchange, or not at all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "_without", lambda *_: 1 / 0)
        await store(recording, gateway, fetched(tenant))
        with pytest.raises(Exception, match=r"internal|INTERNAL"):
            await store(recording, gateway, fetched(tenant, "resp_2"), fetched(tenant))
    async with core.database.read() as db:
        known = select(CountedAnswer.answer_id).where(CountedAnswer.org_id == tenant.org_id)
        assert (await db.scalars(known)).all() == ["resp_1"]


async def test_what_was_counted_is_forgotten_after_a_time(core, grpc_stub, recording, tenant, gateway):
    """Providers keep an answer for a shorter time."""
    await store(recording, gateway, fetched(tenant))
    mine = CountedAnswer.org_id == tenant.org_id
    async with core.database.write() as db:
        aged = CountedAnswer.stored_at - counting.KEPT - 1
        await db.execute(update(CountedAnswer).where(mine).values(stored_at=aged))
    await store(recording, gateway, fetched(tenant, "resp_2"), fetched(tenant))
    async with core.database.read() as db:
        assert await db.scalar(select(func.count()).select_from(CountedAnswer).where(mine)) == 2
    assert [entry.total_tokens for entry in (await entries(grpc_stub, tenant)).values()] == [1500] * 3


async def test_an_id_of_any_length_is_one(grpc_stub, recording, tenant, gateway):
    """A provider may say what it likes."""
    odd = ["", "x" * 300, "ü" * 256, ids.uuid7(), "'; --", '"answer_id"', "a\0b"]
    await store(recording, gateway, *(fetched(tenant, name) for name in odd), *(fetched(tenant, name) for name in odd))
    stored = (await entries(grpc_stub, tenant)).values()
    counted = {name: sum(entry.total_tokens for entry in stored if entry.metadata["answer_id"] == name) for name in odd}
    assert counted == dict.fromkeys(odd, 1500) | {"": 3000}
