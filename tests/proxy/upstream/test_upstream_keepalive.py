import asyncio

import pytest

from ingate.proxy.ports import ConnectFailed, ConnectionLost, StaleConnection, Truncated
from tests.support.exchanges import OK, fetch, outbound, read_all
from tests.support.scripted_server import answering, scripted
from tests.support.waiting import eventually

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"


async def test_one_connection_serves_many_requests(pool):
    """Sequential requests share a connection."""
    async with scripted(answering(OK)) as server:
        for _ in range(20):
            await fetch(pool, server.origin)
        assert server.accepted == 1
        assert len(server.requests) == 20


async def test_concurrent_requests_have_connections_of_their_own(pool):
    """Requests at the same time never share a connection; afterwards all are idle."""
    gate = asyncio.Barrier(8)

    async def script(peer, _):
        while await peer.request():
            await gate.wait()
            await peer.send(OK)

    async with scripted(script) as server:
        for _ in range(2):
            await asyncio.gather(*(fetch(pool, server.origin) for _ in range(8)))
            assert server.accepted == 8
            assert (pool.open, pool.idle, pool.in_use) == (8, 8, 0)


async def test_the_connection_used_last_is_used_first(pool):
    """Reuse is last in, first out, so that the rest can age."""
    order = []

    async def script(peer, _):
        while await peer.request():
            order.append(peer.number)
            await peer.send(HEAD + b"1234567890")

    async with scripted(script) as server:
        first = await pool.send(outbound(server.origin))
        second = await pool.send(outbound(server.origin))
        await read_all(second)
        await read_all(first)
        order.clear()
        for _ in range(3):
            await fetch(pool, server.origin)
        assert len(set(order)) == 1


async def test_origins_do_not_share(pool):
    """Two ports are two origins; each is forgotten with its last connection."""
    async with scripted(answering(OK)) as one, scripted(answering(OK)) as other:
        await fetch(pool, one.origin)
        await fetch(pool, other.origin)
        assert (one.accepted, other.accepted) == (1, 1)
        assert len(pool._lanes) == 2
    await eventually(lambda: pool.open == 0)
    assert not pool._lanes


async def test_idle_connections_are_closed_after_their_time(make_pool):
    """A connection unused for idle_ttl is closed, and one that is used is not."""
    pool = make_pool(idle_ttl=0.5)
    async with scripted(answering(OK)) as server:
        for _ in range(6):
            await fetch(pool, server.origin)
            await asyncio.sleep(0.03)
        assert server.accepted == 1
        await eventually(lambda: pool.open == 0)
        await fetch(pool, server.origin)
        assert server.accepted == 2


async def test_idle_connections_are_bounded(make_pool):
    """No more than max_idle are kept."""
    pool = make_pool(max_idle=2)
    gate = asyncio.Barrier(5)

    async def script(peer, _):
        while await peer.request():
            await gate.wait()
            await peer.send(OK)

    async with scripted(script) as server:
        await asyncio.gather(*(fetch(pool, server.origin) for _ in range(5)))
        assert pool.idle == 2
        await eventually(lambda: pool.open == 2)


@pytest.mark.parametrize(("rest", "stale"), [(0.0, True), (60.0, False)])
async def test_a_close_instead_of_an_answer_is_stale_only_after_a_rest(pool, monkeypatch, rest, stale):
    """A provider that read the request and closed may have done what it asked: it is not to be sent again."""
    monkeypatch.setattr("ingate.proxy.upstream.connection._IDLE_AT_LEAST", rest)

    async def script(peer, _):
        await peer.request()
        await peer.send(OK)
        await peer.request()
        peer.eof()
        await peer.gone()

    async with scripted(script) as server:
        await fetch(pool, server.origin)
        with pytest.raises(ConnectionLost) as lost:
            await pool.send(outbound(server.origin))
        assert isinstance(lost.value, StaleConnection) is stale


@pytest.mark.parametrize("how", ["eof", "reset", "bytes"])
async def test_a_connection_that_ends_while_idle_is_passed_over(pool, how):
    """A provider that closes, resets or speaks on an idle connection takes it out of the pool."""
    go = asyncio.Event()

    async def script(peer, _):
        while await peer.request():
            await peer.send(OK)
            if peer.number == 0:
                await go.wait()
                if how == "eof":
                    peer.eof()
                elif how == "reset":
                    peer.reset()
                else:
                    await peer.send(b"HTTP/1.1 408 Timeout\r\n\r\n")

    async with scripted(script) as server:
        await fetch(pool, server.origin)
        assert pool.idle == 1
        go.set()
        await eventually(lambda: pool.open == 0)
        assert pool.idle == 0
        await fetch(pool, server.origin)
        assert server.accepted == 2


async def test_known_to_be_closed_but_not_yet_gone(pool):
    """A pooled connection already closing when it is taken is passed over for another."""
    async with scripted(answering(OK)) as server:
        await fetch(pool, server.origin)
        (lane,) = pool._lanes.values()
        lane.idle[0].transport.abort()  # its connection_lost comes with the next turn of the loop
        assert (await fetch(pool, server.origin))[2] == b"ok"
        assert server.accepted == 2


async def test_lost_after_the_request_was_written_is_not_sent_again(pool):
    """A kept-alive connection that ends after the write, without an answer, is the caller's to judge."""

    async def script(peer, server):
        server.requests.append(await peer.request())
        await peer.send(OK)
        server.requests.append(await peer.request())

    async with scripted(script) as server:
        await fetch(pool, server.origin)
        with pytest.raises(ConnectionLost, match="kept-alive"):
            await fetch(pool, server.origin)
        assert server.accepted == 1
        assert len(server.requests) == 2


async def test_closing_a_response_early_drops_its_connection(pool):
    """A body that is not read to its end costs the connection; reading on is refused."""

    async def script(peer, _):
        while await peer.request():
            await peer.send(HEAD + b"12345")

    async with scripted(script) as server:
        response = await pool.send(outbound(server.origin))
        await response.aclose()
        await response.aclose()
        assert pool.in_use == 0
        with pytest.raises(Truncated):
            await response.read()
        await eventually(lambda: pool.open == 0)


async def test_closing_the_pool(make_pool):
    """Idle connections go, exchanges in progress fail, waiting ones too, and nothing is opened any more."""
    pool = make_pool(max_calls_per_origin=4)

    async def script(peer, _):
        while await peer.request():
            await peer.send(HEAD + b"12345" if peer.number == 0 else b"")

    async with scripted(script) as server:
        in_body = await pool.send(outbound(server.origin))
        in_head = asyncio.create_task(fetch(pool, server.origin))
        await eventually(lambda: pool.open == 2)
        waiting = asyncio.create_task(fetch(pool, server.origin))
        await asyncio.sleep(0)
        await asyncio.gather(pool.aclose(), pool.aclose())
        with pytest.raises(ConnectionLost):
            await in_head
        with pytest.raises(ConnectFailed, match="closed"):
            await waiting
        assert await in_body.read() == b"12345"
        with pytest.raises(Truncated):
            await in_body.read()
        with pytest.raises(ConnectFailed, match="closed"):
            await fetch(pool, server.origin)
        assert pool.open == 0
