"""ProxyService.Forward: the same engine for callers that speak gRPC."""

import asyncio
import contextlib
import json

import grpc
import pytest
import pytest_asyncio

from gen.ingate.proxy.v1.proxy_service_pb2_grpc import ProxyServiceStub
from ingate.errors import RateLimited
from ingate.proxy.rpc_host import QUEUED_EVENTS
from tests.support.forwarding import ASK, CHAT, collected, forward, refused
from tests.support.gateway import gateway
from tests.support.ports import free_port
from tests.support.taken import stopped
from tests.support.upstream import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    SSE,
    TEXT,
    chunk,
    end,
    event,
    head,
    never_ends,
    pause,
    reset,
    respond,
    send,
    stall,
    status,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNTS = {"input": INPUT_TOKENS - CACHED_TOKENS, "cache_read": CACHED_TOKENS, "output": OUTPUT_TOKENS}
LARGEST_EVENT = 320 * 1024
"""Bytes: what may wait of an answer before no more is read, and one read of the loop."""
BEGUN = (head(200, SSE), send(chunk(event("begun"))))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(on_disconnect="cancel") as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stub(gw):
    return ProxyServiceStub(await gw.channel())


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw, up):
    org = await gw.signup()
    await org.provider("openai", "openai", up.url, api_key="sk-upstream", timeout_ms=1000)
    return org


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_answer_is_the_same_as_over_http(stub, org, up, stream):
    """Head, bytes and record do not depend on the door."""
    body = {**ASK, "stream": stream, "stream_options": {"include_usage": True}}
    over_http = await org.http.post(CHAT, json=body)

    started, data, complete = await collected(forward(stub, org, body, headers=[("Content-Type", "application/json")]))

    assert complete
    assert (started.status, data) == (200, over_http.content)
    headers = {header.name: header.value for header in started.headers}
    assert headers["x-ingate-served-by"] == "openai"
    assert headers["content-type"] == over_http.headers["content-type"]
    first, second = up.requests
    assert first.header("authorization") == second.header("authorization") == b"Bearer sk-upstream"
    entry = await org.last()
    assert (entry["completion"], entry["prompt"]) == (TEXT, "hi")
    assert {name: entry[f"{name}_tokens"] for name in COUNTS} == COUNTS
    assert (entry["status_code"], entry["stream"], entry["level"]) == (200, stream, "info")
    assert entry["cost_usd"] == (await org.logs())[1]["cost_usd"]


async def test_each_event_arrives_before_the_next_is_made(stub, org, up):
    """Nothing is held back on this door either."""
    go = asyncio.Event()
    up.enqueue(*BEGUN, pause(go), send(chunk(event("more"))), end())
    call = forward(stub, org)

    assert (await call.read()).started.status == 200
    assert (await call.read()).chunk == event("begun")
    go.set()
    assert (await call.read()).chunk == event("more")
    assert (await call.read()).ended.complete
    assert await call.read() is grpc.aio.EOF


async def test_a_providers_error_passes(stub, org, up):
    """A provider's status is an answer, not a failed call."""
    up.enqueue(status(429, body=b'{"error":{}}'))

    started, *rest = await collected(forward(stub, org))

    assert (started.status, *rest) == (429, b'{"error":{}}', True)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (reset(), (grpc.StatusCode.UNKNOWN, "PROVIDER_ERROR", 502)),
        (stall(), (grpc.StatusCode.DEADLINE_EXCEEDED, "PROVIDER_TIMEOUT", 504)),
    ],
    ids=["reset", "stall"],
)
async def test_a_provider_that_fails_below_http(stub, org, up, step, expected):
    """The call fails with the reason that HTTP answers as 502 or 504, and that is on record."""
    up.enqueue(step)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await collected(forward(stub, org))

    reason = refused(raised.value)[0]
    entry = await org.last()
    assert (raised.value.code(), reason, entry["status_code"]) == expected
    assert (entry["error_code"], entry["level"]) == (reason.lower(), "error")


async def test_a_provider_that_cannot_be_reached(stub, gw):
    """It has read nothing: the call may be made again, and gRPC clients may do so by themselves."""
    org = await gw.signup()
    await org.provider("openai", "openai", f"http://127.0.0.1:{free_port()}")

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await collected(forward(stub, org))

    assert (raised.value.code(), refused(raised.value)[0]) == (grpc.StatusCode.UNAVAILABLE, "PROVIDER_ERROR")


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/octet-stream"])
async def test_an_answer_that_breaks(stub, org, up, content_type):
    """A stream ends with its format's error event; what cannot carry one ends without `ended`."""
    up.enqueue(head(200, [("content-type", content_type)]), send(chunk(event("begun"))), reset())

    _, data, complete = await collected(forward(stub, org))

    streamed = content_type == "text/event-stream"
    assert data.startswith(event("begun"))
    assert (complete, b"provider_error" in data) == (streamed, streamed)
    entry = await org.last()
    assert (entry["status_code"], entry["error_code"]) == (200, "provider_error")


@pytest.mark.parametrize("more", [never_ends(chunk(event("more")), every=0.001), stall()], ids=["busy", "silent"])
async def test_a_caller_that_cancels(stub, org, up, more):
    """The provider is left, and the record says 499."""
    up.enqueue(*BEGUN, more)
    call = forward(stub, org)
    await call.read()
    assert (await call.read()).chunk.startswith(event("begun"))

    call.cancel()
    await up.wait_closed_connections()

    entry = await org.last()
    assert (entry["status_code"], entry["level"], entry["error_code"]) == (499, "warn", "client_closed")


async def test_a_caller_that_does_not_read(org, taken, up):
    """The provider is read no faster than the caller: what waits is bounded by the events that do."""
    up.enqueue(head(200, SSE), never_ends(chunk(event("x" * 16_000))))
    # Left to itself, the caller's side of gRPC offers the more room the busier the machine is.
    window = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
    async with grpc.aio.insecure_channel(org.gateway.grpc_target, window) as channel:
        call = forward(ProxyServiceStub(channel), org)
        await call.read()
        await stopped(taken, (QUEUED_EVENTS + 4) * LARGEST_EVENT)
        call.cancel()

    await eventually(lambda: not org.gateway.core.engine.in_flight)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"method": "get"}, "method"),
        ({"target": "v1/x"}, None),
        ({"target": "/v1/../x"}, None),
        ({"target": "/v1//x"}, None),
        ({"target": "/v1/é"}, None),
        ({"target": "/v1/x?a=b c"}, None),
        ({"target": "/v1/x\r\nHost: evil"}, None),
        ({"headers": [("x-a: b", "c")]}, "headers[0]"),
        ({"headers": [("accept", "a"), ("x-a", "b\r\nx-evil: 1")]}, "headers[1]"),
        ({"headers": [("", "c")]}, "headers[0]"),
        ({"headers": [("x-ü", "c")]}, "headers[0]"),
        ({"headers": [("x-a", "🦊")]}, "headers[0]"),
        ({"body": b"nonsense"}, "body"),
    ],
)
async def test_what_is_no_http_request(stub, org, up, fields, field):
    """INVALID_ARGUMENT that names the field; no provider sees any of it."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await collected(forward(stub, org, **fields))

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused(raised.value) == ("BAD_REQUEST", [field] if field else [])
    assert up.seen == 0


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK"])
async def test_a_method_that_would_show_the_credential(stub, org, up, method):
    """UNIMPLEMENTED, with what may be sent; nothing is."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await collected(forward(stub, org, b"", method=method))

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert refused(raised.value) == ("METHOD_NOT_ALLOWED", [])
    assert up.seen == 0


async def test_an_empty_answer(stub, org, up):
    """A head and an end, with nothing between."""
    up.enqueue(respond(204, [("x-kept", "1")], framing="none"))

    started, data, complete = await collected(forward(stub, org, b"", method="DELETE", target="/v1/files/f?x=1"))

    assert (started.status, data, complete) == (204, b"", True)
    assert (up.requests[-1].method, up.requests[-1].target) == (b"DELETE", b"/v1/files/f?x=1")


async def test_limits_and_scopes_hold(stub, org):
    """The window counts calls through either door; a key without the scope may not call."""
    narrow, few = await org.make_key(scopes=["read"]), await org.make_key(rate_limit_per_minute=1)

    with pytest.raises(grpc.aio.AioRpcError) as forbidden:
        await collected(forward(stub, org, key=narrow))
    with pytest.raises(grpc.aio.AioRpcError) as limited:
        await asyncio.gather(*[collected(forward(stub, org, key=few)) for _ in range(3)])

    assert forbidden.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert limited.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert ("x-ratelimit-limit", "1") in list(limited.value.trailing_metadata())


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
async def test_a_body_where_the_method_has_none(stub, org, up, method):
    """Is refused before a provider is dialled, as on the other door."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await collected(forward(stub, org, b"{}", method=method, target="/v1/files/f"))

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details() == f"body is not allowed with {method}"
    assert refused(raised.value) == ("BAD_REQUEST", ["body"])
    assert up.accepted == 0


async def test_a_caller_that_leaves_before_the_head(stub, org, up):
    """Nothing is there to read to its end: the provider is left at once."""
    up.enqueue(stall())
    call = forward(stub, org)
    await up.wait_for(1)

    call.cancel()
    await up.wait_closed_connections()

    entry = await org.last()
    assert (entry["status_code"], entry["error_code"]) == (499, "client_closed")


@pytest.mark.parametrize("stated", ["0198c0de-0000-7000-8000-000000000000", "run-1", "a" * 128, None])
async def test_every_exchange_has_an_id_of_ours(stub, org, stated):
    """Whatever a caller calls its requests, each has a row of its own, found by the id that its answer tells."""
    metadata = [("x-request-id", stated)] if stated else []
    told = []
    for _ in range(5):
        running = forward(stub, org, metadata=metadata)
        started, _, complete = await collected(running)
        initial, trailing = dict(await running.initial_metadata()), dict(await running.trailing_metadata())
        assert complete
        assert initial.get("x-request-id") == trailing.get("x-request-id") == (stated if metadata else None)
        assert initial["x-ingate-request-id"] == trailing["x-ingate-request-id"] == started.request_id
        told.append(started.request_id)

    assert sorted(told) == sorted(entry["request_id"] for entry in await org.logs())
    assert stated not in told


async def test_a_body_has_the_limit_of_http(up):
    """The largest passes, beside as long a head as may be; one byte more is refused, whatever the head."""
    limit = 2 * 1024 * 1024
    async with gateway(max_body_bytes=limit) as gw:
        org = await gw.signup()
        await org.provider("openai", "openai", up.url)
        stub = ProxyServiceStub(await gw.channel())
        body = json.dumps(ASK).encode()
        fits = body + b" " * (limit - len(body))

        assert (await collected(forward(stub, org, fits)))[2]
        assert up.requests[-1].body == fits
        # The last is refused by its length alone, before it is received and so without a record.
        for wrong in (fits + b" ", b"x" * 32 * 1024 * 1024):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await collected(forward(stub, org, wrong))
            assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(up.requests) == 1
        assert [entry["status_code"] for entry in await org.logs()] == [413, 200]


async def test_bodies_count_for_the_organisation_while_they_are_under_way(gw, stub, org, up):
    """Those beyond its share are refused, another's are not, and what has ended is given back."""
    other = await gw.signup()
    await other.provider("openai", "openai", up.url)
    body = json.dumps(ASK).encode() + b" " * 60_000
    budget = gw.core.bodies
    go = asyncio.Event()
    up.enqueue(*BEGUN, pause(go), end())
    running = forward(stub, org, body)
    await running.read()
    assert budget.in_use == len(body)
    others = budget.lease_for(org.id)
    with contextlib.suppress(RateLimited):
        while True:
            others.grow(1000)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await collected(forward(stub, org, body))
    assert refused(raised.value)[0] == "RATE_LIMITED"
    assert (await collected(forward(stub, other, body)))[2]
    go.set()
    while await running.read() is not grpc.aio.EOF:
        pass
    assert (await collected(forward(stub, org, body)))[2]
    others.release()
    await eventually(lambda: not budget.in_use)


async def test_who_may_not_call_sends_no_body(stub, org, gw):
    """A key without the scope, a person and a stranger are refused before their request is received."""
    narrow = await org.make_key(scopes=["read"])
    channel = await gw.channel()

    async def never():
        await asyncio.Event().wait()
        yield b""

    for metadata, code in (
        ((("x-ingate-key", narrow),), grpc.StatusCode.PERMISSION_DENIED),
        ((("x-ingate-key", "sk-ingate-unknown"),), grpc.StatusCode.UNAUTHENTICATED),
        ((), grpc.StatusCode.UNAUTHENTICATED),
    ):
        call = channel.stream_stream("/ingate.proxy.v1.ProxyService/Forward")(never(), metadata=metadata, timeout=20)
        assert await call.code() is code
