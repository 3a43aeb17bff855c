import asyncio
import ssl

import pytest
import trustme

from ingate.proxy.ports import ConnectFailed, ConnectTimeout, Origin, Truncated
from ingate.proxy.upstream import client_context
from tests.support.exchanges import OK, fetch, outbound, read_all
from tests.support.scripted_server import answering, scripted
from tests.support.waiting import PATIENCE, eventually

AUTHORITY = trustme.CA()
LARGE = bytes(range(256)) * 4096 * 8


def server_context(*names, seen=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if seen is not None:
        context.sni_callback = lambda _, name, __: seen.append(name)
    return context


@pytest.fixture
def pool(make_pool):
    context = client_context()
    AUTHORITY.configure_trust(context)
    return make_pool(ssl_context=context)


async def test_verified(pool):
    """A trusted certificate is accepted, SNI names the host, ALPN agrees on HTTP/1.1, the connection is kept."""
    seen, protocols = [], []

    async def script(peer, server):
        protocols.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await answering(OK)(peer, server)

    async with scripted(script, ssl=server_context("localhost", seen=seen), name="localhost") as server:
        for _ in range(3):
            assert (await fetch(pool, server.origin))[2] == b"ok"
        assert server.accepted == 1
        assert seen == ["localhost"]
        assert protocols == ["http/1.1"]


async def test_an_address_is_verified_too(pool):
    """A certificate for an IP address."""
    async with scripted(answering(OK), ssl=server_context("127.0.0.1")) as server:
        assert (await fetch(pool, server.origin))[2] == b"ok"


async def test_unknown_authority(make_pool):
    """A certificate of an authority the system does not trust is refused before anything is sent."""
    pool = make_pool(ssl_context=None)
    async with scripted(answering(OK), ssl=server_context("localhost"), name="localhost") as server:
        with pytest.raises(ConnectFailed, match="not verified"):
            await fetch(pool, server.origin, headers=[(b"authorization", b"Bearer canary")])
        assert server.requests == []
        assert pool.in_use == 0
        await eventually(lambda: pool.open == 0)


async def test_another_host_s_certificate(pool):
    """A trusted certificate for another name is refused."""
    async with scripted(answering(OK), ssl=server_context("other.example"), name="localhost") as server:
        with pytest.raises(ConnectFailed, match=r"(?i)hostname mismatch"):
            await fetch(pool, server.origin)
        assert server.requests == []


async def test_ssl_cert_file(make_pool, monkeypatch, tmp_path):
    """SSL_CERT_FILE replaces the system's store."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    pool = make_pool(ssl_context=None)
    async with scripted(answering(OK), ssl=server_context("localhost"), name="localhost") as server:
        assert (await fetch(pool, server.origin))[2] == b"ok"


async def test_a_server_that_speaks_no_tls(pool):
    """Plain HTTP on the other side is a connection that could not be made."""

    async def script(peer, _):
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with scripted(script) as server:
        with pytest.raises(ConnectFailed):
            await fetch(pool, Origin("https", "localhost", server.origin.port))
        assert pool.in_use == 0


async def test_a_server_that_closes_in_the_handshake(pool):
    """A connection that ends before TLS is up could not be made."""

    async def script(peer, _):
        await peer.reader.read(1)

    async with scripted(script) as server:
        with pytest.raises(ConnectFailed):
            await fetch(pool, Origin("https", "localhost", server.origin.port))


async def test_a_stalled_handshake(pool):
    """The connect timeout covers the handshake; the half-made connection is closed."""
    closed = asyncio.Event()

    async def script(peer, _):
        await peer.gone()
        closed.set()

    async with scripted(script) as server:
        with pytest.raises(ConnectTimeout):
            await fetch(pool, Origin("https", "localhost", server.origin.port), connect=0.1)
        await asyncio.wait_for(closed.wait(), PATIENCE)
        assert (pool.open, pool.in_use) == (0, 0)


async def test_large_bodies_both_ways(pool):
    """Megabytes in slices out, back-pressure on the way in, through TLS."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(LARGE) + LARGE
    async with scripted(answering(answer), ssl=server_context("localhost"), name="localhost") as server:
        for _ in range(2):
            response = await pool.send(outbound(server.origin, body=LARGE))
            await eventually(lambda current=response: current.buffered > 64 * 1024)
            assert await read_all(response) == LARGE
            assert server.requests.pop().body == LARGE
        assert server.accepted == 1


async def test_closed_inside_the_body(pool):
    """A TLS connection that ends inside a framed body truncates it; outside, it leaves the pool."""

    async def script(peer, _):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
        peer.writer.close()

    async with scripted(script, ssl=server_context("localhost"), name="localhost") as server:
        response = await pool.send(outbound(server.origin))
        with pytest.raises(Truncated):
            await read_all(response)
        assert pool.in_use == 0
        await eventually(lambda: pool.open == 0)


async def test_until_close(pool):
    """A body without framing ends with the TLS connection."""

    async def script(peer, _):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n12345")
        peer.writer.close()

    async with scripted(script, ssl=server_context("localhost"), name="localhost") as server:
        assert (await fetch(pool, server.origin))[2] == b"12345"
