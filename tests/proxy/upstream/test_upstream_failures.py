import asyncio
import gc
import socket

import pytest

from ingate.proxy.ports import (
    BadResponse,
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    Origin,
    OutboundRequest,
    Truncated,
)
from tests.support.exchanges import OK, fetch, outbound, read_all
from tests.support.ports import free_port
from tests.support.scripted_server import answering, scripted

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def ending(prefix, how):
    """A script that sends `prefix` to every request and then ends the connection by eof or reset."""

    async def script(peer, _):
        if await peer.request() is None:
            return
        await peer.send(prefix)
        if how == "reset":
            await asyncio.sleep(0.02)  # an RST overtakes what the client has not read: let the prefix arrive
            peer.reset()
        else:
            peer.eof()
            await peer.gone()

    return script


@pytest.mark.parametrize("how", ["eof", "reset"])
@pytest.mark.parametrize(
    "prefix", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nx: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
async def test_ended_before_the_head(pool, prefix, how):
    """A connection that ends before the head is complete is lost, and is not replaced behind the caller's back."""
    async with scripted(ending(prefix, how)) as server:
        with pytest.raises(ConnectionLost):
            await fetch(pool, server.origin)
        assert server.accepted == 1
        assert pool.in_use == 0


@pytest.mark.parametrize(("prefix", "error"), [(b"", ConnectionLost), (HEAD + b"12345", Truncated)])
async def test_nothing_holds_on_to_a_request_that_failed(pool, prefix, error):
    """Its body may be large: with no collector running it is gone with the failure."""
    async with scripted(ending(prefix, "eof")) as server:
        gc.collect()
        gc.disable()
        others = held_requests()
        try:
            for _ in range(3):
                with pytest.raises(error):
                    await fetch(pool, server.origin)
            assert [held for held in held_requests() if not any(held is other for other in others)] == []
        finally:
            gc.enable()


def held_requests():
    """Returns the requests that something holds on to."""
    return [held for held in gc.get_objects() if isinstance(held, OutboundRequest)]


@pytest.mark.parametrize("how", ["eof", "reset"])
@pytest.mark.parametrize("prefix", [HEAD + b"12345", CHUNKED + b"5\r\n12345\r\n", CHUNKED + b"9\r\n12345"])
async def test_ended_inside_the_body(pool, prefix, how):
    """What arrived is readable, then the body is known to be cut short, however often it is asked."""
    async with scripted(ending(prefix, how)) as server:
        response = await pool.send(outbound(server.origin))
        assert await response.read() == b"12345"
        for _ in range(2):
            with pytest.raises(Truncated):
                await response.read()
        assert pool.in_use == 0


async def test_a_reset_is_no_end_of_an_unframed_body(pool):
    """A body that the end of the connection would end is truncated by a reset."""
    async with scripted(ending(b"HTTP/1.1 200 OK\r\n\r\n12345", "reset")) as server:
        response = await pool.send(outbound(server.origin))
        with pytest.raises(Truncated):
            await read_all(response)


BAD_HEADS = {
    "not http": b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
    "binary": bytes(range(256)),
    "status 000": b"HTTP/1.1 000 x\r\ncontent-length: 0\r\n\r\n",
    "status 700": b"HTTP/1.1 700 x\r\ncontent-length: 0\r\n\r\n",
    "two digits": b"HTTP/1.1 20 x\r\ncontent-length: 0\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    "bare 101": b"HTTP/1.1 101 Switching\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a length list": b"HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\nab",
    "negative length": b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "huge length": b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 40 + b"\r\n\r\n",
    "gzip coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "blank in a name": b"HTTP/1.1 200 OK\r\nx y: 1\r\n\r\n",
    "NUL in a value": b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
    "DEL in a value": b"HTTP/1.1 200 OK\r\nx: a\x7fb\r\n\r\n",
    "CR in a value": b"HTTP/1.1 200 OK\r\nx: a\rb: c\r\n\r\n",
    "no name": b"HTTP/1.1 200 OK\r\n: a\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nx\r\n\r\n",
    "blank before the colon": b"HTTP/1.1 200 OK\r\ncontent-length : 1\r\n\r\na",
    "bare line ends": b"HTTP/1.1 200 OK\ncontent-length: 1\n\na",
    "two equal lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
    "a signed length": b"HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
    "an empty length": b"HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n",
    "folded header": b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n",
    "1,001 headers": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1001 + b"\r\n",
    "a long name": b"HTTP/1.1 200 OK\r\n" + b"a" * 300_000,
    "a long value": b"HTTP/1.1 200 OK\r\na: " + b"b" * 300_000 + b"\r\n\r\n",
    "a length beside chunks": CHUNKED[:-2] + b"content-length: 1\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "chunks beside a length": HEAD[:-2] + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "a length with zeros before it": b"HTTP/1.1 200 OK\r\ncontent-length: 01\r\n\r\na",
    "a length of 16 digits": b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000000\r\n\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in a list": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\ncontent-length: 0\r\n\r\n",
    "RTSP": b"RTSP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "a line end before it": b"\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "folded coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "nine interims": b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK,
    "a long interim": b"HTTP/1.1 100 Continue\r\nx: " + b"y" * 20_000,
    "an interim with a length": b"HTTP/1.1 103 x\r\ncontent-length: 0\r\n\r\n" + OK,
    "an interim with chunks": b"HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\n\r\n" + OK,
    "a bad interim": b"HTTP/1.1 103 x\r\nno colon\r\n\r\n" + OK,
    "an interim of HTTP/1.0": b"HTTP/1.0 100 Continue\r\n\r\n" + OK,
    "interim without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    "a body in an interim": b"HTTP/1.1 150 x\r\ncontent-length: 1\r\n\r\na",
}


@pytest.mark.parametrize("case", BAD_HEADS)
async def test_bad_head(pool, case):
    """A head that is not HTTP, or too large, is refused, and the connection dropped."""
    async with scripted(answering(BAD_HEADS[case])) as server:
        with pytest.raises(BadResponse):
            await fetch(pool, server.origin)
        assert pool.in_use == 0
        assert pool.idle == 0


async def test_the_largest_heads_pass(pool):
    """A thousand headers, and nearly 256 KiB of them, are within the limits."""
    many = b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 999 + b"content-length: 0\r\n\r\n"
    long = b"HTTP/1.1 200 OK\r\na: " + b"b" * 260_000 + b"\r\ncontent-length: 400000\r\n\r\n" + b"x" * 400_000
    async with scripted(answering(many, long)) as server:
        assert len((await fetch(pool, server.origin))[1]) == 1000
        assert len((await fetch(pool, server.origin))[2]) == 400_000
        assert server.accepted == 1


BAD_BODIES = {
    "chunk size": b"5\r\n12345\r\nzz\r\n",
    "chunk without end": b"5\r\n12345xx",
    "huge chunk size": b"5\r\n12345\r\n" + b"f" * 40 + b"\r\n",
    "extension without end": b"5\r\n12345\r\n5;" + b"x" * 600_000,
    "extensions that outweigh the body": b"5\r\n12345\r\n" + (b"1;" + b"x" * 1000 + b"\r\na\r\n") * 1000,
    "a chunk size in zeros": b"5\r\n12345\r\n" + b"0" * 600_000,
    "line feeds alone": b"5\r\n12345\r\n1\na\n0\n\n",
    "a blank before a size": b"5\r\n12345\r\n 1\r\na\r\n0\r\n\r\n",
    "a negative size": b"5\r\n12345\r\n-1\r\na\r\n0\r\n\r\n",
    "a length among the trailers": b"5\r\n12345\r\n0\r\ncontent-length: 5\r\n\r\n",
    "trailers without end": b"5\r\n12345\r\n0\r\n" + b"x: y\r\n" * 100_000,
}


@pytest.mark.parametrize("case", BAD_BODIES)
async def test_bad_chunks(pool, case):
    """Good pieces before bad framing are readable; then the response is bad, and bounded in what it may send."""
    async with scripted(answering(CHUNKED + BAD_BODIES[case])) as server:
        response = await pool.send(outbound(server.origin))
        assert (await response.read()).startswith(b"12345")
        with pytest.raises(BadResponse):
            await read_all(response)
        assert (pool.in_use, pool.idle) == (0, 0)


async def test_first_byte_timeout(pool):
    """Without a complete head in time the request fails, half a head or interim responses notwithstanding."""

    async def script(peer, _):
        await peer.request()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx:")
        await peer.gone()

    async with scripted(script) as server:
        with pytest.raises(FirstByteTimeout) as raised:
            await fetch(pool, server.origin, first_byte=0.05)
        assert raised.value.timeout
        assert pool.in_use == 0


@pytest.mark.parametrize("trickle", [b"", b"1"])
async def test_idle_timeout(pool, trickle):
    """A stalled body fails after the idle time; bytes that are no body (a chunk size that grows) do not extend it."""

    async def script(peer, _):
        await peer.request()
        await peer.send(CHUNKED + b"5\r\n12345\r\n")
        while trickle:
            await peer.send(b"0")
            await asyncio.sleep(0.01)
        await peer.gone()

    async with scripted(script) as server:
        response = await pool.send(outbound(server.origin, idle=0.1))
        assert await response.read() == b"12345"
        with pytest.raises((IdleTimeout, BadResponse) if trickle else IdleTimeout):
            await asyncio.wait_for(response.read(), 3)
        assert pool.in_use == 0


async def test_a_slow_caller_is_not_a_stalled_provider(pool):
    """No deadline runs while nobody waits for the provider."""
    go = asyncio.Event()

    async def script(peer, _):
        await peer.request()
        await peer.send(HEAD + b"12345")
        await go.wait()
        await peer.send(b"67890")
        await peer.gone()

    async with scripted(script) as server:
        response = await pool.send(outbound(server.origin, first_byte=0.05, idle=0.05))
        assert await response.read() == b"12345"
        await asyncio.sleep(0.12)  # longer than both deadlines
        go.set()
        assert await response.read() == b"67890"


async def test_a_deadline_moves_with_every_read(pool):
    """A body that takes longer than the idle time in all, but never between two pieces, is fine."""

    async def script(peer, _):
        await peer.request()
        await peer.send(HEAD)
        for _ in range(10):
            await asyncio.sleep(0.03)
            await peer.send(b"x")
        await peer.gone()

    async with scripted(script) as server:
        assert len((await fetch(pool, server.origin, idle=0.2, first_byte=0.2))[2]) == 10


class Taking:
    """A receiver that takes every piece."""

    def __init__(self):
        self.pieces = []

    def accepts(self, _size):
        return True

    def accept(self, piece):
        self.pieces.append(piece)


@pytest.mark.parametrize("stalls", [False, True])
async def test_a_deadline_moves_with_every_piece_that_is_handed_on(pool, stalls):
    """Although nobody wakes to wait again; a body that stalls then fails all the same."""

    async def script(peer, _):
        await peer.request()
        await peer.send(CHUNKED)
        for _ in range(10):
            await asyncio.sleep(0.03)
            await peer.send(b"1\r\nx\r\n")
        if not stalls:
            await peer.send(b"0\r\n\r\n")
        await peer.gone()

    async with scripted(script) as server:
        response = await pool.send(outbound(server.origin, idle=0.2))
        taking = Taking()
        if stalls:
            with pytest.raises(IdleTimeout):
                await asyncio.wait_for(response.read(taking), 3)
        else:
            assert await response.read(taking) == b""
        assert taking.pieces == [b"x"] * 10


async def test_refused(pool):
    """Nobody listens."""
    with pytest.raises(ConnectFailed, match="cannot connect"):
        await fetch(pool, Origin("http", "127.0.0.1", free_port()))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300 + ".invalid", "a..b"])
async def test_unknown_host(pool, host):
    """A name that does not resolve, or cannot be one."""
    with pytest.raises((ConnectFailed, ValueError)):
        await fetch(pool, Origin("http", host, 80))


async def test_connect_timeout(pool):
    """A server whose queue is full answers no SYN: the connection is not made in time."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            with pytest.raises(ConnectTimeout) as raised:
                await fetch(pool, Origin("http", "127.0.0.1", port), connect=0.1)
            assert raised.value.timeout
        finally:
            for filler in fillers:
                filler.close()
    assert (pool.open, pool.in_use) == (0, 0)


async def test_after_a_failure_the_next_request_is_fine(pool):
    """A failed exchange leaves nothing behind that the next one meets."""

    async def script(peer, _):
        await peer.request()
        await peer.send(b"garbage\r\n\r\n" if peer.number == 0 else OK)
        await peer.gone()

    async with scripted(script) as server:
        with pytest.raises(BadResponse):
            await fetch(pool, server.origin)
        assert (await fetch(pool, server.origin))[2] == b"ok"
