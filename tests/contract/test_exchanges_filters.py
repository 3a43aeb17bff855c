"""A filter finds the same rows in the database and in hand, whatever it asks."""

import random

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

TEXTS = ["", "a", "A", "a ", "á", "a\u0301", "a%", "_", "'", "🤖"]
TIMES = [-2, -1, 0, 1, 2]
VALUES = {
    "level": [0, 1, 2],
    "provider": TEXTS,
    "model": TEXTS,
    "status_code": [0, 200, 499, -1],
    "source": [0, 1, 2],
    "user_id": TEXTS,
    "session_id": TEXTS,
    "key_id": ["0198c0de-0000-7000-8000-000000000001", "0198c0de-0000-7000-8000-000000000002"],
    "app_id": TEXTS,
    "team_id": TEXTS,
    "stream": [False, True],
}
ASKED = {**VALUES, "since": TIMES, "until": TIMES}
questions = st.lists(st.sampled_from(sorted(ASKED)), max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(ASKED[name]) for name in names})
)


def asked(question, kind):
    """Returns the request of a list or a tail."""
    moments = {name: clock.to_proto(MOMENT + question[name]) for name in ("since", "until") if name in question}
    return kind(**question | moments)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def stored(core):
    """300 rows of an organisation, which have each of the values or none; one transport will do to store them."""
    coin = random.Random(1)
    owner = await sign_up(core.channel, core.gateway_token)
    made = []
    for _ in range(300):
        fields = {name: coin.choice(values) for name, values in VALUES.items() if coin.random() < 0.8}
        made.append(record(owner.org_id, at=MOMENT + coin.choice(TIMES), **{"served_by": coin.choice(TEXTS), **fields}))
    metadata = (("x-ingate-gateway", core.gateway_token),)
    await RecordServiceStub(core.channel).Record(RecordRequest(records=made), metadata=metadata)
    async with core.database.read() as db:
        query = select(*Exchange.__table__.columns).where(Exchange.org_id == owner.org_id)
        return (await db.execute(query)).all()


def test_both_services_ask_alike():
    """What a list filters by, a tail does, and nothing else; `view` chooses columns and filters nothing."""
    place = {"limit", "cursor", "count", "view"}
    listed = {field.name: field.number for field in pb.ListExchangesRequest.DESCRIPTOR.fields}
    told = {field.name: field.number for field in pb.TailExchangesRequest.DESCRIPTOR.fields}
    assert {name: number for name, number in listed.items() if name not in place} == {
        name: number for name, number in told.items() if name not in place
    }
    assert listed.keys() - place == {*EQUAL, "provider", "since", "until"} == ASKED.keys()


@bounded(max_examples=200)
@given(question=questions)
async def test_a_filter_finds_the_same_in_both(core, stored, *, question):
    """Letters of other cases and forms, what is empty or not there, and the moments at which times begin and end."""
    for kind in (pb.ListExchangesRequest, pb.TailExchangesRequest):
        request = asked(question, kind)
        matches = matcher(request)
        mine = Exchange.org_id == stored[0].org_id
        async with core.database.read() as db:
            found = set(await db.scalars(select(Exchange.id).where(mine, *conditions(request))))
        assert {row.id for row in stored if matches(facts(row))} == found
