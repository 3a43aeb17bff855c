"""HTTP/1.1 as hostile, broken and impatient clients speak it."""

import asyncio
import json
import logging

import httpx
import pytest
import structlog

from rest_facade.http1 import Limits
from rest_facade.transcoder import Calls
from tests.rest.laws import check, lawful
from tests.rest.raw import KEY, exchange, one_answer, parse
from tests.support.waiting import PATIENCE

GET = b"GET /api/v1/keys HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: sk-ingate-x\r\n"
POST = GET.replace(b"GET", b"POST") + b"Content-Type: application/json\r\n"
LIST = "ingate.keys.v1.KeyService.ListKeys"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\r\n\r\nnonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /api/v1/keys HTTP/1.1\r\n\r\n", 400),
        (GET + b"Host: y\r\n\r\n", 400),
        (GET + b"bad header\r\n\r\n", 400),
        (GET + b"X: a\x00b\r\n\r\n", 400),
        (GET + b"X\x00: a\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET relative HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (POST + b"Content-Length: x\r\n\r\n", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked, gzip\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (GET + b"".join(b"X-%d: a\r\n" % i for i in range(200)) + b"\r\n", 431),
        (GET + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(100)) + b"\r\n", 431),
    ],
)
async def test_what_is_not_http(facade, request_bytes, status):
    """Each is answered in JSON with everything an answer carries, and the connection is closed."""
    with structlog.testing.capture_logs() as lines:
        answer = parse(await exchange(facade.port, request_bytes))

    check(*answer)
    assert answer[0] == status
    assert not [line for line in lines if line["log_level"] == "error"]


async def test_large_heads_in_many_pieces(facade):
    """A head that never ends is refused when it is too large, not when it ends."""
    answer = parse(await exchange(facade.port, GET, *[b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(90)]))

    check(*answer)
    assert answer[0] == 431


async def test_the_largest_head_passes(core, facade):
    """A head just within the limit is served."""
    head = GET + b"X: " + b"a" * 30_000 + b"\r\nY: " + b"b" * 30_000 + b"\r\nConnection: close\r\n\r\n"

    assert parse(await exchange(facade.port, head))[0] == 200


async def test_a_slow_head_is_408(facade):
    """A head that stalls is refused after its time, whatever dribbles in; an idle connection is left alone."""
    answer = parse(await exchange(facade.port, GET))
    check(*answer)
    assert answer[0] == 408

    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(GET + b"\r\n")
    assert (await one_answer(reader))[0] == 200
    # Longer than the head's time: the clock runs for heads only.
    await asyncio.sleep(0.7)
    writer.write(GET + b"\r\n")
    assert (await one_answer(reader))[0] == 200
    writer.write(GET)
    assert (await one_answer(reader))[0] == 408
    writer.close()


async def test_a_stray_line_end_is_no_head(core, facade):
    """A line end after a body does not start the clock of the next head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(POST + b"Content-Length: 2\r\n\r\n{}")
    assert (await one_answer(reader))[0] == 201
    writer.write(b"\r\n")
    await asyncio.sleep(0.7)
    writer.write(GET + b"\r\n")
    assert (await one_answer(reader))[0] == 200
    writer.close()


async def test_an_idle_connection_is_closed(serve):
    """A connection without requests ends after its time, without a word."""
    facade = await serve(limits=Limits(idle=0.2))

    assert await exchange(facade.port) == b""


async def test_a_slow_body_is_408(core, facade):
    """A body that does not come is refused after its time."""
    answer = parse(await exchange(facade.port, POST + b"Content-Length: 10\r\n\r\n", b'{"na'))

    check(*answer)
    assert answer[0] == 408
    assert core.rpc == ""


async def test_a_body_that_breaks_on_the_way(core, facade):
    """Nonsense where a chunk belongs ends the request that waits for it, at once and with one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(POST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"5\r\nhello\r\nnonsense\r\n\r\n")
    async with asyncio.timeout(0.9):
        answer = await one_answer(reader)
        assert await reader.read() == b""
    writer.close()

    check(*answer)
    assert answer[0] == 400
    assert "framed" in json.loads(answer[2])["message"]


async def test_an_announced_body_is_refused_unread(core, facade):
    """40 MB are refused by their announcement, without the client having to send them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(POST + b"Content-Length: 41943040\r\n\r\n")
    answer = await one_answer(reader)

    check(*answer)
    assert answer[0] == 413
    assert answer[1]["connection"] == "close"
    writer.close()


async def test_an_endless_body_is_refused(core, facade):
    """A client that keeps sending gets the answer, and then the connection ends."""
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    answer = await exchange(facade.port, POST + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 20)

    check(*parse(answer))
    assert parse(answer)[0] == 413


async def test_expect_100_continue(core, facade):
    """The body is asked for when it is wanted, and refused without being asked for when it is not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(POST + b"Expect: 100-continue\r\nContent-Length: 12\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b'{"name":"x"}')
    assert (await one_answer(reader))[0] == 201

    writer.write(POST + b"Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n")
    assert (await one_answer(reader))[0] == 413
    writer.close()


async def test_pipelined_requests_are_answered_in_order(core, facade):
    """Requests sent at once are answered one by one, a broken one last."""
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(GET + b"\r\n" + GET.replace(b"keys", b"nope") + b"\r\n")
    assert (await one_answer(reader))[0] == 200
    writer.write(b"broken\r\n\r\n")
    assert (await one_answer(reader))[0] == 404
    assert (await one_answer(reader))[0] == 400
    assert await reader.read() == b""
    writer.close()


async def test_requests_that_come_faster_than_answers_wait_outside(core, facade):
    """What a connection holds of requests to come has a bound, however many are sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)

    async def flood():
        while True:
            writer.write((GET + b"\r\n") * 10_000)
            await writer.drain()

    flooding = asyncio.create_task(flood())
    held = []
    for _ in range(300):
        assert (await one_answer(reader))[0] == 200
        held += [len(connection._buffer) for connection in facade._connections]
    flooding.cancel()
    writer.close()
    assert 0 < max(held) < 1024 * 1024


async def test_absolute_targets(core, facade):
    """A target with scheme and host, as through a proxy, is the path after it; `*` is none."""
    for target, status in ((b"http://x:80/api/v1/keys", 200), (b"http://x", 404)):
        head = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: sk-ingate-x\r\nConnection: close\r\n\r\n"
        assert parse(await exchange(facade.port, head))[0] == status
    answer = parse(await exchange(facade.port, b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    check(*answer)
    assert answer[0] == 400
    answer = parse(await exchange(facade.port, b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    check(*answer)
    assert answer[0] == 400


async def test_http_1_0(core, facade):
    """A client of the old protocol is served, and its connection closed."""
    assert parse(await exchange(facade.port, b"GET /healthz HTTP/1.0\r\n\r\n"))[0] == 200


async def test_upgrades_are_declined(core, facade):
    """A websocket handshake is an ordinary request."""
    head = GET + b"Connection: close, upgrade\r\nUpgrade: websocket\r\n\r\n"

    assert parse(await exchange(facade.port, head))[0] == 200


async def test_clients_that_leave(core, facade, caplog):
    """A client that goes away before its answer, or in the middle of its body, leaves nothing in the log."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_request, _context):
        arrived.set()
        await go_on.wait()
        return core.answers["empty"]

    from gen.ingate.keys.v1 import key_service_pb2

    core.answers = {LIST: wait, "empty": key_service_pb2.ListKeysResponse()}
    with structlog.testing.capture_logs() as lines, caplog.at_level(logging.WARNING):
        for data in (GET + b"\r\n", POST + b"Content-Length: 10\r\n\r\nabc"):
            _, writer = await asyncio.open_connection("127.0.0.1", facade.port)
            writer.write(data)
            if data.startswith(b"GET"):
                await arrived.wait()
            await writer.drain()
            writer.transport.abort()
        go_on.set()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
            assert (await client.get("/healthz")).status_code == 200

    assert not [line for line in lines if line["log_level"] not in {"debug", "info"}]
    assert not caplog.records


async def test_a_client_that_does_not_read_is_dropped(serve):
    """An answer that is not taken ends the connection after its time."""
    dropped = asyncio.Event()

    async def pour(_request_id, _head, _body, sink):
        try:
            await sink.start(200, [])
            while True:
                await sink.write(b"x" * 100_000)
        finally:
            dropped.set()

    facade = await serve(proxy=pour, limits=Limits(stall=0.3))
    _, writer = await asyncio.open_connection("127.0.0.1", facade.port, limit=1024)
    writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.wait_for(dropped.wait(), PATIENCE)
    writer.close()


async def test_drain(core, serve):
    """Draining lets a request finish, says that its connection closes, and takes no new ones."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_request, _context):
        from gen.ingate.keys.v1 import key_service_pb2

        arrived.set()
        await go_on.wait()
        return key_service_pb2.ListKeysResponse()

    core.answers[LIST] = wait
    facade = await serve()
    idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", facade.port)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
        running = asyncio.create_task(client.get("/api/v1/keys"))
        await arrived.wait()
        draining = asyncio.create_task(facade.drain(300))
        assert await asyncio.wait_for(idle_reader.read(), PATIENCE) == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", facade.port)
        go_on.set()
        response = await running
        await asyncio.wait_for(draining, PATIENCE)
    idle_writer.close()

    lawful(response)
    assert response.status_code == 200
    assert response.headers["connection"] == "close"


async def test_drain_does_not_wait_for_ever(core, serve):
    """A request that does not finish within the grace is cut off."""
    arrived = asyncio.Event()

    async def hang(_request, _context):
        arrived.set()
        await asyncio.sleep(60)

    core.answers[LIST] = hang
    facade = await serve(calls=Calls(timeout=30))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
        running = asyncio.create_task(client.get("/api/v1/keys"))
        await arrived.wait()
        await asyncio.wait_for(facade.drain(0.2), PATIENCE)
        with pytest.raises(httpx.TransportError):
            await running


async def test_unclaimed_paths_go_to_the_proxy(serve, core):
    """What no dialect claims is the proxy's, whatever the verb; its errors are put into words."""
    from ingate.errors import Unauthenticated

    async def proxy(request_id, head, _body, sink):
        if head.method == "DELETE":
            raise Unauthenticated("no key")
        if head.method == "PUT":
            raise RuntimeError("CANARY")
        await sink.respond(200, [], json.dumps({"id": request_id, "path": head.target}).encode())

    facade = await serve(proxy=proxy)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
        for verb in ("GET", "POST", "PATCH"):
            response = await client.request(verb, "/v1/chat?x=%2F")
            assert json.loads(response.content)["path"] == "/v1/chat?x=%2F"
        assert (await client.delete("/v1/chat")).status_code == 401
        lawful(await client.delete("/v1/chat"))
        response = await client.put("/v1/chat")
        assert lawful(response)["code"] == "internal"
        assert "CANARY" not in response.text
        assert (await client.post("/api/v1/keys/x")).status_code == 405
