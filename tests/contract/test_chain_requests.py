"""What requests and keys go through before a servicer sees them."""

import asyncio
import contextlib
import dataclasses
import time

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from gen.ingate.gateway.v1 import gateway_service_pb2 as gateway_pb
from gen.ingate.keys.v1 import key_service_pb2 as keys_pb
from gen.ingate.keys.v1 import key_service_pb2_grpc as keys_grpc
from ingate.clock import MINUTE, SECOND
from ingate.limits.window import RateWindows
from ingate.rpc.services import rpcs, services
from ingate.rpc.status import DETAILS_KEY, from_rpc_error
from tests.support.chain import (
    AS_GATEWAY,
    AS_KEY,
    AS_PERSON,
    KEY,
    NOW,
    TRANSPORTS,
    Callers,
    answering,
    call,
    scripted,
    serving,
)

KEYS = "ingate.keys.v1.KeyService"
GATEWAY = "ingate.gateway.v1.GatewayService"
CREATE = f"/{KEYS}/CreateKey"
RESET = str((NOW // MINUTE + 1) * 60)


@pytest.fixture(autouse=True, params=TRANSPORTS)
def transport(request, monkeypatch):
    """Every test here holds on both transports."""
    monkeypatch.setattr("tests.support.chain.TRANSPORT", request.param)
    return request.param


class Counting:
    """Counts the calls that reach it; replaces trailing metadata, as a careless servicer would."""

    def __init__(self):
        self.calls = 0

    def servicers(self):
        return {KEYS: scripted(KEYS, ListKeys=self.list_keys, CreateKey=self.create_key)}

    async def list_keys(self, _request, context):
        self.calls += 1
        context.set_trailing_metadata((("x-mine", "1"),))
        return keys_pb.ListKeysResponse()

    async def create_key(self, _request, _context):
        self.calls += 1
        return keys_pb.CreateKeyResponse()


async def failure_of(awaitable):
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await awaitable
    return from_rpc_error(failed.value)


async def test_a_request_that_breaks_its_rules_never_reaches_the_servicer():
    """The answer names each field by path and says what is wrong with it."""
    servicer = Counting()
    async with serving(servicer.servicers()) as (channel, _):
        create = keys_grpc.KeyServiceStub(channel).CreateKey
        failure = await failure_of(create(keys_pb.CreateKeyRequest(rate_limit_per_minute=-1), metadata=AS_KEY))
        await create(keys_pb.CreateKeyRequest(name="n"), metadata=AS_KEY)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_REQUEST")
    assert failure.message == "name is required"
    assert failure.fields == {"name": "is required", "rate_limit_per_minute": "must be at least 1"}
    assert servicer.calls == 1


@pytest.mark.parametrize("raw", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xc3\x28", b"\x00" * 100])
async def test_bytes_that_are_no_message_are_a_bad_request(raw):
    """Malformed, truncated and badly encoded requests are refused in our words, not the parser's."""
    async with serving(Counting().servicers()) as (channel, _):
        failure = await failure_of(channel.unary_unary(CREATE)(raw, metadata=AS_KEY))
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_REQUEST")
    assert failure.message == "the request is not a valid CreateKeyRequest"


async def test_a_stranger_learns_nothing_of_the_rules():
    """Who may not call is told so, whatever the request looks like."""
    async with serving(Counting().servicers()) as (channel, _):
        for raw in (b"\xff", b""):
            failure = await failure_of(channel.unary_unary(CREATE)(raw))
            assert failure.reason == "UNAUTHENTICATED"


@pytest.mark.parametrize("rpc", [rpc for rpc in rpcs().values() if not rpc.client_streaming], ids=lambda rpc: rpc.path)
async def test_every_rpc_refuses_noise(rpc):
    """Bytes of every value are a bad request, or a message that can be judged: never a failure of ours."""
    access = rpc.access
    metadata = () if access.public else AS_GATEWAY if access.gateway else AS_PERSON if access.person else AS_KEY
    make = "unary_stream" if rpc.server_streaming else "unary_unary"
    async with serving({rpc.service: answering(rpc.service)}) as (channel, _):
        for raw in (bytes(range(256)), b"\x08\x96\x01" * 50, b"\x1a" * 64, b"\xff" * 64):
            running = getattr(channel, make)(rpc.path)(raw, metadata=metadata, timeout=10)
            if rpc.server_streaming:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    assert len([chunk async for chunk in running]) == 1
            assert await running.code() in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT)


async def test_what_gateways_report_is_checked_at_the_top():
    """A missing field of the request itself is refused."""
    rpc = rpcs()[f"/{GATEWAY}/Admit"]
    async with serving({GATEWAY: answering(GATEWAY)}) as (channel, _):
        assert await call(channel, rpc, metadata=AS_GATEWAY) is grpc.StatusCode.INVALID_ARGUMENT
        good = gateway_pb.AdmitRequest(key_hash=b"h" * 32)
        assert await call(channel, rpc, good, metadata=AS_GATEWAY) is grpc.StatusCode.OK


def callers(limit):
    return Callers({"good": dataclasses.replace(KEY, rate_limit=limit)})


async def test_every_answer_to_a_key_tells_how_its_minute_stands():
    """Success, refusal and what the servicer set beside it carry the three numbers."""
    async with serving(Counting().servicers(), callers=callers(5)) as (channel, _):
        stub = keys_grpc.KeyServiceStub(channel)
        listing = stub.ListKeys(keys_pb.ListKeysRequest(), metadata=AS_KEY)
        await listing
        assert dict(await listing.trailing_metadata()) == {
            "x-mine": "1",
            "x-ratelimit-limit": "5",
            "x-ratelimit-remaining": "4",
            "x-ratelimit-reset": RESET,
        }
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.CreateKey(keys_pb.CreateKeyRequest(), metadata=AS_KEY)
        trailers = dict(failed.value.trailing_metadata())
        assert (trailers["x-ratelimit-remaining"], trailers["x-ratelimit-reset"]) == ("3", RESET)


async def test_a_key_beyond_its_limit_is_told_when_to_come_back():
    """The answer has RetryInfo, QuotaFailure and a remaining of zero; the servicer is not reached."""
    servicer = Counting()
    async with serving(servicer.servicers(), callers=callers(2)) as (channel, _):
        list_keys = keys_grpc.KeyServiceStub(channel).ListKeys
        for _attempt in range(2):
            await list_keys(keys_pb.ListKeysRequest(), metadata=AS_KEY)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await list_keys(keys_pb.ListKeysRequest(), metadata=AS_KEY)
    trailers = dict(failed.value.trailing_metadata())
    failure = from_rpc_error(failed.value)
    assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert failure.retry_after == (MINUTE - NOW % MINUTE) / SECOND == 30.0
    assert (trailers["x-ratelimit-limit"], trailers["x-ratelimit-remaining"]) == ("2", "0")
    details = status_pb2.Status.FromString(trailers[DETAILS_KEY]).details
    exhausted = error_details_pb2.QuotaFailure()
    assert next(detail for detail in details if detail.TypeName().endswith("QuotaFailure")).Unpack(exhausted)
    assert exhausted.violations[0].subject == "key:key-1"
    assert servicer.calls == 2


async def test_a_burst_passes_exactly_its_limit():
    """Of calls that arrive at once, as many pass as the window holds."""
    servicer = Counting()
    async with serving(servicer.servicers(), callers=callers(25)) as (channel, _):
        rpc = rpcs()[f"/{KEYS}/ListKeys"]
        codes = await asyncio.gather(*(call(channel, rpc, metadata=AS_KEY) for _ in range(100)))
    assert codes.count(grpc.StatusCode.OK) == servicer.calls == 25
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 75


async def test_people_and_gateways_are_not_counted():
    """Only keys have windows."""
    windows = RateWindows()
    known = Callers({"good": KEY, "person": dataclasses.replace(KEY, kind="user", key_id="")})
    list_keys = rpcs()[f"/{KEYS}/ListKeys"]
    servicers = {KEYS: answering(KEYS), GATEWAY: answering(GATEWAY)}
    async with serving(servicers, callers=known, windows=windows) as (channel, _):
        assert await call(channel, rpcs()[f"/{GATEWAY}/Watch"], metadata=AS_GATEWAY) is grpc.StatusCode.OK
        assert await call(channel, list_keys, metadata=[("x-ingate-key", "person")]) is grpc.StatusCode.OK
        assert windows.minutes.size == 0
        assert await call(channel, list_keys, metadata=AS_KEY) is grpc.StatusCode.OK
        assert windows.minutes.size == 1


async def test_a_huge_record_of_a_gateway_is_passed_in_no_time():
    """Ten thousand records are not walked through on the event loop before the servicer has them."""
    from gen.ingate.exchanges.v1 import record_service_pb2 as records_pb
    from ingate.rpc.rules import problems

    request = records_pb.RecordRequest(records=[records_pb.ExchangeRecord(org_id="o")] * 10_000)
    started = time.thread_time()
    assert problems(request, deep=False) == {}
    assert time.thread_time() - started < 0.01


def test_the_services_under_test_exist():
    """The names that this module uses are real."""
    assert {KEYS, GATEWAY} <= set(services())
