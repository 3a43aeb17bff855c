"""A filter finds the same rows in the database and in hand, whatever it asks."""

import pytest_asyncio
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st
from sqlalchemy import select

from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest
from gen.ingate.exchanges.v1.record_service_pb2_grpc import RecordServiceStub
from ingate import clock
from ingate.exchanges.filters import EQUAL, conditions, facts, matcher
from ingate.exchanges.tables import Exchange
from tests.support.records import MOMENT, record
from tests.support.tenants import sign_up

TEXTS = ["", "a", "A", "a ", "á", "a\u0301", "a%", "_", "'", "🤖", "x" * 256]
IDS = ["0198c0de-0000-7000-8000-000000000001", "0198c0de-0000-7000-8000-000000000002"]
texts, numbers, times = st.sampled_from(TEXTS), st.sampled_from([0, 1, 2]), st.integers(-2, 2)
FIELDS = {
    "level": numbers,
    "provider": texts,
    "model": texts,
    "status_code": st.sampled_from([0, 200, 499, -1]),
    "source": numbers,
    "user_id": texts,
    "session_id": texts,
    "key_id": st.sampled_from(IDS),
    "app_id": st.sampled_from(TEXTS[:-1]),
    "team_id": st.sampled_from(TEXTS[:-1]),
    "stream": st.booleans(),
}
exchanges = st.fixed_dictionaries({"at": times}, optional={**FIELDS, "served_by": texts})
questions = st.fixed_dictionaries({}, optional={**FIELDS, "since": times, "until": times})


def asked(question, kind):
    """Returns the request of a list or a tail."""
    moments = {name: clock.to_proto(MOMENT + question[name]) for name in ("since", "until") if name in question}
    return kind(**question | moments)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def owner(core):
    """An organisation, on the one transport that will do here."""
    return await sign_up(core.channel, core.gateway_token)


def test_both_services_ask_alike():
    """What a list filters by, a tail does, and nothing else."""
    place = {"limit", "cursor", "count"}
    listed = {field.name: field.number for field in pb.ListExchangesRequest.DESCRIPTOR.fields}
    told = {field.name: field.number for field in pb.TailExchangesRequest.DESCRIPTOR.fields}
    assert {name: number for name, number in listed.items() if name not in place} == {
        name: number for name, number in told.items() if name not in place
    }
    assert listed.keys() - place == {*EQUAL, "provider", "since", "until"}


@bounded(max_examples=80)
@given(stored=st.lists(exchanges, min_size=1, max_size=4), question=questions)
async def test_a_filter_finds_the_same_in_both(core, owner, gateway, *, stored, question):
    """Of a few exchanges that have every kind of text, none, and their like in other letters."""
    made = [record(owner.org_id, **{**it, "at": MOMENT + it["at"]}) for it in stored]
    await RecordServiceStub(core.channel).Record(RecordRequest(records=made), metadata=gateway)
    mine = Exchange.id.in_([it.exchange.request_id for it in made])
    for kind in (pb.ListExchangesRequest, pb.TailExchangesRequest):
        request = asked(question, kind)
        matches = matcher(request)
        async with core.database.read() as db:
            rows = (await db.execute(select(*Exchange.__table__.columns).where(mine))).all()
            found = set(await db.scalars(select(Exchange.id).where(mine, *conditions(request))))
        assert {row.id for row in rows if matches(facts(row))} == found
