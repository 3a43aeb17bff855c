"""When a connection serves another exchange: only where both sides certainly are between two messages."""

import asyncio

import pytest

from ingate.proxy.ports import BadResponse
from tests.support.exchanges import OK, fetch, outbound
from tests.support.scripted_server import answering, scripted
from tests.support.waiting import eventually

STRAY = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray"


def status(code):
    return b"HTTP/1.1 %d x\r\ncontent-length: 2\r\n\r\nno" % code


@pytest.mark.parametrize("code", [200, 201, 299, 300, 307, 400, 404, 413, 429, 500, 503])
@pytest.mark.parametrize("body", [b"", b"x"], ids=["no body", "a body"])
async def test_an_error_may_have_left_the_body_unread(pool, code, body):
    """Who refuses or redirects need not have read the body, which would then be read as the next request."""
    async with scripted(answering(status(code))) as server:
        assert (await fetch(pool, server.origin, body=body))[0] == code
        assert pool.idle == (code < 300 or not body)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("body", [b"", b"x"], ids=["no body", "a body"])
async def test_a_body_that_is_not_expected_may_be_unread(pool, method, body):
    """Only methods whose requests have a body by definition leave the connection for another request after one."""
    async with scripted(answering(OK)) as server:
        await fetch(pool, server.origin, method=method, body=body)
        assert server.requests[0].headers["connection"] == ("close" if body else "keep-alive")
        assert pool.idle == (not body)


REQUESTS = [b"GET /x HTTP/1.1\r\n\r\n", b"\r\nPOST /x", b" \tget\t/x", b"M-SEARCH * HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize(
    "body", [*REQUESTS, b'{"GET /x": 1}', b"[1]", b"--boundary\r\n\r\nGET /", b"\x1f\x8b GET /", b"abc"]
)
async def test_a_body_that_begins_as_a_request(pool, body):
    """Is sent with `connection: close`, so that a server that leaves it unread does not go on to read it as one."""
    async with scripted(answering(OK)) as server:
        await fetch(pool, server.origin, body=body)
        last = body in REQUESTS
        assert server.requests[0].headers["connection"] == ("close" if last else "keep-alive")
        assert server.requests[0].body == body
        assert pool.idle == (not last)


@pytest.mark.parametrize("ends", [False, True], ids=["then reads it", "then closes"])
async def test_an_answer_before_the_request_was_written(pool, ends):
    """A whole answer, with success, while the kernel has not taken all of the request: it is not used again."""

    async def script(peer, _):
        received = await peer.head()
        await peer.send(OK)
        if not ends:
            await peer.reader.readexactly(int(received.headers["content-length"]))
            await peer.gone()

    async with scripted(script) as server:
        assert (await fetch(pool, server.origin, body=b"x" * 8_000_000))[2] == b"ok"
        assert (pool.idle, pool.in_use) == (0, 0)


async def test_an_answer_that_comes_before_its_request(pool):
    """What comes between borrowing a connection and sending on it is an error, not the answer; nothing is sent."""
    async with scripted(answering(OK)) as server:
        await fetch(pool, server.origin)
        [connection] = pool._idle
        call = asyncio.create_task(pool.send(outbound(server.origin)))
        await asyncio.sleep(0)
        assert not pool.idle
        connection.data_received(STRAY)  # in the same turn of the loop, as it may come from a socket
        with pytest.raises(BadResponse, match="before its request"):
            await call
        assert (await fetch(pool, server.origin))[2] == b"ok"
        assert len(server.requests) == 2


@pytest.mark.parametrize("how", ["bytes", "eof", "reset"])
async def test_what_the_loop_has_not_seen_yet(pool, how):
    """An idle connection on which something has arrived is passed over before the loop tells of it."""

    async def script(peer, _):
        while await peer.request():
            await peer.send(OK)
            if peer.number == 0:
                await go.wait()
                if how == "bytes":
                    await peer.send(STRAY)
                elif how == "eof":
                    peer.eof()
                else:
                    peer.reset()
                done.set()

    go, done = asyncio.Event(), asyncio.Event()
    async with scripted(script) as server:
        await fetch(pool, server.origin)
        [connection] = pool._idle
        connection.transport.pause_reading()  # stands for a loop that is busy
        go.set()
        await done.wait()
        await eventually(lambda: not connection.silent())
        assert (await fetch(pool, server.origin))[2] == b"ok"
        assert server.accepted == 2
    await eventually(lambda: pool.open == 0)


@pytest.mark.parametrize("delay", [0, 0.001, 0.005, 0.03])
async def test_a_stray_answer_reaches_nobody_else(pool, delay):
    """A second answer, at once or later, reaches no other organisation, whenever that asks."""

    async def script(peer, _):
        received = await peer.request()
        while received:
            name = received.headers["n"].encode()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(name), name))
            await asyncio.sleep(delay)
            await peer.send(STRAY)
            received = await peer.request()

    async def ask(org):
        for number in range(20):
            name = f"{org}-{number}".encode()
            try:
                body = (await fetch(pool, server.origin, org=org, headers=[(b"n", name)]))[2]
            except BadResponse:
                continue
            answers[org].add(body)
            await asyncio.sleep(0.002 * (number % 3))

    answers = {"one": set(), "two": set()}
    async with scripted(script) as server:
        await asyncio.gather(*map(ask, answers))
    for org, bodies in answers.items():
        assert all(body.startswith(org.encode()) or body == b"stray" for body in bodies)
        assert bodies - {b"stray"}
