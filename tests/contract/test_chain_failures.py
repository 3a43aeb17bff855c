"""How calls end, told to the caller and to the log."""

import asyncio
import re

import grpc
import pytest
import structlog

from gen.ingate.gateway.v1 import gateway_service_pb2 as gateway_pb
from gen.ingate.gateway.v1 import gateway_service_pb2_grpc as gateway_grpc
from gen.ingate.keys.v1 import key_pb2
from gen.ingate.keys.v1 import key_service_pb2 as keys_pb
from gen.ingate.keys.v1 import key_service_pb2_grpc as keys_grpc
from ingate import errors
from ingate.rpc.services import rpcs
from ingate.rpc.status import DETAILS_KEY, Failure, from_rpc_error
from tests.support.chain import AS_GATEWAY, AS_KEY, TRANSPORTS, scripted, serving
from tests.support.waiting import PATIENCE

KEYS = "ingate.keys.v1.KeyService"
GATEWAY = "ingate.gateway.v1.GatewayService"
CANARY = "canary-text-of-an-exception"


@pytest.fixture(autouse=True, params=TRANSPORTS)
def transport(request, monkeypatch):
    """Every test here holds on both transports."""
    monkeypatch.setattr("tests.support.chain.TRANSPORT", request.param)
    return request.param


def keys(behaviour):
    """Returns a servicer that runs whatever the test wants for GetKey, and leaves the other rpcs out."""

    async def get_key(_request, context):
        return await behaviour(context)

    return {KEYS: scripted(KEYS, GetKey=get_key)}


def watching(behaviour):
    """Returns a servicer that runs whatever the test wants for Watch."""

    async def watch(_request, context):
        async for response in behaviour(context):
            yield response

    return {GATEWAY: scripted(GATEWAY, Watch=watch)}


async def get_key(behaviour, *metadata):
    """Returns the error that GetKey ends with."""
    async with serving(keys(behaviour)) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await keys_grpc.KeyServiceStub(channel).GetKey(
                keys_pb.GetKeyRequest(key_id="k"), metadata=[*AS_KEY, *metadata], timeout=10
            )
    return failed.value


def everything(error):
    """Returns all that a caller gets to see of an error."""
    return repr((error.details(), error.debug_error_string(), tuple(error.trailing_metadata())))


async def test_a_domain_error_arrives_whole():
    """Code, reason, message, fields, metadata and retry reach the caller, whatever alphabet they are in."""

    async def behaviour(_context):
        raise errors.Conflict("taken — schön", fields={"name": "is taken"}, metadata={"name": "ü"}, retry_after=0.25)

    assert from_rpc_error(await get_key(behaviour)) == Failure(
        grpc.StatusCode.ALREADY_EXISTS, "CONFLICT", "taken — schön", {"name": "is taken"}, {"name": "ü"}, 0.25
    )


@pytest.mark.parametrize("odd", ["\ud800 lone", "nul \0 and\r\nlines", "x" * 100_000, ""])
async def test_odd_messages_do_not_break_the_answer(odd):
    """Surrogates, control characters and novels still end in the right code with a reason."""

    async def behaviour(_context):
        raise errors.Invalid(odd, fields={odd: odd}, metadata={odd: odd})

    failure = from_rpc_error(await get_key(behaviour))
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION")


@pytest.mark.parametrize(
    "exception", [RuntimeError(CANARY), TimeoutError(CANARY), KeyError(CANARY), grpc.RpcError(CANARY)]
)
async def test_an_unexpected_exception_leaks_no_text(exception):
    """The caller gets one fixed sentence and the request id; the log gets the traceback."""

    async def behaviour(_context):
        raise exception

    with structlog.testing.capture_logs() as lines:
        error = await get_key(behaviour)
    failure = from_rpc_error(error)
    assert (failure.code, failure.reason, failure.message) == (grpc.StatusCode.INTERNAL, "INTERNAL", "internal error")
    (request_id,) = failure.metadata.values()
    assert dict(error.trailing_metadata())["x-ingate-request-id"] == request_id
    assert CANARY not in everything(error)
    (crash,) = [line for line in lines if line["log_level"] == "error"]
    assert (crash["rpc"], crash["request_id"], crash["exc_info"]) == (f"{KEYS}/GetKey", request_id, True)
    assert [line["code"] for line in lines if line["event"] == "rpc"] == ["INTERNAL"]


async def test_an_error_group_leaks_no_text():
    """What a TaskGroup raises is unexpected as well."""

    async def behaviour(_context):
        async with asyncio.TaskGroup():
            raise RuntimeError(CANARY)

    error = await get_key(behaviour)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert CANARY not in everything(error)


@pytest.mark.parametrize("answer", [None, "text", keys_pb.ListKeysResponse()])
async def test_an_answer_of_the_wrong_type_is_our_failure(answer):
    """It is reported as any other, not by the serializer's own words."""

    async def behaviour(_context):
        return answer

    error = await get_key(behaviour)
    assert from_rpc_error(error).reason == "INTERNAL"
    assert type(answer).__name__ not in everything(error)


async def test_an_rpc_that_a_servicer_leaves_out_is_unimplemented():
    """The base class's answer reaches the caller in our words."""
    async with serving(keys(None)) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await keys_grpc.KeyServiceStub(channel).ListKeys(keys_pb.ListKeysRequest(), metadata=AS_KEY)
    failure = from_rpc_error(failed.value)
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED")


async def test_a_service_that_is_not_in_the_table_does_not_exist():
    """Registering a servicer opens nothing by itself."""
    table = {path: rpc for path, rpc in rpcs().items() if rpc.name != "GetKey"}
    async with serving(keys(None), table=table) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await keys_grpc.KeyServiceStub(channel).GetKey(keys_pb.GetKeyRequest(key_id="k"), metadata=AS_KEY)
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_handlers_own_abort_passes():
    """A servicer that knows gRPC and aborts is taken at its word, and the log has its code."""

    async def behaviour(context):
        await context.abort(grpc.StatusCode.ABORTED, "mine")

    with structlog.testing.capture_logs() as lines:
        error = await get_key(behaviour)
    assert (error.code(), error.details()) == (grpc.StatusCode.ABORTED, "mine")
    assert [line["code"] for line in lines if line["event"] == "rpc"] == ["ABORTED"]


async def test_trailing_metadata_of_the_handler_survives_failure():
    """What a servicer set arrives beside the status details and the counters."""

    async def behaviour(context):
        context.set_trailing_metadata((("x-mine", "1"),))
        raise errors.NotFound("gone")

    trailers = dict((await get_key(behaviour)).trailing_metadata())
    assert trailers["x-mine"] == "1"
    assert {DETAILS_KEY, "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(trailers)


async def test_cancellation_passes_and_cleans_up():
    """A client that leaves cancels the handler, whose own clean-up runs; the log says CANCELLED."""
    started, cleaned = asyncio.Event(), asyncio.Event()

    async def behaviour(_context):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    with structlog.testing.capture_logs() as lines:
        async with serving(keys(behaviour)) as (channel, _):
            call = keys_grpc.KeyServiceStub(channel).GetKey(keys_pb.GetKeyRequest(key_id="k"), metadata=AS_KEY)
            waiting = asyncio.ensure_future(call)
            await asyncio.wait_for(started.wait(), PATIENCE)
            waiting.cancel()
            await asyncio.wait_for(cleaned.wait(), PATIENCE)
            with pytest.raises(asyncio.CancelledError):
                await waiting
    assert [line["code"] for line in lines if line["event"] == "rpc"] == ["CANCELLED"]
    assert not [line for line in lines if line["log_level"] == "error"]


async def test_a_deadline_cancels_the_handler():
    """The caller gets DEADLINE_EXCEEDED and the handler does not run on."""
    cleaned = asyncio.Event()

    async def behaviour(_context):
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    async with serving(keys(behaviour)) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await keys_grpc.KeyServiceStub(channel).GetKey(
                keys_pb.GetKeyRequest(key_id="k"), metadata=AS_KEY, timeout=0.1
            )
        await asyncio.wait_for(cleaned.wait(), PATIENCE)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_stream_delivers_and_then_fails_richly():
    """Messages before the failure arrive, in order, and the failure after them is a domain error."""

    async def behaviour(_context):
        for epoch in range(3):
            yield gateway_pb.WatchResponse(epoch=epoch)
        raise errors.Unavailable("enough", retry_after=2)

    async with serving(watching(behaviour)) as (channel, _):
        call = gateway_grpc.GatewayServiceStub(channel).Watch(gateway_pb.WatchRequest(), metadata=AS_GATEWAY)
        assert [(await call.read()).epoch for _ in range(3)] == [0, 1, 2]
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
    failure = from_rpc_error(failed.value)
    assert (failure.reason, failure.message, failure.retry_after) == ("UNAVAILABLE", "enough", 2.0)


async def test_a_stream_that_breaks_leaks_no_text():
    """An exception in the middle of a stream is as silent as in a unary call."""

    async def behaviour(_context):
        yield gateway_pb.WatchResponse(epoch=1)
        raise RuntimeError(CANARY)

    async with serving(watching(behaviour)) as (channel, _):
        call = gateway_grpc.GatewayServiceStub(channel).Watch(gateway_pb.WatchRequest(), metadata=AS_GATEWAY)
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert CANARY not in everything(failed.value)


async def test_a_stream_whose_client_leaves_is_closed_at_once():
    """The generator's `finally` runs when the client goes, not when memory is collected."""
    cleaned = asyncio.Event()

    async def endless(_request, _context):
        try:
            while True:
                yield gateway_pb.WatchResponse(epoch=1)
        finally:
            cleaned.set()

    async with serving({GATEWAY: scripted(GATEWAY, Watch=endless)}) as (channel, _):
        call = gateway_grpc.GatewayServiceStub(channel).Watch(gateway_pb.WatchRequest(), metadata=AS_GATEWAY)
        await call.read()
        call.cancel()
        await asyncio.wait_for(cleaned.wait(), PATIENCE)


async def test_the_access_log_has_one_line_and_no_payload():
    """Rpc, code, milliseconds, organisation, key, request id and the caller's; nothing of what was said."""

    async def behaviour(_context):
        return keys_pb.GetKeyResponse(key=key_pb2.Key(name=CANARY))

    with structlog.testing.capture_logs() as lines:
        async with serving(keys(behaviour)) as (channel, _):
            await keys_grpc.KeyServiceStub(channel).GetKey(
                keys_pb.GetKeyRequest(key_id=CANARY), metadata=[*AS_KEY, ("x-request-id", "req-1")]
            )
    (line,) = lines
    assert line.pop("ms") > 0
    assert re.fullmatch(r"[0-9a-f-]{36}", line.pop("request_id"))
    assert line == {
        "event": "rpc",
        "log_level": "info",
        "rpc": f"{KEYS}/GetKey",
        "code": "OK",
        "org_id": "org-1",
        "key_id": "key-1",
        "client_request_id": "req-1",
    }


async def test_refused_calls_are_logged():
    """Unauthenticated and malformed calls leave a line too, with a request id of ours."""

    async def behaviour(_context):
        raise AssertionError

    with structlog.testing.capture_logs() as lines:
        async with serving(keys(behaviour)) as (channel, _):
            stub = keys_grpc.KeyServiceStub(channel)
            for metadata in ((), AS_KEY):
                with pytest.raises(grpc.aio.AioRpcError):
                    await stub.GetKey(keys_pb.GetKeyRequest(), metadata=metadata)
    assert [line["code"] for line in lines] == ["UNAUTHENTICATED", "INVALID_ARGUMENT"]
    assert all(re.fullmatch(r"[0-9a-f-]{36}", line["request_id"]) for line in lines)


@pytest.mark.parametrize("raised", [ValueError("while cleaning up"), grpc.aio.InternalError("the stream is closed")])
async def test_what_fails_because_the_caller_left_is_cancelled(raised):
    """No error and no traceback, whatever the handler makes of it."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def behaviour(_context):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            asyncio.get_running_loop().call_soon(ended.set)
            raise raised

    with structlog.testing.capture_logs() as lines:
        async with serving(keys(behaviour)) as (channel, _):
            call = keys_grpc.KeyServiceStub(channel).GetKey(keys_pb.GetKeyRequest(key_id="k"), metadata=AS_KEY)
            waiting = asyncio.ensure_future(call)
            await asyncio.wait_for(started.wait(), PATIENCE)
            waiting.cancel()
            await asyncio.wait_for(ended.wait(), PATIENCE)
            with pytest.raises(asyncio.CancelledError):
                await waiting
    assert [(line["code"], line["log_level"]) for line in lines] == [("CANCELLED", "info")]
