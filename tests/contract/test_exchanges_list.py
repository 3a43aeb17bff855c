import itertools
import random

import pytest
import pytest_asyncio
from grpc import StatusCode
from sqlalchemy import select

from gen.ingate.exchanges.v1 import exchange_pb2
from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from gen.ingate.exchanges.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest
from ingate import clock, ids
from ingate.exchanges.listing import BASIC, NOT_IN_BASIC
from ingate.exchanges.tables import Exchange
from tests.support.records import MOMENT, record
from tests.support.tenants import refusal

INFO, WARN = exchange_pb2.LEVEL_INFO, exchange_pb2.LEVEL_WARN
KEYS = ("0198c0de-0000-7000-8000-000000000001", "0198c0de-0000-7000-8000-000000000002")
# Two values of each field that lists are filtered by.
VALUES = {
    "level": (INFO, WARN),
    "model": ("gpt-4o", "GPT-4o"),
    "status_code": (200, 499),
    "source": (exchange_pb2.SOURCE_PROXY, exchange_pb2.SOURCE_INGEST),
    "user_id": ("ann", "böb 🤖"),
    "session_id": ("s1", "s2"),
    "key_id": KEYS,
    "app_id": ("a1", "a2"),
    "team_id": ("t1", "t2"),
    "stream": (False, True),
}
PAIRS = list(itertools.combinations(VALUES, 2))


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return ExchangeServiceStub


def varied():
    """Returns fields for 40 exchanges, each value by the toss of a coin, the same in every run."""
    coin = random.Random(1)
    return [{name: coin.choice(pair) for name, pair in VALUES.items()} for _ in range(40)]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def stored(recording, bystander, gateway):
    """The 40 records of an organisation, and as many of the same of another."""
    records = [record(bystander.org_id, at=MOMENT + n, **fields) for n, fields in enumerate(varied())]
    theirs = [record(ids.uuid7(), at=MOMENT + n, **fields) for n, fields in enumerate(varied())]
    await recording.Record(RecordRequest(records=[*records, *theirs]), metadata=gateway)
    return records


async def listed(stub, tenant, **fields):
    return await stub.ListExchanges(pb.ListExchangesRequest(**fields), metadata=tenant.owner)


def ids_of(answer):
    return [item.request_id for item in answer.items]


def expected(stored, **fields):
    """Returns the ids of the records with these fields, newest first."""
    found = [
        it.exchange.request_id
        for it in stored
        if all(getattr(it.exchange, name) == value for name, value in fields.items())
    ]
    return found[::-1]


async def walk(stub, tenant, **fields):
    """Returns the ids of every page."""
    found, cursor = [], None
    while True:
        answer = await listed(stub, tenant, cursor=cursor, **fields)
        found += ids_of(answer)
        if not answer.HasField("next_cursor"):
            return found
        cursor = answer.next_cursor


@pytest.mark.parametrize("name", VALUES)
async def test_a_filter_finds_what_has_the_value(grpc_stub, bystander, stored, name):
    """Each value of each field, case and all; a value that nobody has finds nothing."""
    for value in VALUES[name]:
        answer = await listed(grpc_stub, bystander, limit=200, count=True, **{name: value})
        assert ids_of(answer) == expected(stored, **{name: value})
        assert answer.total == len(answer.items) > 0


async def test_filters_narrow_each_other(grpc_stub, bystander, stored):
    """Any two together, and all together, find what has every value."""
    for number, (one, other) in enumerate(PAIRS):
        fields = {one: VALUES[one][number & 1], other: VALUES[other][number >> 1 & 1]}
        assert ids_of(await listed(grpc_stub, bystander, limit=200, **fields)) == expected(stored, **fields)
    everything = {name: getattr(stored[7].exchange, name) for name in VALUES}
    assert stored[7].exchange.request_id in ids_of(await listed(grpc_stub, bystander, **everything))


@pytest.mark.parametrize(
    "fields",
    [
        {"model": ""},
        {"model": "gpt-4%"},
        {"user_id": "ann' --"},
        {"status_code": -1},
        {"key_id": "x"},
        {"app_id": "🤖"},
    ],
)
async def test_a_value_that_nobody_has_finds_nothing(grpc_stub, bystander, stored, fields):
    """Values are compared as they are: no wildcards, no quoting, and empty is a value."""
    assert expected(stored, **fields) == []
    answer = await listed(grpc_stub, bystander, count=True, **fields)
    assert (len(answer.items), answer.total, answer.HasField("next_cursor")) == (0, 0, False)


async def test_times_bound_the_arrival(grpc_stub, bystander, stored):
    """`since` is inclusive, `until` is not, to the microsecond."""
    since, until = clock.to_proto(MOMENT + 5), clock.to_proto(MOMENT + 9)
    wanted = [it.exchange.request_id for it in stored][::-1]
    assert ids_of(await listed(grpc_stub, bystander, since=since, until=until)) == wanted[-9:-5]
    assert ids_of(await listed(grpc_stub, bystander, since=since, limit=200)) == wanted[:-5]
    assert ids_of(await listed(grpc_stub, bystander, until=until, limit=200)) == wanted[-9:]
    ends = clock.to_proto(-62_135_596_800 * clock.SECOND), clock.to_proto(253_402_300_799 * clock.SECOND)
    assert len(ids_of(await listed(grpc_stub, bystander, since=ends[0], until=ends[1], limit=200))) == 40


async def test_a_provider_is_who_was_asked_or_who_answered(grpc_stub, recording, tenant, gateway):
    """Both find the exchange."""
    asked, fell_back = (record(tenant.org_id, provider="a", served_by=name) for name in ("a", "b"))
    await recording.Record(RecordRequest(records=[asked, fell_back]), metadata=gateway)
    both = {asked.exchange.request_id, fell_back.exchange.request_id}
    assert set(ids_of(await listed(grpc_stub, tenant, provider="a"))) == both
    assert ids_of(await listed(grpc_stub, tenant, provider="b")) == [fell_back.exchange.request_id]


@pytest.mark.parametrize("limit", [1, 7, 39, 40, 41])
async def test_pages_cover_everything_once(grpc_stub, bystander, stored, limit):
    """Whatever the size of the pages, also of those that end exactly with the list."""
    assert await walk(grpc_stub, bystander, limit=limit) == expected(stored)


async def test_a_count_is_of_all_that_match(grpc_stub, bystander, stored):
    """It is there only where asked for, the same on every page, and 50 is the limit where none is stated."""
    first = await listed(grpc_stub, bystander, level=WARN, limit=5, count=True)
    second = await listed(grpc_stub, bystander, level=WARN, limit=5, count=True, cursor=first.next_cursor)
    assert first.total == second.total == len(expected(stored, level=WARN))
    plain = await listed(grpc_stub, bystander)
    assert (plain.HasField("total"), plain.limit, first.limit) == (False, 50, 5)


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": 0},
        {"limit": 201},
        {"model": "x" * 257},
        {"user_id": "\0"},
        {"level": 99},
        {"view": 9},
        {"cursor": "A" * 2049},
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(grpc_stub, bystander, fields):
    """The refusal names the field."""
    failure = await refusal(listed(grpc_stub, bystander, **fields))
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, list(fields))


async def test_the_basic_view_leaves_out_what_is_long(grpc_stub, recording, tenant, gateway):
    """It tells all else as the full one does, which is what lists tell where none is stated."""
    stored = record(
        tenant.org_id,
        prompt="p",
        completion="c",
        attempts=[exchange_pb2.Attempt(provider="p")],
        metadata={"a": "b"},
        tags={"c": "d"},
        units={"web_searches": 1},
        user_id="ann",
        error_message="no",
        input_tokens=0,
    )
    await recording.Record(RecordRequest(records=[stored]), metadata=gateway)
    views = {}, {"view": pb.EXCHANGE_VIEW_FULL}, {"view": pb.EXCHANGE_VIEW_BASIC}
    plain, full, basic = [(await listed(grpc_stub, tenant, **view)).items[0] for view in views]
    assert plain == full
    for name in ("prompt", "completion", "attempts", "metadata", "tags", "units"):
        assert getattr(full, name), name
        full.ClearField(name)
    assert basic == full


def test_the_basic_view_reads_no_long_columns():
    """The database does not even look at them."""
    sql = str(select(*BASIC))
    assert Exchange.model.key in sql
    assert not [name for name in NOT_IN_BASIC if f"{Exchange.__tablename__}.{name}" in sql]


async def test_a_page_may_have_another_view_than_the_one_before(grpc_stub, bystander, stored):
    """The view changes no place in the list."""
    first = await listed(grpc_stub, bystander, limit=7, view=pb.EXCHANGE_VIEW_BASIC)
    second = await listed(grpc_stub, bystander, limit=200, cursor=first.next_cursor)
    assert ids_of(first) + ids_of(second) == expected(stored)


async def test_organisations_do_not_see_one_another(grpc_stub, bystander, tenant, stored):
    """Neither a list, nor a cursor from another's list, nor an id shows what is another's."""
    theirs = await listed(grpc_stub, bystander, limit=5)
    assert ids_of(await listed(grpc_stub, tenant, limit=200)) == []
    failure = await refusal(listed(grpc_stub, tenant, cursor=theirs.next_cursor))
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, ["cursor"])
    for request_id in (stored[0].exchange.request_id, "x", ids.uuid7()):
        failure = await refusal(
            grpc_stub.GetExchange(pb.GetExchangeRequest(request_id=request_id), metadata=tenant.owner)
        )
        assert (failure.code, failure.message) == (StatusCode.NOT_FOUND, "no such exchange")
