"""When the requests of callers are received, and how much of them: on sockets, where callers are strangers."""

import asyncio
import gc
import weakref

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gen.ingate.auth.v1 import auth_service_pb2 as auth_pb
from gen.ingate.keys.v1 import key_service_pb2 as keys_pb
from gen.ingate.keys.v1 import key_service_pb2_grpc as keys_grpc
from ingate import errors
from ingate.rpc.door import MESSAGE_BYTES, Door
from ingate.rpc.gate import Gate
from ingate.rpc.services import rpcs
from ingate.rpc.status import from_rpc_error
from tests.support.chain import AS_GATEWAY, AS_KEY, AS_PERSON, TRANSPORTS, answering, call, scripted, serving
from tests.support.http2 import FIRST_WINDOW, Http2, prefix
from tests.support.waiting import eventually

AUTH, KEYS, TEAMS = "ingate.auth.v1.AuthService", "ingate.keys.v1.KeyService", "ingate.orgs.v1.TeamService"
LOGIN, LIST, CREATE = f"/{AUTH}/Login", f"/{KEYS}/ListKeys", f"/{KEYS}/CreateKey"
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
RECORD = "/ingate.exchanges.v1.RecordService/Record"
MIB = 1024 * 1024
LARGE = 32 * MIB
PATIENCE = 15
WATCHES = 64
"""Watches that one address may hold."""


@pytest.fixture
def transport(request, monkeypatch):
    monkeypatch.setattr("tests.support.chain.TRANSPORT", request.param)


both = pytest.mark.parametrize("transport", TRANSPORTS, indirect=True)


async def never():
    """The requests of a caller who has opened a call and sends nothing."""
    await asyncio.Event().wait()
    yield b""


async def failure_of(awaitable):
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await asyncio.wait_for(awaitable, PATIENCE)
    return from_rpc_error(failed.value)


@pytest.mark.parametrize(
    ("path", "metadata", "reason"),
    [
        (CREATE, (), "UNAUTHENTICATED"),
        (CREATE, [("x-ingate-key", "bad")], "UNAUTHENTICATED"),
        (CREATE, [("x-ingate-key", "good"), ("authorization", "Bearer other")], "UNAUTHENTICATED"),
        (CREATE, AS_GATEWAY, "UNAUTHENTICATED"),
        (f"/{TEAMS}/CreateTeam", (), "UNAUTHENTICATED"),
        (f"/{AUTH}/Logout", (), "UNAUTHENTICATED"),
        (f"/{AUTH}/Logout", AS_KEY, "FORBIDDEN"),
        (RECORD, (), "UNAUTHENTICATED"),
        (RECORD, AS_KEY, "UNAUTHENTICATED"),
        (RECORD, AS_PERSON, "UNAUTHENTICATED"),
        (RECORD, [("x-ingate-gateway", "wrong")], "UNAUTHENTICATED"),
    ],
)
async def test_who_may_not_call_is_told_before_anything_is_sent(path, metadata, reason):
    """The answer does not wait for a request, and none is let in."""
    service = path[1:].partition("/")[0]
    async with serving({service: answering(service)}) as (channel, server):
        failure = await failure_of(channel.stream_unary(path)(never(), metadata=metadata))
        assert failure.reason == reason
        async with Http2(server.port) as peer:
            stream = await peer.open(path, *metadata)
            assert await peer.send(stream, prefix(LARGE) + b"x" * LARGE) <= FIRST_WINDOW
            await peer.over(stream)


async def test_what_is_sent_before_the_caller_is_known_is_a_window_at_most():
    """While the credential is looked up, flow control holds the rest back; the accepted request then arrives."""
    looked_up, go = asyncio.Event(), asyncio.Event()

    class Slow:
        async def authenticate(self, _metadata):
            looked_up.set()
            await go.wait()
            raise errors.Unauthenticated("the credential is not valid")

        async def standing(self, _user, _org):
            return None

    async with serving({KEYS: answering(KEYS)}, callers=Slow()) as (_, server), Http2(server.port) as peer:
        stream = await peer.open(CREATE, *AS_KEY)
        await looked_up.wait()
        assert await peer.send(stream, prefix(LARGE) + b"x" * MIB) == FIRST_WINDOW
        go.set()
        await peer.over(stream)


@pytest.mark.parametrize("path", [LOGIN, CHECK, WATCH, REFLECT])
async def test_few_strangers_are_received_at_a_time(path):
    """Of eight who send large requests without a credential, all but three stay behind their windows."""
    door = Door()
    door.strangers = door.tools = Gate(3, patience=60, waiting=64, share=16)
    async with serving({AUTH: answering(AUTH)}, door=door) as (_, server), Http2(server.port) as peer:
        streams = [await peer.open(path) for _ in range(8)]
        sent = await asyncio.gather(*(peer.send(each, prefix(LARGE) + b"x" * (MIB // 4)) for each in streams))
        assert sorted(sent) == [FIRST_WINDOW] * 5 + [5 + MIB // 4] * 3


async def test_strangers_who_dribble_keep_nobody_from_signing_in():
    """Who waits has a turn soon: those who do not come to an end make room, and are told."""
    async with serving({AUTH: answering(AUTH)}) as (channel, server), Http2(server.port) as peer:
        streams = [await peer.open(LOGIN) for _ in range(12)]
        for stream in streams:
            await peer.send(stream, prefix(LARGE) + b"x", quiet=0)
        request = auth_pb.LoginRequest(email="a@b.example", password="x")
        assert await call(channel, rpcs()[LOGIN], request) is grpc.StatusCode.OK
        for stream in streams:
            await peer.over(stream)


@pytest.mark.parametrize("path", [LOGIN, CHECK, WATCH, REFLECT])
async def test_a_stranger_who_dribbles_is_cut(path, monkeypatch):
    """A request that does not arrive in time ends in an error of its own."""
    for module in ("receive", "tools"):
        monkeypatch.setattr(f"ingate.rpc.interceptors.{module}.SECONDS", 0.05)
    async with serving({AUTH: answering(AUTH)}) as (channel, _):
        failure = await failure_of(rest_of(channel.stream_stream(path)(never())))
        assert (failure.code, failure.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "REQUEST_TIMEOUT")


async def test_a_call_without_a_request_is_a_bad_request():
    """Its sender has ended the requests before the first."""
    async with serving({KEYS: answering(KEYS), AUTH: answering(AUTH)}) as (channel, _):
        for path, metadata in ((CREATE, AS_KEY), (LOGIN, ()), (CHECK, ())):
            failure = await failure_of(channel.stream_unary(path)(iter(()), metadata=metadata))
            assert failure.reason == "BAD_REQUEST"


@both
@pytest.mark.usefixtures("transport")
async def test_requests_have_a_mebibyte():
    """The last byte that fits is judged by the rules, one more is too large; a gateway's batch has more."""
    overhead = len(keys_pb.CreateKeyRequest(name="x" * MIB).SerializeToString()) - MIB
    exchanges = "ingate.exchanges.v1.RecordService"
    async with serving({KEYS: answering(KEYS), exchanges: answering(exchanges)}) as (channel, _):
        for size, reason in ((MESSAGE_BYTES - overhead, "BAD_REQUEST"), (MESSAGE_BYTES, "PAYLOAD_TOO_LARGE")):
            request = keys_pb.CreateKeyRequest(name="x" * size)
            failure = await failure_of(keys_grpc.KeyServiceStub(channel).CreateKey(request, metadata=AS_KEY))
            assert failure.reason == reason
        batch = rpcs()[RECORD].request()
        batch.records.add().exchange.prompt = "x" * (2 * MIB)
        assert await call(channel, rpcs()[RECORD], batch, AS_GATEWAY) is grpc.StatusCode.OK


@both
@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("raw", [b"\x1a\x00" * (MIB // 2 - 10), b"\x1a\x00" * 5000])
async def test_a_crowded_request_is_refused_by_the_name_of_its_field(raw):
    """It is not parsed: that would take many times its bytes."""
    async with serving({TEAMS: answering(TEAMS)}) as (channel, _):
        failure = await failure_of(channel.unary_unary(f"/{TEAMS}/CreateTeam")(raw, metadata=AS_KEY))
    assert (failure.reason, failure.fields) == ("BAD_REQUEST", {"member_ids": "has too many items"})


async def test_a_message_beyond_every_limit_is_refused_by_its_length():
    """None of it is waited for: its first bytes say how long it will be."""
    async with serving({KEYS: answering(KEYS)}) as (_, server), Http2(server.port) as peer:
        stream = await peer.open(CREATE, *AS_KEY)
        assert await peer.send(stream, prefix(256 * MIB) + b"x" * MIB) < MIB
        await peer.over(stream)


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_a_compressed_bomb_is_refused(compression):
    """What inflates beyond the limit is no message; what does not is judged as any other, and the server lives on."""
    async with serving({KEYS: answering(KEYS)}) as (channel, _):
        create = channel.unary_unary(CREATE)
        for size, reason in ((100 * MIB, "PAYLOAD_TOO_LARGE"), (2 * MIB, "PAYLOAD_TOO_LARGE")):
            failure = await failure_of(create(b"\0" * size, metadata=AS_KEY, compression=compression))
            assert failure.reason == reason
        assert await call(channel, rpcs()[LIST], metadata=AS_KEY) is grpc.StatusCode.OK


@both
@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("error", [errors.Conflict, RuntimeError])
async def test_a_refused_request_is_not_kept(error):
    """Nothing holds what a call had in hand when it is over: no circle waits for the collector."""
    kept = []

    class Held:
        pass

    async def create(_request, _context):
        in_hand = Held()
        kept.append(weakref.ref(in_hand))
        raise error("no")

    async with serving({KEYS: scripted(KEYS, CreateKey=create)}) as (channel, _):
        stub = keys_grpc.KeyServiceStub(channel)
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                await failure_of(stub.CreateKey(keys_pb.CreateKeyRequest(name="n"), metadata=AS_KEY))
            await eventually(lambda: [ref() for ref in kept] == [None] * 3)
        finally:
            gc.enable()


async def watching(channel, count):
    """Returns so many watches that have had their first answer."""
    stub = health_pb2_grpc.HealthStub(channel)
    watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(count)]
    for watch in watches:
        await asyncio.wait_for(anext(aiter(watch)), PATIENCE)
    return watches


async def rest_of(stream):
    """Returns what is still to be read of a stream."""
    return [answer async for answer in stream]


async def test_watches_of_strangers_are_few():
    """One more than an address may hold is refused, and whoever asks once is answered; a place that ends is free."""
    async with serving({KEYS: answering(KEYS)}) as (channel, _):
        stub = health_pb2_grpc.HealthStub(channel)
        watches = await watching(channel, WATCHES)
        failure = await failure_of(rest_of(stub.Watch(health_pb2.HealthCheckRequest())))
        assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
        assert await call(channel, rpcs()[LIST], metadata=AS_KEY) is grpc.StatusCode.OK
        watches.pop().cancel()

        async def admitted():
            again = stub.Watch(health_pb2.HealthCheckRequest())
            try:
                return await again.read()
            except grpc.aio.AioRpcError:
                return False

        await eventually(admitted)


async def test_an_idle_reflection_stream_makes_room():
    """Streams that ask nothing keep nobody from asking, however many there are."""
    async with serving({KEYS: answering(KEYS)}) as (channel, _):
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)

        async def silent():
            await asyncio.Event().wait()
            yield reflection_pb2.ServerReflectionRequest()

        idle = [reflection.ServerReflectionInfo(silent()) for _ in range(10)]
        readers = [asyncio.create_task(stream.read()) for stream in idle]
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        answers = [answer async for answer in reflection.ServerReflectionInfo(iter(asked), timeout=PATIENCE)]
        assert len(answers[0].list_services_response.service) == 4
        for stream in idle:
            stream.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def test_stopping_waits_for_nobody_who_showed_no_credential():
    """Watches, reflection and dribbles end at once; work that was accepted has the whole grace."""
    entered, go = asyncio.Event(), asyncio.Event()

    async def list_keys(_request, _context):
        entered.set()
        await go.wait()
        return keys_pb.ListKeysResponse()

    servicers = {KEYS: scripted(KEYS, ListKeys=list_keys), AUTH: answering(AUTH)}
    async with serving(servicers) as (channel, server), Http2(server.port) as peer:
        dribbles = [await peer.open(LOGIN) for _ in range(2)]
        for stream in dribbles:
            await peer.send(stream, prefix(1000) + b"x")
        watches = await watching(channel, 3)
        working = asyncio.create_task(call(channel, rpcs()[LIST], metadata=AS_KEY))
        await asyncio.wait_for(entered.wait(), PATIENCE)
        stopping = asyncio.create_task(server.stop(600))
        for watch in watches:
            assert (await failure_of(rest_of(watch))).code is grpc.StatusCode.UNAVAILABLE
        for stream in dribbles:
            await peer.over(stream)
        assert not working.done()
        assert not stopping.done()
        go.set()
        assert await asyncio.wait_for(working, PATIENCE) is grpc.StatusCode.OK
        await asyncio.wait_for(stopping, PATIENCE)


async def test_a_stranger_alone_does_not_hold_up_the_stop():
    """Without work there is nothing to wait for, whatever strangers hold open."""
    async with serving({AUTH: answering(AUTH)}) as (channel, server), Http2(server.port) as peer:
        await peer.send(await peer.open(LOGIN), prefix(1000) + b"x")
        await watching(channel, 5)
        await asyncio.wait_for(server.stop(600), PATIENCE)


async def connected(port):
    """Returns the streams of a connection that the server has greeted, None where it has closed it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if await asyncio.wait_for(reader.read(1), PATIENCE):
            return reader, writer
    except ConnectionError:
        pass
    writer.close()
    return None


async def test_connections_have_a_bound(monkeypatch):
    """One more is closed, those that are there go on, and one that ends leaves room."""
    monkeypatch.setattr("ingate.rpc.server.MAX_CONNECTIONS", 3)
    async with serving({KEYS: answering(KEYS)}) as (channel, server):
        assert await call(channel, rpcs()[LIST], metadata=AS_KEY) is grpc.StatusCode.OK
        kept = [await connected(server.port) for _ in range(2)]
        assert all(kept)
        assert await connected(server.port) is None
        assert await call(channel, rpcs()[LIST], metadata=AS_KEY) is grpc.StatusCode.OK
        kept.pop()[1].close()

        async def room():
            again = await connected(server.port)
            kept.append(again)
            return again

        await eventually(room)
        for each in kept:
            if each:
                each[1].close()


@pytest.mark.parametrize("greets", [False, True])
async def test_connections_without_a_call_end(greets, monkeypatch):
    """One that does not speak HTTP/2, and one that does and asks nothing, are closed in their time."""
    monkeypatch.setattr(f"ingate.rpc.server.{'IDLE_MS' if greets else 'HANDSHAKE_MS'}", 200)
    async with serving({KEYS: answering(KEYS)}) as (_, server):
        if greets:
            async with Http2(server.port) as peer:
                await peer.closed()
            return
        reader, writer = await connected(server.port)
        async with asyncio.timeout(PATIENCE):
            while await reader.read(100):
                pass
        writer.close()
