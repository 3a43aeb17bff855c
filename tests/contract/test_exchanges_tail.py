"""What readers of the tail are told, on both transports and both databases, whichever process stores it."""

import asyncio
import json
import random

import grpc
import pytest

from gen.ingate.access.v1.access_pb2 import SCOPE_PROXY, SCOPE_READ
from gen.ingate.auth.v1.auth_service_pb2 import LoginRequest, LogoutRequest
from gen.ingate.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from gen.ingate.exchanges.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest
from gen.ingate.exchanges.v1.record_service_pb2_grpc import RecordServiceStub
from gen.ingate.keys.v1.key_service_pb2 import RevokeKeyRequest, UpdateKeyRequest
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from ingate import clock
from ingate.exchanges import arrivals
from tests.rest.event_laws import listening
from tests.rest.laws import lawful
from tests.support.records import MOMENT, record
from tests.support.tenants import PASSWORD, refusal
from tests.support.waiting import eventually

SECONDS = 30.0
STREAM = "/api/v1/logs/stream"


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return ExchangeServiceStub


class Reader:
    """A call of the tail, and the cursor that it was given last."""

    def __init__(self, stub, metadata, **fields):
        self.call = stub.TailExchanges(pb.TailExchangesRequest(**fields), metadata=metadata)
        self.cursor = ""

    async def answer(self):
        """Returns the next answer."""
        async with asyncio.timeout(SECONDS):
            answer = await self.call.read()
        assert answer is not grpc.aio.EOF
        self.cursor = answer.cursor
        return answer

    async def begun(self):
        """Returns the reader when it is told of whatever is stored."""
        assert (await self.answer()).WhichOneof("event") is None
        return self

    async def ids(self, number):
        """Returns the ids of the next exchanges."""
        found = []
        while len(found) < number:
            answer = await self.answer()
            if answer.WhichOneof("event") is not None:
                assert answer.HasField("exchange"), answer
                found.append(answer.exchange.request_id)
        return found

    async def __aenter__(self):
        return await self.begun()

    async def __aexit__(self, *error):
        self.call.cancel()


def records(tenant, number, **fields):
    """Returns records whose ids and times are in no order."""
    made = [record(tenant.org_id, at=MOMENT - n, **fields) for n in range(number)]
    random.Random(number).shuffle(made)
    return made


async def store(recording, gateway, *made):
    """Stores records in one transaction; returns the ids of the first's organisation in the order that is told."""
    await recording.Record(RecordRequest(records=made), metadata=gateway)
    return sorted(it.exchange.request_id for it in made if it.org_id == made[0].org_id)


async def test_exchanges_are_told_as_they_are_stored(grpc_stub, recording, tenant, stranger, gateway):
    """Batch by batch, as lists show them, to those of their organisation alone."""
    async with Reader(grpc_stub, tenant.owner) as reader, Reader(grpc_stub, stranger.owner) as other:
        for number in (1, 210):
            made = records(tenant, number, path="/x" * 1000)
            stored = await store(recording, gateway, *made, *records(stranger, 1))
            assert await reader.ids(number) == stored
        assert len(await other.ids(2)) == 2
        told = records(tenant, 1, tags={"a": "b"})
        await store(recording, gateway, *told)
        answer = await reader.answer()
        shown = (await grpc_stub.ListExchanges(pb.ListExchangesRequest(limit=200), metadata=tenant.owner)).items
        assert [answer.exchange] == [it for it in shown if it.request_id == told[0].exchange.request_id]


async def test_a_batch_that_is_sent_again_is_told_once(grpc_stub, recording, tenant, gateway):
    """Whoever listens is not told twice what a gateway reports twice."""
    made = records(tenant, 3)
    async with Reader(grpc_stub, tenant.owner) as reader:
        first = await store(recording, gateway, *made[:2])
        await store(recording, gateway, *made)
        assert await reader.ids(3) == [*first, made[2].exchange.request_id]
        later = await store(recording, gateway, *records(tenant, 1))
        assert await reader.ids(1) == later


async def test_a_reader_goes_on_behind_its_cursor(grpc_stub, recording, tenant, gateway):
    """From the beginning, from the middle of a batch, with other filters, and with nothing missed."""
    async with Reader(grpc_stub, tenant.owner) as reader:
        start = reader.cursor
    first = await store(recording, gateway, *records(tenant, 5))
    async with Reader(grpc_stub, tenant.owner, cursor=start) as reader:
        assert await reader.ids(2) == first[:2]
        middle = reader.cursor
    second = await store(recording, gateway, *records(tenant, 3, status_code=500), *records(tenant, 3))
    async with Reader(grpc_stub, tenant.owner, cursor=middle) as reader:
        assert await reader.ids(9) == first[2:] + second
        assert await store(recording, gateway, *records(tenant, 1)) == await reader.ids(1)
    async with Reader(grpc_stub, tenant.owner, cursor=middle, status_code=500) as reader:
        assert set(await reader.ids(3)) < set(second)


async def test_long_backlogs_come_whole(grpc_stub, recording, tenant, gateway):
    """Longer ones than are read at once, in batches and one by one."""
    async with Reader(grpc_stub, tenant.owner) as reader:
        start = reader.cursor
    stored = await store(recording, gateway, *records(tenant, 230))
    for _ in range(3):
        stored += await store(recording, gateway, *records(tenant, 1))
    async with Reader(grpc_stub, tenant.owner, cursor=start) as reader:
        assert await reader.ids(233) == stored


async def test_what_another_process_stores_is_told(grpc_stub, recording, tenant, second_core, gateway):
    """And a cursor of one process is good at another, whoever has read further."""
    theirs = RecordServiceStub(second_core.channel), (("x-ingate-gateway", second_core.gateway_token),)
    others = ExchangeServiceStub(second_core.channel)
    async with Reader(grpc_stub, tenant.owner) as reader:
        stored = await store(*theirs, *records(tenant, 2))
        assert await reader.ids(2) == stored
        # Their gateway token is another.
        session = tenant.owner[-1:]
        async with Reader(others, session, cursor=reader.cursor) as other:
            for way in (theirs, (recording, gateway)):
                made = await store(*way, *records(tenant, 2))
                assert await other.ids(2) == await reader.ids(2) == made


@pytest.mark.parametrize("cursor", ["x", "A" * 40, "\N{BULLET}"])
async def test_a_cursor_that_was_not_given_out_is_refused(grpc_stub, tenant, cursor):
    """By name, and one of another organisation too."""
    failure = await refusal(Reader(grpc_stub, tenant.owner, cursor=cursor).answer())
    assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["cursor"])


async def test_a_cursor_of_another_organisation_is_refused(grpc_stub, tenant, stranger):
    """As one that was edited."""
    async with Reader(grpc_stub, stranger.owner) as reader:
        theirs = reader.cursor
    failure = await refusal(Reader(grpc_stub, tenant.owner, cursor=theirs).answer())
    assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["cursor"])


async def test_what_may_be_missing_is_stated(grpc_stub, recording, tenant, gateway, monkeypatch):
    """A reader with an old cursor is told the time of which it may not be told everything, and goes on."""
    async with Reader(grpc_stub, tenant.owner) as reader:
        start = reader.cursor
    await store(recording, gateway, *records(tenant, 2))
    now = clock.now()
    monkeypatch.setattr("ingate.exchanges.backlog.clock.now", lambda: now + 2 * clock.HOUR)
    reader = Reader(grpc_stub, tenant.owner, cursor=start)
    gap = (await reader.answer()).gap
    assert clock.from_proto(gap.since) < now < clock.from_proto(gap.until)
    monkeypatch.undo()
    await reader.begun()
    assert await store(recording, gateway, *records(tenant, 1)) == await reader.ids(1)
    reader.call.cancel()


async def test_a_cursor_from_before_a_restore_is_a_gap(grpc_stub, recording, tenant, core, gateway):
    """Numbers have begun anew then: nobody waits until they are there again."""
    ahead = arrivals.encode(arrivals.Place(1 << 40, "", clock.now()), tenant.org_id)
    reader = Reader(grpc_stub, tenant.owner, cursor=ahead)
    assert (await reader.answer()).HasField("gap")
    await reader.begun()
    assert await store(recording, gateway, *records(tenant, 1)) == await reader.ids(1)
    reader.call.cancel()


async def test_silence_has_a_cursor(grpc_stub, recording, tenant, gateway, monkeypatch):
    """A reader for whom there is nothing learns how far it has come all the same."""
    monkeypatch.setattr("ingate.exchanges.tail.QUIET_SECONDS", 0.05)
    async with Reader(grpc_stub, tenant.owner, status_code=418) as reader:
        start = arrivals.decode(reader.cursor, tenant.org_id)
        await store(recording, gateway, *records(tenant, 2))
        while arrivals.decode(reader.cursor, tenant.org_id).number == start.number:
            await reader.begun()
        later = reader.cursor
    stored = await store(recording, gateway, *records(tenant, 1))
    async with Reader(grpc_stub, tenant.owner, cursor=later) as reader:
        assert await reader.ids(1) == stored


async def test_who_reads_slowly_gets_everything(grpc_stub, recording, tenant, gateway, monkeypatch):
    """Though no more is kept for readers than an entry, and others have read all of it long ago."""
    monkeypatch.setattr("ingate.exchanges.tail.KEPT_BYTES", 1)
    monkeypatch.setattr("ingate.exchanges.tail.LEAST_BYTES", 1)
    async with Reader(grpc_stub, tenant.owner) as slow, Reader(grpc_stub, tenant.owner) as quick:
        stored = []
        for _ in range(3):
            some = await store(recording, gateway, *records(tenant, 100, prompt="x" * 1000))
            assert await quick.ids(100) == some
            stored += some
        assert await slow.ids(300) == stored


async def test_readers_are_counted(grpc_stub, tenant, core, monkeypatch):
    """One too many is told to come back; one that leaves makes room, and nothing is left of the last."""
    monkeypatch.setattr("ingate.exchanges.tail.READERS_OF_ONE", 2)
    tail = core.servicers["ingate.exchanges.v1.ExchangeService"].tail
    async with Reader(grpc_stub, tenant.owner) as one, Reader(grpc_stub, tenant.owner):
        failure = await refusal(Reader(grpc_stub, tenant.owner).answer())
        assert (failure.reason, failure.retry_after) == ("RATE_LIMITED", 1)
        one.call.cancel()
        await eventually(lambda: tail._recent[tenant.org_id].readers == 1)
        async with Reader(grpc_stub, tenant.owner):
            pass
    await eventually(lambda: tenant.org_id not in tail._recent)


async def test_a_reader_may_read_as_long_as_it_may_call(grpc_stub, grpc_channel, tenant):
    """A key that is revoked, or loses its scope, and a session that ends, end their streams, and no other."""
    keys = KeyServiceStub(grpc_channel)
    (one, revoked), (other, narrowed) = await tenant.issue(scopes=[SCOPE_READ]), await tenant.issue()
    login = LoginRequest(email=tenant.email, password=PASSWORD)
    answer = await AuthServiceStub(grpc_channel).Login(login, metadata=tenant.via)
    session = (*tenant.via, ("authorization", f"Bearer {answer.token}"))

    async def revoke():
        await keys.RevokeKey(RevokeKeyRequest(key_id=one.description.id), metadata=tenant.owner)

    async def narrow():
        update = UpdateKeyRequest(key_id=other.description.id, scopes=[SCOPE_PROXY])
        await keys.UpdateKey(update, metadata=tenant.owner)

    async def leave():
        await AuthServiceStub(grpc_channel).Logout(LogoutRequest(), metadata=session)

    async with Reader(grpc_stub, tenant.owner) as stays:
        for metadata, end, reason in (
            (revoked, revoke, "UNAUTHENTICATED"),
            (narrowed, narrow, "FORBIDDEN"),
            (session, leave, "UNAUTHENTICATED"),
        ):
            async with Reader(grpc_stub, metadata) as reader:
                await end()
                assert (await refusal(reader.answer())).reason == reason
        assert not stays.call.done()


async def test_a_tail_over_rest(http, recording, tenant, gateway):
    """Is told by events, goes on behind the last, and ends with an error event for a key that works no more."""
    answer, (*_, (name, secret)) = await tenant.issue(scopes=[SCOPE_READ])
    key = {name: secret}
    async with listening(http, STREAM, **key) as reader:
        assert int(reader.response.headers["x-ratelimit-remaining"]) >= 0
        start = await reader.event()
        assert start[:2] == ("", "")
        stored = await store(recording, gateway, *records(tenant, 3))
        told = [await reader.event() for _ in range(3)]
        assert [json.loads(data)["request_id"] for _, data, _ in told] == stored
    async with listening(http, f"{STREAM}?cursor={start[2]}", **key, **{"Last-Event-ID": told[1][2]}) as reader:
        assert await reader.event() == ("", "", told[1][2])
        assert await reader.event() == told[2]
        revoking = RevokeKeyRequest(key_id=answer.description.id)
        await KeyServiceStub(tenant.channel).RevokeKey(revoking, metadata=tenant.owner)
        name, data, _ = await reader.event()
        assert (name, json.loads(data)["code"]) == ("error", "unauthorized")
        assert await reader.event() is None
    assert (await http.get(STREAM, headers=key)).status_code == 401


async def test_what_is_wrong_with_a_tail_is_an_ordinary_answer(http, tenant):
    """By status and code, as with every other route."""
    _, (*_, (name, secret)) = await tenant.issue(scopes=[SCOPE_PROXY])
    reads = dict(tenant.owner[-1:])
    for query, headers, status in (
        ("", {}, 401),
        ("", {name: secret}, 403),
        ("?nope=1", reads, 400),
        ("?limit=5", reads, 400),
        ("?level=loud", reads, 400),
        ("?cursor=x", reads, 400),
        ("", {**reads, "Last-Event-ID": "x"}, 400),
        ("?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", reads, 400),
    ):
        for verb in ("GET", "HEAD"):
            response = await http.request(verb, STREAM + query, headers=headers)
            assert response.status_code == status, (query, response.text)
            lawful(response)
    head = await http.head(STREAM, headers=reads)
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")
