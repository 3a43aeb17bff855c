"""Streams pass as they come: nothing is held back, and nothing piles up."""

import asyncio
import contextlib
import socket

import pytest
import pytest_asyncio

from tests.support.gateway import gateway
from tests.support.taken import KERNEL_SEND_BYTES, stopped
from tests.support.upstream import SSE, ScriptedUpstream, chunk, end, event, head, never_ends, pause, respond, send
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
SMALL = 16 * 1024
MIB = 1024 * 1024


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def org():
    async with gateway(grpc=False, on_disconnect="cancel") as gw:
        yield await gw.signup()


@contextlib.asynccontextmanager
async def raw_client(org, body, buffer=None):
    """Sends a chat request on a socket of its own, with a receive buffer that small; yields its reader and socket."""
    host, _, port = org.gateway.url.removeprefix("http://").partition(":")
    plain = socket.socket()
    if buffer is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=plain, limit=SMALL)
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: gateway", f"X-Ingate-Key: {org.key}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_each_event_arrives_before_the_next_is_made(org):
    """The provider sends an event only when the caller has the one before: with anything held back this would hang."""
    gates = [asyncio.Event() for _ in range(8)]
    steps = [step for number, gate in enumerate(gates) for step in (send(chunk(event({"n": number}))), pause(gate))]
    async with ScriptedUpstream() as up:
        await org.provider("stepwise", "openai", up.url)
        up.enqueue(head(200, SSE), *steps, end())
        request = org.http.stream("POST", "/v1/chat/completions", json=ASK, headers={"X-Ingate-Provider": "stepwise"})
        async with request as response, asyncio.timeout(PATIENCE):
            pieces = response.aiter_raw()
            for number, gate in enumerate(gates):
                assert await anext(pieces) == event({"n": number})
                gate.set()
            assert [piece async for piece in pieces] == []

    entry = await org.last()
    assert (entry["status_code"], entry["stream"]) == (200, True)


async def test_the_head_arrives_with_the_first_event(org):
    """Status and headers are told when the provider has said its first word, not at the end."""
    gate = asyncio.Event()
    async with ScriptedUpstream() as up:
        await org.provider("early", "openai", up.url)
        up.enqueue(head(200, [*SSE, ("x-request-id", "r")]), send(chunk(event("a"))), pause(gate), end())
        request = org.http.stream("POST", "/v1/chat/completions", json=ASK, headers={"X-Ingate-Provider": "early"})
        async with request as response:
            assert response.headers["x-request-id"] == "r"
            assert response.headers["cache-control"] == "no-cache"
            gate.set()


@pytest.mark.parametrize("name", ["stream", "download"])
async def test_a_caller_that_does_not_read_stops_the_provider(org, taken, name):
    """What one exchange holds is bounded: the provider is read no faster than the caller reads."""
    headers = SSE if name == "stream" else [("content-type", "application/octet-stream")]
    piece = event("x" * SMALL)
    async with ScriptedUpstream(send_buffer=SMALL) as up:
        await org.provider(name, "openai", up.url, models=[name])
        up.enqueue(head(200, headers), never_ends(chunk(piece)))
        body = b'{"model":"%s","stream":true,"messages":[]}' % name.encode()
        async with raw_client(org, body, buffer=SMALL) as (reader, _writer):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            held = await stopped(taken, KERNEL_SEND_BYTES + MIB)

            # Until the provider is read again, and more of the answer than is recorded.
            while taken.bytes <= max(held, 2 * MIB):
                await asyncio.wait_for(reader.read(SMALL), 30)
        await up.wait_closed_connections()

    entry = await org.last()
    assert (entry["status_code"], entry["level"], entry["error_code"]) == (499, "warn", "client_closed")
    assert entry["truncated"] is True
    assert len(entry["response_body"]) <= MIB


async def test_a_slow_caller_gets_every_byte(org):
    """Back-pressure loses nothing."""
    payload = bytes(range(256)) * (2 * MIB // 256)
    async with ScriptedUpstream(send_buffer=SMALL) as up:
        await org.provider("slow", "openai", up.url, models=["slow"])
        up.enqueue(respond(200, [("content-type", "application/octet-stream")], payload))
        async with raw_client(org, b'{"model":"slow","messages":[]}', buffer=SMALL) as (reader, _writer):
            await reader.readuntil(b"\r\n\r\n")
            got = bytearray()
            while len(got) < len(payload):
                got += await asyncio.wait_for(reader.read(SMALL), PATIENCE)
                if len(got) % (64 * SMALL) < SMALL:
                    await asyncio.sleep(0)

    assert bytes(got) == payload
