"""Callers that leave early: 499 on record, and the provider's answer read for its usage or stopped, as is set."""

import asyncio
import contextlib

import pytest
import pytest_asyncio

from ingate.proxy import abandoned
from tests.support.gateway import gateway, pool_of
from tests.support.upstream import (
    JSON,
    SSE,
    chunk,
    compose,
    encode_head,
    end,
    event,
    head,
    never_ends,
    pause,
    send,
    stall,
)
from tests.support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = b'{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'
DELTA = {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}
USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
LAST = {"model": "gpt-4o-mini", "choices": [], "usage": USAGE}
BEGUN = compose(head(200, SSE), send(chunk(event(DELTA))))
FINAL = compose(send(chunk(event(LAST)), chunk(event("[DONE]"))), end())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def draining():
    async with gateway(grpc=False, on_disconnect="drain", drain_seconds=0.5, drain_bytes=100_000) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cancelling():
    async with gateway(grpc=False, on_disconnect="cancel") as gw:
        yield gw


async def joined(gw, up):
    """Returns a fresh organisation whose provider is `up`."""
    org = await gw.signup()
    await org.provider("openai", "openai", up.url)
    return org


@contextlib.asynccontextmanager
async def caller(org, body=ASK, length=None):
    """Asks for a stream on a connection of its own and yields its reader; leaving resets the connection."""
    host, _, port = org.gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: gateway", f"X-Ingate-Key: {org.key}"]
    writer.write("\r\n".join([*lines, f"Content-Length: {length or len(body)}", "", ""]).encode() + body)
    try:
        yield reader
    finally:
        writer.transport.abort()


async def leave_after_the_first_event(org):
    """Reads up to the first event and leaves."""
    async with caller(org) as reader:
        await asyncio.wait_for(reader.readuntil(event(DELTA)), PATIENCE)


def answering(gw):
    """Whether the head of an answer has come whose body has not."""
    connections = [connection for lane in pool_of(gw)._lanes.values() for connection in lane.connections]
    return any(connection._response is not None and connection._response.status for connection in connections)


def assert_left(entry):
    """Checks that the record says the caller left, and blames nobody else."""
    assert (entry["status_code"], entry["level"], entry["error_code"]) == (499, "warn", "client_closed")
    assert [attempt["error"] for attempt in entry["attempts"]] in ([None], [])


async def test_an_abandoned_stream_is_read_for_its_usage(draining, up):
    """The provider finishes at its own pace; tokens and text are on record, and the connection is kept."""
    go = asyncio.Event()
    up.enqueue(BEGUN, pause(go), FINAL)
    org = await joined(draining, up)

    await leave_after_the_first_event(org)
    go.set()
    entry = await org.last()

    assert_left(entry)
    assert [entry[f"{name}_tokens"] for name in ("input", "output", "total")] == [11, 5, 16]
    assert entry["cost_usd"] > 0
    assert (entry["completion"], entry["served_by"]) == ("Hel", "openai")
    assert up.connections == 1, "an answer read to its end leaves a connection for the next request"


async def test_a_caller_that_leaves_before_the_head(draining, up):
    """Nothing was answered yet, so there is nothing to read to its end: the provider is left at once."""
    up.enqueue(stall())
    org = await joined(draining, up)

    async with caller(org):
        await up.wait_for(1)
        assert pool_of(draining).in_use == 1
    await up.wait_closed_connections()

    assert pool_of(draining).in_use == 0
    assert_left(await org.last())


async def test_a_caller_that_leaves_inside_a_whole_answer(draining, up):
    """An answer that is no stream is read to its end once its head has come."""
    go = asyncio.Event()
    body = b'{"model":"gpt-4o-mini","usage":{"prompt_tokens":11}}'
    answer = encode_head(200, [*JSON, ("content-length", str(len(body)))])
    up.enqueue(send(answer + body[:5]), pause(go), send(body[5:]))
    org = await joined(draining, up)

    async with caller(org):
        await up.wait_for(1)
        await eventually(lambda: answering(draining))
    go.set()
    entry = await org.last()

    assert_left(entry)
    assert entry["input_tokens"] == 11


async def test_so_many_abandoned_answers_of_a_key_are_read_on(draining, up, monkeypatch):
    """Those beyond are stopped when their callers leave; another organisation's are not among them."""
    monkeypatch.setattr(abandoned, "MOST", 1)
    org, other = await joined(draining, up), await joined(draining, up)
    go = asyncio.Event()
    for _ in range(3):
        up.enqueue(BEGUN, pause(go), FINAL)

    await leave_after_the_first_event(org)
    await eventually(lambda: sum(draining.core.engine._terms.abandoned._counts.values()) == 1)
    await leave_after_the_first_event(org)
    await eventually(lambda: draining.core.engine.in_flight == 1)
    await leave_after_the_first_event(other)
    await eventually(lambda: sum(draining.core.engine._terms.abandoned._counts.values()) == 2)
    assert pool_of(draining).in_use == 2, "each keeps its place among the calls under way"
    go.set()

    assert sorted(entry["usage_source"] for entry in await org.logs()) == ["estimate", "provider"]
    assert [entry["total_tokens"] for entry in await other.logs()] == [16]
    assert not draining.core.engine._terms.abandoned._counts


@pytest.mark.parametrize(
    "endless", [[stall()], [never_ends(chunk(event("x" * 1000)), every=0.001)]], ids=["stalled", "endless"]
)
async def test_draining_has_an_end(draining, up, endless):
    """After so many seconds or bytes the provider is left alone."""
    up.enqueue(BEGUN, *endless)
    org = await joined(draining, up)

    await leave_after_the_first_event(org)
    await up.wait_closed_connections()

    entry = await org.last()
    assert_left(entry)
    assert entry["latency_ms"] < 10_000


async def test_cancel_stops_a_stream(cancelling, up):
    """The provider is left as soon as the caller has left, though it had more to say."""
    up.enqueue(BEGUN, never_ends(chunk(event("more")), every=0.001))
    org = await joined(cancelling, up)

    await leave_after_the_first_event(org)
    await up.wait_closed_connections()

    entry = await org.last()
    assert_left(entry)
    assert entry["usage_source"] == "estimate"


@pytest.mark.parametrize("steps", [[BEGUN, stall()], [stall()]], ids=["in the stream", "before the head"])
async def test_cancel_stops_a_provider_that_is_silent(cancelling, up, steps):
    """A model that thinks for minutes is stopped too: the gateway does not wait for something to write."""
    up.enqueue(*steps)
    org = await joined(cancelling, up)

    async with caller(org) as reader:
        await up.wait_for(1)
        if len(steps) > 1:
            await asyncio.wait_for(reader.readuntil(event(DELTA)), PATIENCE)
    await up.wait_closed_connections()

    assert_left(await org.last())


@pytest.mark.parametrize("policy", ["drain", "cancel"])
async def test_a_caller_that_leaves_inside_its_own_request(draining, cancelling, up, policy):
    """Half a body is nobody's failure but the caller's: 499, and no provider is asked."""
    org = await joined(draining if policy == "drain" else cancelling, up)

    async with caller(org, length=1000):
        await eventually(lambda: org.gateway.core.engine.in_flight)
    entry = await org.last()

    assert_left(entry)
    assert (up.seen, entry["provider"]) == (0, "")


async def test_cancel_leaves_callers_who_stay_alone(cancelling, up):
    """A silence longer than the looks for the caller does not end an exchange."""
    go = asyncio.Event()
    up.enqueue(BEGUN, pause(go), FINAL)
    org = await joined(cancelling, up)

    async with caller(org) as reader:
        await asyncio.wait_for(reader.readuntil(event(DELTA)), PATIENCE)
        await asyncio.sleep(0.6)
        go.set()
        await asyncio.wait_for(reader.readuntil(event("[DONE]")), PATIENCE)
        entry = await org.last()

    assert (entry["status_code"], entry["level"], entry["total_tokens"]) == (200, "info", 16)
