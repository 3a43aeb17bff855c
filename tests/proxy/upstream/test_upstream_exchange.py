import asyncio

import pytest

from ingate.proxy.ports import Truncated
from tests.support.exchanges import OK, fetch, outbound, read_all
from tests.support.scripted_server import answering, scripted


async def test_the_request_is_written_as_given_with_framing_added(pool):
    """The head carries host, connection and content-length beside the caller's headers, names in lower case."""
    async with scripted(answering(OK)) as server:
        headers = [(b"Content-Type", b"application/json"), (b"X-A", b"1"), (b"x-a", b"2")]
        await fetch(pool, server.origin, target="/v1/chat?x=%20y", headers=headers, body=b'{"a":1}')
        (received,) = server.requests
        assert received.head == (
            b"POST /v1/chat?x=%%20y HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nconnection: keep-alive\r\n"
            b"content-type: application/json\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 7\r\n\r\n" % server.origin.port
        )
        assert received.body == b'{"a":1}'


async def test_the_response_head_is_normalised(pool):
    """Header names come in lower case, values without blanks around them, repeated and empty ones kept in order."""
    head = (
        b"HTTP/1.1 429 Slow\r\nX-B:  a b \t\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n"
    )
    async with scripted(answering(head)) as server:
        status, headers, body = await fetch(pool, server.origin)
    assert status == 429
    assert headers == [
        (b"x-b", b"a b"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
        (b"x-empty", b""),
        (b"content-length", b"0"),
    ]
    assert body == b""


KEPT = {
    "content-length": (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    "empty": (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "304": (b"HTTP/1.1 304 Not Modified\r\netag: a\r\n\r\n", b""),
    "chunked": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
    "chunk extension and trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nx-sum: 1\r\nx-b: 2\r\n\r\n",
        b"hello",
    ),
    "HTTP/1.0 kept alive": (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
}


@pytest.mark.parametrize("case", KEPT)
async def test_framed_responses_keep_the_connection(pool, case):
    """A response with a known end is read exactly, and its connection serves the next request."""
    response, body = KEPT[case]
    async with scripted(answering(response)) as server:
        for _ in range(3):
            status, headers, received = await fetch(pool, server.origin)
            assert received == body
            assert status == int(response[9:12])
            assert all(name not in {b"x-sum", b"x-b"} for name, _ in headers)
        assert server.accepted == 1
        assert (pool.open, pool.idle, pool.in_use) == (1, 1, 0)


HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
DROPPED = {
    "connection: close": (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    "connection: upgrade": (b"HTTP/1.1 200 OK\r\nconnection: upgrade\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    "chunked and close": (CHUNKS.replace(b"transfer", b"connection: close\r\ntransfer"), b"hello"),
    "a second response": (HELLO + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"hello"),
    "bytes after the end": (HELLO + b"X", b"hello"),
    "a line end after the end": (HELLO + b"\r\n", b"hello"),
    "a line end after a body that ends in one": (HELLO.replace(b"hello", b"hel\r\n") + b"\r\n", b"hel\r\n"),
    "a line end after an empty body": (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n\r\n", b""),
    "bytes after the last chunk": (CHUNKS + b"X", b"hello"),
    "a line end after the last chunk": (CHUNKS + b"\r\n", b"hello"),
    "half a line end after the last chunk": (CHUNKS + b"\n", b"hello"),
    "204 that announces a body": (b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", b""),
    "204 that announces chunks": (b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", b""),
    "304 that announces a body": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", b""),
    "interim responses": (
        b"HTTP/1.1 100 Continue\r\nx-interim: 1\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + HELLO,
        b"hello",
    ),
}


@pytest.mark.parametrize("case", DROPPED)
async def test_responses_that_end_the_connection(pool, case):
    """The body is complete, and the connection is not used again."""
    response, body = DROPPED[case]
    async with scripted(answering(response)) as server:
        for _ in range(2):
            _, headers, received = await fetch(pool, server.origin)
            assert received == body
            assert all(name not in {b"x-interim", b"link"} for name, _ in headers)
        assert server.accepted == 2
        assert pool.idle == 0


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_body_until_the_connection_closes(pool, version):
    """Without framing the body ends with the connection."""

    async def script(peer, _):
        await peer.request()
        await peer.send(b"HTTP/%b 200 OK\r\ncontent-type: a/b\r\n\r\nhel" % version, b"lo")
        peer.eof()
        await peer.gone()

    async with scripted(script) as server:
        assert (await fetch(pool, server.origin))[2] == b"hello"
        assert pool.in_use == 0


@pytest.mark.parametrize(
    "framing", [b"content-length: 0", b"content-length: 5", b"transfer-encoding: chunked", b"x: y"]
)
async def test_head_has_no_body(pool, framing):
    """A response to HEAD ends with its head; what it announces may follow all the same, and costs the connection."""
    async with scripted(answering(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n", OK)) as server:
        assert (await fetch(pool, server.origin, method="HEAD"))[2] == b""
        assert server.requests[0].line == "HEAD /v1/x HTTP/1.1"
        assert pool.idle == (framing == b"content-length: 0")


async def test_head_answered_with_a_body_ends_the_connection(pool):
    """A body that follows the head of a HEAD response is not taken for the next response."""
    async with scripted(answering(OK)) as server:
        assert (await fetch(pool, server.origin, method="HEAD"))[2] == b""
        assert (await fetch(pool, server.origin))[2] == b"ok"
        assert server.accepted == 2


async def test_pieces_arrive_as_they_are_sent(pool):
    """A piece is readable before the next one is sent, and the end is told once and again."""
    turn = asyncio.Event()

    async def script(peer, _):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in (b"a", b"b", b"c"):
            await turn.wait()
            turn.clear()
            await peer.send(b"1\r\n" + piece + b"\r\n")
        await turn.wait()
        await peer.send(b"0\r\n\r\n")
        await peer.gone()

    async with scripted(script) as server:
        response = await pool.send(outbound(server.origin))
        for piece in (b"a", b"b", b"c", b"", b""):
            if not turn.is_set():
                turn.set()
            assert await response.read() == piece


async def test_the_connection_is_free_before_the_last_piece_is_read(pool):
    """A response that arrived whole gives its connection back at once, and closing it late harms no other exchange."""
    async with scripted(answering(OK, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother")) as server:
        first = await pool.send(outbound(server.origin))
        assert (pool.idle, pool.in_use) == (1, 0)
        second = await pool.send(outbound(server.origin))
        assert server.accepted == 1
        assert await read_all(first) == b"ok"
        await first.aclose()
        await first.aclose()
        assert await read_all(second) == b"other"
        assert pool.idle == 1


async def test_ipv6_origin(pool):
    """An IPv6 address is bracketed in host."""
    try:
        async with scripted(answering(OK), host="::1") as server:
            await fetch(pool, server.origin)
            assert server.requests[0].headers["host"] == f"[::1]:{server.origin.port}"
    except OSError:
        pytest.skip("no IPv6 on this machine")


async def test_a_body_that_is_here_is_taken_at_once(pool):
    """Then nothing is left to read or to close, and the connection is free."""
    async with scripted(answering(OK, OK)) as server:
        response = await pool.send(outbound(server.origin))
        assert response.take() == b"ok"
        assert pool.idle == 1
        assert await response.read() == b""
        assert (await fetch(pool, server.origin))[2] == b"ok"
    assert server.accepted == 1


async def test_a_body_on_its_way_is_not_taken(pool):
    """Not before its end, and not at all when it breaks off."""
    go_on = asyncio.Event()

    async def script(peer, _server):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel")
        await go_on.wait()
        peer.reset()

    async with scripted(script) as server:
        response = await pool.send(outbound(server.origin))
        assert response.take() is None
        assert await response.read() == b"hel"
        go_on.set()
        with pytest.raises(Truncated):
            await response.read()
        assert response.take() is None
        await response.aclose()
