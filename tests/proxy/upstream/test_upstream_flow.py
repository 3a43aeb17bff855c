import asyncio
import ssl

import pytest

from ingate.proxy.ports import ConnectionLost, FirstByteTimeout
from tests.support.exchanges import OK, fetch, outbound, read_all
from tests.support.scripted_server import answering, scripted
from tests.support.waiting import PATIENCE, eventually

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LARGE = bytes(range(256)) * 4096 * 8  # 8 MiB, more than the kernel buffers of both sides


async def test_reading_pauses_when_nobody_reads(pool):
    """A provider that sends more than the caller takes is held back, and nothing is lost when the caller goes on."""
    sent = 0

    async def script(peer, _):
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(LARGE))
        for start in range(0, len(LARGE), 65536):
            await peer.send(LARGE[start : start + 65536])
            sent += 65536
        await peer.gone()

    async with scripted(script) as server:
        response = await pool.send(outbound(server.origin))
        await eventually(lambda: response.buffered > 64 * 1024)
        before = -1
        while before != sent:  # until the provider is stuck
            before = sent
            await asyncio.sleep(0.05)
        assert response.buffered <= 64 * 1024 + 256 * 1024, "and what is read at once"
        assert sent < len(LARGE)
        assert await read_all(response) == LARGE
        assert (pool.idle, pool.in_use) == (1, 0)


async def test_tiny_chunks_count_for_what_they_cost(pool):
    """One-byte chunks pause reading long before their bytes alone would."""
    body = CHUNKED + b"1\r\nx\r\n" * 200_000 + b"0\r\n\r\n"
    async with scripted(answering(body)) as server:
        response = await pool.send(outbound(server.origin))
        await eventually(lambda: response.buffered > 64 * 1024)
        assert response.buffered < 8 * 1024 * 1024
        assert await read_all(response) == b"x" * 200_000


async def test_closing_while_paused(pool):
    """A response whose reading is paused can be dropped."""
    async with scripted(answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(LARGE) + LARGE)) as server:
        response = await pool.send(outbound(server.origin))
        await eventually(lambda: response.buffered > 64 * 1024)
        await response.aclose()
        assert pool.in_use == 0
        await eventually(lambda: pool.open == 0)


@pytest.mark.parametrize("size", [1, 32 * 1024, 32 * 1024 + 1, 256 * 1024, 256 * 1024 + 1, len(LARGE)])
async def test_uploads_arrive_whole(pool, size):
    """Bodies joined to the head, written beside it and written in slices all arrive, and the connection is kept."""
    async with scripted(answering(OK)) as server:
        for _ in range(2):
            assert (await fetch(pool, server.origin, body=LARGE[:size]))[2] == b"ok"
        assert [received.body == LARGE[:size] for received in server.requests] == [True, True]
        assert server.accepted == 1


async def test_a_slow_reader_gets_its_upload(pool):
    """A provider that reads slowly is waited for: the time to its first byte starts again while it reads."""

    async def script(peer, _):
        received = await peer.head()
        left = int(received.headers["content-length"])
        while left:
            left -= len(await peer.reader.read(left))
            await asyncio.sleep(0.001)
        await peer.send(OK)
        await peer.gone()

    async with scripted(script) as server:
        assert (await fetch(pool, server.origin, body=LARGE))[2] == b"ok"


async def test_a_provider_that_stops_reading(pool):
    """An upload nobody reads fails with the first-byte timeout and is let go."""

    async def script(peer, _):
        await peer.head()
        peer.writer.transport.pause_reading()
        await asyncio.Event().wait()

    async with scripted(script) as server:
        with pytest.raises(FirstByteTimeout):
            await fetch(pool, server.origin, body=LARGE, first_byte=0.2)
        assert pool.in_use == 0
        await eventually(lambda: pool.open == 0)


async def test_an_early_refusal_is_returned(pool):
    """A 413 before the body was read is the answer; the rest is not sent and the connection not used again."""

    async def script(peer, server):
        received = await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\n\r\ntoo large")
        if received.headers["content-length"] == "0":
            return
        server.requests.append(received)
        await asyncio.Event().wait()  # never reads the body, never closes

    async with scripted(script) as server:
        for _ in range(2):
            status, _, body = await fetch(pool, server.origin, body=LARGE)
            assert (status, body) == (413, b"too large")
            assert (pool.idle, pool.in_use) == (0, 0)
        assert server.accepted == 2
        await eventually(lambda: pool.open == 0)


async def test_an_early_refusal_that_closes_its_side(pool):
    """A 413 whose server half-closes at once, as many do, is the answer all the same."""

    async def script(peer, _):
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\n\r\ntoo large")
        peer.eof()
        await peer.gone()

    async with scripted(script) as server:
        status, _, body = await fetch(pool, server.origin, body=LARGE)
        assert (status, body) == (413, b"too large")


async def test_an_early_success_does_not_stop_the_upload(pool):
    """A provider that answers 200 while it still reads gets the whole body, and the connection is not used again."""

    async def script(peer, server):
        received = await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
        received.body = await peer.reader.readexactly(int(received.headers["content-length"]))
        server.requests.append(received)
        await peer.send(b"ok")
        await peer.gone()

    async with scripted(script) as server:
        assert (await fetch(pool, server.origin, body=LARGE))[2] == b"ok"
        assert server.requests[0].body == LARGE
        assert pool.idle == 0


async def test_reset_inside_an_upload(pool):
    """A connection reset while the body is being sent is lost."""

    async def script(peer, _):
        await peer.head()
        peer.reset()

    async with scripted(script) as server:
        with pytest.raises(ConnectionLost):
            await fetch(pool, server.origin, body=LARGE)
        assert pool.in_use == 0


@pytest.mark.parametrize("phase", ["upload", "head", "body"])
async def test_cancellation_leaves_no_connection(pool, phase):
    """A request cancelled in any phase drops its connection at once."""
    reached = asyncio.Event()
    closed = asyncio.Event()

    async def script(peer, _):
        await peer.head()
        if phase == "upload":
            peer.writer.transport.pause_reading()
        if phase == "body":
            await peer.send(CHUNKED)
        reached.set()
        if phase != "upload":
            await peer.gone()
            closed.set()
        else:
            await asyncio.Event().wait()

    async with scripted(script) as server:
        task = asyncio.create_task(fetch(pool, server.origin, body=LARGE if phase == "upload" else b""))
        await reached.wait()
        if phase == "body":
            await eventually(lambda: next(iter(pool._lanes.values())).connections)
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.in_use == 0
        await eventually(lambda: pool.open == 0)
        if phase != "upload":
            await asyncio.wait_for(closed.wait(), PATIENCE)


@pytest.mark.parametrize("kept", [False, True])
async def test_cancellation_at_every_loop_turn(make_pool, kept):
    """However many turns of the loop a request has had, cancelling it leaks nothing, connecting or kept alive."""
    context = ssl.create_default_context()
    async with scripted(answering(OK)) as server:
        for turns in range(50):
            pool = make_pool(ssl_context=context)
            if kept:
                await fetch(pool, server.origin)
            task = asyncio.create_task(fetch(pool, server.origin))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert pool.in_use == 0
            await eventually(lambda current=pool: current.open == current.idle)
            await asyncio.wait_for(pool.aclose(), PATIENCE)
            assert not pool._lanes


async def test_cancelled_after_the_answer_came(pool):
    """A cancellation that meets a complete answer does not touch the connection, which is the pool's again."""
    async with scripted(answering(OK)) as server:
        await fetch(pool, server.origin)
        task = asyncio.create_task(pool.send(outbound(server.origin)))
        await asyncio.sleep(0)
        assert pool.in_use == 1
        for _ in range(1_000_000):
            if not pool.in_use:
                break  # the answer was parsed in this turn of the loop; the task has yet to run
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (pool.open, pool.idle, pool.in_use) == (1, 1, 0)
        await fetch(pool, server.origin)
        assert server.accepted == 1


async def test_two_readers_of_one_response(pool):
    """A second reader is refused rather than left waiting for ever."""

    async def script(peer, _):
        await peer.request()
        await peer.send(CHUNKED)
        await peer.gone()

    async with scripted(script) as server:
        response = await pool.send(outbound(server.origin))
        first = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="read already"):
            await response.read()
        await asyncio.wait([first], timeout=5)
        assert first.exception() is not None
        assert pool.in_use == 0
