"""Signals: what is open ends whole, nothing new begins, everything is on record, and none of it takes for ever."""

import asyncio
import signal
import sqlite3
import time
from contextlib import closing, suppress

import grpc
import httpx
import pytest

from gen.ingate.gateway.v1.gateway_service_pb2 import WatchRequest
from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from gen.ingate.proxy.v1.proxy_service_pb2 import ForwardRequest, Header
from gen.ingate.proxy.v1.proxy_service_pb2_grpc import ProxyServiceStub
from tests.rest.raw import one_answer
from tests.support.outside import add_provider, ask, client, settled, spawn
from tests.support.upstream import SSE, ScriptedUpstream, chunk, end, event, head, never_ends, pause, send
from tests.support.waiting import eventually

CHAT = "/v1/chat/completions"
STREAM = {"model": "m", "stream": True, "messages": []}
TOKEN = "token-of-the-gateways"
GRACE = 1.0
CLOSING = 15.0
"""Seconds that may pass after the grace, on a busy machine: cutting, flushing, leaving the interpreter."""


def rows(data_dir):
    """Returns {request id: (status, error code)} of the embedded database of a gateway that has ended."""
    with closing(sqlite3.connect(data_dir / "ingate.db")) as connection:
        found = connection.execute("SELECT id, status_code, error_code FROM exchanges").fetchall()
    return {request_id: (status, error) for request_id, status, error in found}


async def begin(http):
    """Begins a streamed call at the scripted provider; returns the response, whose head is here."""
    request = http.build_request("POST", CHAT, json=STREAM, headers={"X-Ingate-Provider": "scripted"})
    response = await http.send(request, stream=True)
    assert response.status_code == 200
    return response


def refused(address):
    """Whether nobody listens at `host:port`."""

    async def look():
        host, _, port = address.rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionError:
            return True
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        return False

    return look


async def upload(spawned):
    """Begins a call whose body is on its way; returns reader, writer and the rest of the body."""
    body = b'{"model":"demo","messages":[{"role":"user","content":"Hello"}]}'
    reader, writer = await asyncio.open_connection("127.0.0.1", int(spawned.url.rpartition(":")[2]))
    lines = (f"POST {CHAT} HTTP/1.1", "Host: x", f"X-Ingate-Key: {spawned.key}", f"Content-Length: {len(body)}")
    writer.write("\r\n".join((*lines, "Expect: 100-continue", "", "")).encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body[:20])
    await writer.drain()
    return reader, writer, body[20:]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_is_open_ends_whole(tmp_path, number):
    """An open stream and an upload finish, though idle callers and a Watch stay; connections are refused."""
    go = asyncio.Event()
    with spawn(tmp_path, "--gateway-token", TOKEN) as spawned:
        async with (
            ScriptedUpstream() as up,
            client(spawned) as http,
            grpc.aio.insecure_channel(spawned.grpc) as channel,
        ):
            await add_provider(spawned, up.url)
            last = (pause(go), send(chunk(event("[DONE]"))), end())
            up.enqueue(head(200, SSE), send(chunk(event("a"))), *last)
            idle = await ask(http)
            watch = GatewayServiceStub(channel).Watch(WatchRequest(), metadata=(("x-ingate-gateway", TOKEN),))
            await watch.read()
            open_stream = await begin(http)
            reader, writer, rest = await upload(spawned)

            spawned.child.signal(number)
            await eventually(refused(spawned.url.removeprefix("http://")))
            await eventually(refused(spawned.grpc))
            assert spawned.child.returncode is None
            went = time.monotonic()
            writer.write(rest)
            status, headers, _body = await one_answer(reader)
            assert status == 200
            writer.close()
            go.set()
            text = (await open_stream.aread()).decode()
            assert text == "data: a\n\ndata: [DONE]\n\n"
            await open_stream.aclose()
            assert await spawned.child.wait_exit(30) == 0
            assert time.monotonic() - went < CLOSING
            watch.cancel()
    ids = (idle, headers["x-ingate-request-id"], open_stream.headers["x-ingate-request-id"])
    assert rows(tmp_path) == dict.fromkeys(ids, (200, None))


DRIBBLES = {
    "a head": b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n",
    "a sign-in": b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    "a management call with some key": (
        b"POST /api/v1/keys HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: sk-ingate-x\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    ),
}


async def test_nobody_waits_for_strangers(tmp_path):
    """What still dribbles in from callers who have shown no good key is ended at once, however long the grace."""
    with spawn(tmp_path, "--shutdown-seconds", "300") as spawned:
        async with client(spawned) as http:
            await ask(http)
        ends = []
        for begun in DRIBBLES.values():
            reader, writer = await asyncio.open_connection("127.0.0.1", int(spawned.url.rpartition(":")[2]))
            writer.write(begun)
            await writer.drain()
            ends.append((reader, writer))
        async with client(spawned) as http:
            await ask(http)  # what was written before is read by now

        went = time.monotonic()
        spawned.child.signal()
        for reader, writer in ends:
            status, headers, _body = await one_answer(reader, CLOSING)
            # Who sent a key hears first that it is none.
            assert (status, headers.get("retry-after")) in {(503, "1"), (401, None)}
            assert headers["connection"] == "close"
            writer.close()
        assert await spawned.child.wait_exit(30) == 0
        assert time.monotonic() - went < CLOSING


async def test_a_second_signal_ends_at_once(tmp_path):
    """It waits for no stream, and the next start has everything that was answered."""
    with spawn(tmp_path) as spawned:
        async with ScriptedUpstream() as up, client(spawned) as http:
            await add_provider(spawned, up.url)
            up.enqueue(head(200, SSE), send(chunk(event("a"))), never_ends(chunk(event("b")), every=0.05))
            open_stream = await begin(http)
            ids = await asyncio.gather(*(ask(http, stream=True) for _ in range(20)))
            spawned.child.signal()
            await spawned.child.expect_line("draining")
            went = time.monotonic()
            spawned.child.signal()
            assert await spawned.child.wait_exit(10) == 130
            assert time.monotonic() - went < 5
            with pytest.raises(httpx.RemoteProtocolError):
                await open_stream.aread()
            await open_stream.aclose()
    with spawn(tmp_path) as again:
        async with client(again) as http:
            await settled(http, ids)


async def test_shutdown_seconds_bound_it(tmp_path):
    """Streams that never end are cut, whoever reads them, and are on record all the same."""
    with spawn(tmp_path, "--gateway-token", TOKEN, "--shutdown-seconds", str(GRACE)) as spawned:
        async with (
            ScriptedUpstream() as up,
            client(spawned) as http,
            grpc.aio.insecure_channel(spawned.grpc) as channel,
        ):
            await add_provider(spawned, up.url)
            up.script(CHAT, head(200, SSE), never_ends(chunk(event("b")), every=0.05))
            open_stream = await begin(http)
            async with client(spawned) as leaver:
                abandoned = await begin(leaver)
                await abandoned.aclose()
            forwarded = (
                ProxyServiceStub(channel)
                .Forward(
                    ForwardRequest(
                        method="POST",
                        target=CHAT,
                        headers=[Header(name="x-ingate-provider", value="scripted")],
                        body=b'{"model":"m","stream":true,"messages":[]}',
                    ),
                    metadata=(("x-ingate-key", spawned.key),),
                )
                .__aiter__()
            )
            assert (await anext(forwarded)).started.status == 200
            watch = GatewayServiceStub(channel).Watch(WatchRequest(), metadata=(("x-ingate-gateway", TOKEN),))
            await watch.read()

            went = time.monotonic()
            spawned.child.signal()
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                await open_stream.aread()
            await open_stream.aclose()
            assert time.monotonic() - went >= GRACE
            with pytest.raises(grpc.aio.AioRpcError):
                [event async for event in forwarded]
            assert await spawned.child.wait_exit(30) == 0
            assert time.monotonic() - went < GRACE + CLOSING
            watch.cancel()
    found = rows(tmp_path)
    assert len(found) == 3
    assert found[open_stream.headers["x-ingate-request-id"]][1] is not None
    assert found[abandoned.headers["x-ingate-request-id"]] == (499, "client_closed")
