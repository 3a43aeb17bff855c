"""The server itself: health, reflection, addresses, limits and stopping."""

import asyncio
import stat
import subprocess
import sys

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gen.ingate.keys.v1 import key_service_pb2 as keys_pb
from ingate.rpc.connect import connect
from ingate.rpc.door import Door
from ingate.rpc.server import start
from ingate.rpc.services import rpcs
from tests.support.chain import AS_KEY, answering, call, scripted, serving
from tests.support.waiting import PATIENCE, eventually

KEYS = "ingate.keys.v1.KeyService"
GET = rpcs()[f"/{KEYS}/GetKey"]
LIST = rpcs()[f"/{KEYS}/ListKeys"]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health_of(channel, service):
    stub = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def test_health_is_public_and_told_per_service():
    """No credential is asked for; the server as a whole and each service have a state."""
    async with serving({KEYS: answering(KEYS)}) as (channel, server):
        assert [await health_of(channel, name) for name in ("", KEYS)] == [SERVING, SERVING]
        await server.set_serving(KEYS, serving=False)
        assert [await health_of(channel, name) for name in ("", KEYS)] == [SERVING, NOT_SERVING]
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await health_of(channel, "no.such.Service")
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_is_public_and_lists_the_services():
    """A tool without credentials finds what is served, and a descriptor of it."""
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=KEYS),
    ]
    async with serving({KEYS: answering(KEYS)}) as (channel, _):
        stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter(requests))
        listing, file = [answer async for answer in stream]
    names = [service.name for service in listing.list_services_response.service]
    assert sorted(names) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        KEYS,
    ]
    assert b"CreateKeyRequest" in b"".join(file.file_descriptor_response.file_descriptor_proto)


async def test_a_unix_socket_serves_its_owner_alone(tmp_path):
    """The socket is private, and a second server on it takes over from one that is gone."""
    path = tmp_path / "core.sock"
    for _start in range(2):
        async with serving({KEYS: answering(KEYS)}, address=f"unix:{path}") as (channel, server):
            assert await call(channel, LIST, metadata=AS_KEY) is grpc.StatusCode.OK
            assert (server.port, server.target) == (0, f"unix:{path}")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_port_zero_picks_one_and_a_taken_one_is_an_error():
    """Two servers never share a port."""
    async with serving({KEYS: answering(KEYS)}) as (_, server):
        assert server.port > 0
        assert server.target == f"127.0.0.1:{server.port}"
        with pytest.raises(OSError, match="cannot listen"):
            await start(server.target, {})


async def test_any_address_is_reached_over_loopback():
    """Who listens everywhere is called at home."""
    server = await start("0.0.0.0:0", {})
    assert server.target == f"127.0.0.1:{server.port}"
    await server.stop(0)


async def test_a_service_that_does_not_exist_cannot_be_served():
    """A misspelt name is an error at start, not a service that nobody finds."""
    with pytest.raises(ValueError, match="Keyz"):
        await start("127.0.0.1:0", {"ingate.keys.v1.Keyz": object()})


async def test_messages_beyond_the_limit_are_refused():
    """The bound holds and the server lives on."""
    server = await start("127.0.0.1:0", {KEYS: answering(KEYS)}, door=Door(10_000))
    try:
        async with connect(server.target) as channel:
            huge = keys_pb.CreateKeyRequest(name="x" * 20_000)
            create = rpcs()[f"/{KEYS}/CreateKey"]
            assert await call(channel, create, huge) is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert await call(channel, create, keys_pb.CreateKeyRequest(name="x")) is grpc.StatusCode.OK
    finally:
        await server.stop(0)


async def test_metadata_beyond_the_limit_is_refused():
    """Headers have a bound, and the server lives on."""
    async with serving({KEYS: answering(KEYS)}) as (channel, _):
        huge = [*AS_KEY, ("x-filler", "x" * 200_000)]
        assert await call(channel, LIST, metadata=huge) is not grpc.StatusCode.OK
        assert await call(channel, LIST, metadata=AS_KEY) is grpc.StatusCode.OK


class Slow:
    """Answers ListKeys when it is let."""

    def __init__(self):
        self.entered, self.release, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def list_keys(self, _request, _context):
        self.entered.set()
        try:
            await self.release.wait()
        finally:
            self.ended.set()
        return keys_pb.ListKeysResponse()


async def test_stopping_lets_running_calls_end():
    """What runs is answered; what comes later is not accepted; health says so meanwhile."""
    slow = Slow()
    async with serving({KEYS: scripted(KEYS, ListKeys=slow.list_keys)}) as (channel, server):
        running = asyncio.create_task(call(channel, LIST, metadata=AS_KEY))
        await asyncio.wait_for(slow.entered.wait(), PATIENCE)
        stopping = asyncio.create_task(server.stop(10))

        async def refused():
            async with connect(server.target) as late:
                return await call(late, GET, keys_pb.GetKeyRequest(key_id="k"), AS_KEY) is grpc.StatusCode.UNAVAILABLE

        await eventually(refused)
        slow.release.set()
        assert await asyncio.wait_for(running, PATIENCE) is grpc.StatusCode.OK
        await asyncio.wait_for(stopping, PATIENCE)


async def test_stopping_cancels_what_outlives_its_grace():
    """A call that does not end is cancelled and cleans up; stop returns."""
    slow = Slow()
    async with serving({KEYS: scripted(KEYS, ListKeys=slow.list_keys)}) as (channel, server):
        running = asyncio.create_task(call(channel, LIST, metadata=AS_KEY))
        await asyncio.wait_for(slow.entered.wait(), PATIENCE)
        await asyncio.wait_for(server.stop(0.05), PATIENCE)
        assert await asyncio.wait_for(running, PATIENCE) is not grpc.StatusCode.OK
        await asyncio.wait_for(slow.ended.wait(), PATIENCE)


async def test_a_channel_finds_a_server_that_comes_back(tmp_path):
    """A core that restarts is found again without a new channel."""
    address = f"unix:{tmp_path / 's'}"
    async with connect(address) as channel:
        assert await call(channel, LIST) is grpc.StatusCode.UNAVAILABLE
        for _start in range(2):
            server = await start(address, {KEYS: answering(KEYS)})
            method = channel.unary_unary(LIST.path)
            await method(b"", wait_for_ready=True, timeout=20)
            await server.stop(0)


def test_importing_the_server_loads_neither_health_nor_reflection():
    """What only a running server needs does not slow every start."""
    code = (
        "import sys, ingate.rpc.server; print([m for m in sys.modules if m.startswith(('grpc_health.', 'grpc_ref'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # `import grpc` itself loads the two empty top packages.
    assert done.stdout.strip() in ("[]", "['grpc_reflection']")
