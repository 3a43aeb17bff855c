"""Whose id a call has, and where its caller finds it: in every answer, twice."""

import asyncio
import contextlib

import grpc
import pytest

from gen.ingate.proxy.v1 import proxy_service_pb2 as proxy_pb
from gen.ingate.proxy.v1 import proxy_service_pb2_grpc as proxy_grpc
from ingate import ids
from ingate.errors import NotFound
from ingate.rpc.principal import principal
from ingate.rpc.services import rpcs, services
from tests.support.chain import (
    AS_GATEWAY,
    AS_KEY,
    TRANSPORTS,
    LastCaller,
    answering,
    list_keys,
    scripted,
    serving,
)

KEYS = "ingate.keys.v1.KeyService"
PROXY = "ingate.proxy.v1.ProxyService"
STATED = (None, "0198-abc_D.1", ids.uuid7(), "r", "r", "x" * 128, "", "has space", "x" * 129, "x" * 8000)


@pytest.fixture(autouse=True, params=TRANSPORTS)
def transport(request, monkeypatch):
    """Every test here holds on both transports."""
    monkeypatch.setattr("tests.support.chain.TRANSPORT", request.param)
    return request.param


async def ended(running):
    """Returns the code of a call, and its initial and trailing metadata as dictionaries."""
    initial = dict(await running.initial_metadata())
    if isinstance(running, grpc.aio.UnaryStreamCall):
        with contextlib.suppress(grpc.aio.AioRpcError):
            async for _ in running:
                pass
    return await running.code(), initial, dict(await running.trailing_metadata())


def begin(channel, rpc, metadata):
    make = channel.unary_stream if rpc.server_streaming else channel.unary_unary
    return make(rpc.path, response_deserializer=rpc.response.FromString)(b"", metadata=metadata, timeout=10)


async def test_every_rpc_tells_its_id_before_and_after_the_answer():
    """Unary and streaming, answered and refused: the id is in the initial metadata, and the trailing one repeats it."""
    codes, told = set(), []
    async with serving({name: answering(name) for name in services()}) as (channel, _):
        for rpc in rpcs().values():
            for metadata in ((), AS_KEY, (("x-ingate-key", "bad"),), (("x-ingate-gateway", "wrong"),)):
                code, initial, trailing = await ended(begin(channel, rpc, (*metadata, ("x-request-id", "mine"))))
                codes.add(code)
                assert initial["x-ingate-request-id"] == trailing["x-ingate-request-id"], rpc.path
                assert initial["x-request-id"] == trailing["x-request-id"] == "mine"
                told.append(initial["x-ingate-request-id"])
    assert {grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED} <= codes
    assert len(set(told)) == len(told)


async def test_the_id_comes_before_the_answer():
    """A caller who waits for a slow answer can say already which call it is."""
    release = asyncio.Event()

    async def slow(_request, _context):
        await release.wait()
        yield proxy_pb.ForwardResponse(started=proxy_pb.Started(request_id=principal().request_id))

    async with serving({PROXY: scripted(PROXY, Forward=slow)}) as (channel, _):
        request = proxy_pb.ForwardRequest(method="GET", target="/v1/models")
        running = proxy_grpc.ProxyServiceStub(channel).Forward(request, metadata=AS_KEY)
        told = dict(await running.initial_metadata())["x-ingate-request-id"]
        release.set()
        assert (await running.read()).started.request_id == told


async def test_a_failure_of_the_servicer_has_the_id_as_well():
    """What fails behind all stages, as foreseen or not."""
    failures = iter((NotFound.of("key", "k"), RuntimeError("no text of this")))

    async def fail(_request, _context):
        raise next(failures)

    async with serving({KEYS: scripted(KEYS, ListKeys=fail)}) as (channel, _):
        for expected in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INTERNAL):
            code, initial, trailing = await ended(list_keys(channel, AS_KEY))
            assert code is expected
            assert initial["x-ingate-request-id"] == trailing["x-ingate-request-id"]


async def test_a_reference_that_is_sent_twice_or_as_bytes():
    """Values of one name are one, joined as HTTP joins them; bytes have a name of their own, and are no reference."""
    given = (("x-request-id", "a"), ("x-request-id", "b"))
    async with serving({KEYS: answering(KEYS)}) as (channel, _):
        for metadata, reference in (
            (given, "a,b"),
            ((("x-request-id-bin", b"\xff\x00"),), None),
            ((*given, ("x-request-id", "c" * 128)), None),
        ):
            _, initial, trailing = await ended(list_keys(channel, (*AS_KEY, *metadata)))
            assert initial.get("x-request-id") == trailing.get("x-request-id") == reference
            assert "x-ingate-request-id" in initial


async def test_the_request_id_is_ours_whatever_the_caller_states():
    """Each call has a fresh UUIDv7; the caller's reference comes back beside it, when it is fit to be repeated."""
    tell, seen = LastCaller(), set()
    async with serving({KEYS: scripted(KEYS, ListKeys=tell.list_keys)}) as (channel, _):
        for stated in STATED:
            reference = () if stated is None else (("x-request-id", stated),)
            running = list_keys(channel, [*AS_KEY, *reference])
            trailers = dict(await running.trailing_metadata())
            made = trailers.pop("x-ingate-request-id")
            assert made == tell.caller.request_id != stated
            assert made[14] == "7"
            seen.add(made)
            kept = stated and len(stated) <= 128 and " " not in stated
            assert trailers.get("x-request-id") == (stated if kept else None)
    assert len(seen) == len(STATED)


async def test_a_gateway_hands_on_the_id_that_it_made():
    """Beside a valid token a UUID is the id; anything else is replaced there too, and nothing is echoed."""
    tell, made = LastCaller(), ids.uuid7()
    async with serving({KEYS: scripted(KEYS, ListKeys=tell.list_keys)}) as (channel, _):
        for stated in (made, "r", made.upper(), f"{made},{made}"):
            running = list_keys(channel, [*AS_KEY, *AS_GATEWAY, ("x-request-id", stated)])
            trailers = dict(await running.trailing_metadata())
            assert (tell.caller.request_id == stated) is (stated == made)
            assert "x-ingate-request-id" not in {*trailers, *dict(await running.initial_metadata())}
        for token in ("", "wrong", "gateway-token-for-tests,gateway-token-for-tests"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await list_keys(channel, [*AS_KEY, ("x-ingate-gateway", token), ("x-request-id", made)])
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
