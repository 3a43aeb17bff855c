import asyncio
import base64

import pytest

from ingate.proxy.ports import ConnectFailed, ConnectTimeout, Origin
from ingate.proxy.upstream import client_context
from ingate.proxy.upstream.outward import Proxy, bypassed, proxy_for
from tests.proxy.upstream.test_upstream_tls import AUTHORITY, server_context
from tests.support.exchanges import OK, fetch
from tests.support.scripted_server import answering, scripted
from tests.support.waiting import PATIENCE, eventually

HTTP = Origin("http", "api.example", 80)
HTTPS = Origin("https", "api.example", 443)


@pytest.mark.parametrize(
    ("environ", "origin", "expected"),
    [
        ({}, HTTP, None),
        ({"http_proxy": "http://p:3128"}, HTTP, Proxy("p", 3128)),
        ({"HTTP_PROXY": "http://p:3128"}, HTTP, Proxy("p", 3128)),
        ({"HTTP_PROXY": "http://upper:1", "http_proxy": "http://lower:2"}, HTTP, Proxy("lower", 2)),
        ({"HTTP_PROXY": "http://p:1"}, HTTPS, None),
        ({"HTTPS_PROXY": "p:1"}, HTTPS, Proxy("p", 1)),
        ({"HTTPS_PROXY": "http://p"}, HTTPS, Proxy("p", 80)),
        ({"ALL_PROXY": "http://all:1"}, HTTPS, Proxy("all", 1)),
        ({"all_proxy": "http://all:1", "https_proxy": "http://own:2"}, HTTPS, Proxy("own", 2)),
        ({"all_proxy": "http://all:1", "https_proxy": ""}, HTTPS, None),
        ({"http_proxy": "http://[::1]:3128"}, HTTP, Proxy("::1", 3128)),
        ({"http_proxy": "http://p:1", "no_proxy": "example"}, HTTP, None),
        ({"http_proxy": "http://p:1", "NO_PROXY": "*"}, HTTP, None),
        ({"http_proxy": "http://p:1", "NO_PROXY": "*", "no_proxy": "x"}, HTTP, Proxy("p", 1)),
        ({"http_proxy": "http://p:1"}, Origin("http", "127.0.0.1", 80), None),
        ({"http_proxy": "http://p:1"}, Origin("http", "127.8.8.8", 80), None),
        ({"http_proxy": "http://p:1"}, Origin("http", "::1", 80), None),
        ({"http_proxy": "http://p:1"}, Origin("http", "LocalHost.", 80), None),
        ({"http_proxy": "http://p:1"}, Origin("http", "a.localhost", 80), None),
        ({"http_proxy": "http://p:1"}, Origin("http", "10.0.0.1", 80), Proxy("p", 1)),
        ({"http_proxy": "http://p:1"}, Origin("http", "notlocalhost", 80), Proxy("p", 1)),
        ({"http_proxy": "http://p:1", "no_proxy": "x,<-loopback>"}, Origin("http", "127.0.0.1", 80), Proxy("p", 1)),
    ],
)
def test_which_proxy(environ, origin, expected):
    """The scheme's variable, then ALL_PROXY; lower case first; then NO_PROXY; this machine directly."""
    assert proxy_for(origin, environ) == expected


def test_userinfo_becomes_basic_authorization_and_is_not_shown():
    """User and password are percent-decoded; the repr of a proxy shows neither."""
    proxy = proxy_for(HTTP, {"http_proxy": "http://us%40er:c%3Aanary@p:1"})
    assert proxy.authorization == b"Basic " + base64.b64encode(b"us@er:c:anary")
    assert "authorization" not in repr(proxy)


@pytest.mark.parametrize(
    "value",
    ["socks5://u:canary@p:1", "https://u:canary@p:1", "http://u:canary@p:99999", "http://u:canary@", "http://[canary"],
)
def test_a_proxy_that_cannot_be_used(value):
    """What is no http proxy makes connecting fail, and the reason names the variable, not the value."""
    with pytest.raises(ConnectFailed, match="ALL_PROXY") as raised:
        proxy_for(HTTP, {"ALL_PROXY": value})
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "expected"),
    [
        ("*", "anything", 1, True),
        ("", "a.b", 1, False),
        (" , ,", "a.b", 1, False),
        ("a.b", "a.b", 1, True),
        ("A.B", "a.b.", 1, True),
        ("b", "a.b", 1, True),
        (".b", "a.b", 1, True),
        (".b", "b", 1, True),
        ("*.b", "a.b", 1, True),
        ("b", "ab", 1, False),
        ("x, a.b c", "a.b", 1, True),
        ("a.b:80", "a.b", 80, True),
        ("a.b:80", "a.b", 81, False),
        ("127.0.0.1", "127.0.0.1", 1, True),
        ("10.0.0.0/8", "10.1.2.3", 1, True),
        ("10.0.0.0/8", "11.1.2.3", 1, False),
        ("2.0.1", "10.2.0.1", 1, False),
        ("::1", "::1", 1, True),
        ("[2001:db8::1]:8080", "2001:db8::1", 8080, True),
        ("[2001:db8::1]:8080", "2001:db8::1", 8081, False),
        ("fd00::/8", "fd00::5", 1, True),
        (".", "a.b", 1, False),
        ("]:[", "a.b", 1, False),
    ],
)
def test_no_proxy(no_proxy, host, port, expected):
    """Hosts, suffixes at a dot, addresses, networks, ports and the star."""
    assert bypassed(Origin("http", host, port), no_proxy) is expected


async def test_plain_http_goes_through_in_absolute_form(make_pool):
    """The proxy gets the absolute target, the origin's host and its authorization; its connection is kept."""
    async with scripted(answering(OK)) as proxy:
        pool = make_pool(environ={"http_proxy": f"http://u:p@127.0.0.1:{proxy.origin.port}"})
        for _ in range(2):
            assert (await fetch(pool, Origin("http", "api.invalid", 8080), target="/v1?x=1"))[2] == b"ok"
        received = proxy.requests[0]
        assert received.line == "POST http://api.invalid:8080/v1?x=1 HTTP/1.1"
        assert received.headers["host"] == "api.invalid:8080"
        assert received.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
        assert proxy.accepted == 1


async def test_https_goes_through_a_tunnel(make_pool):
    """CONNECT names host and port; TLS runs end to end inside; the provider never sees the proxy's credentials."""

    async def tunnel(peer, server):
        received = await peer.head()
        server.requests.append(received)
        reader, writer = await asyncio.open_connection("127.0.0.1", provider.origin.port)
        await peer.send(b"HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n")

        async def pump(source, sink):
            while piece := await source.read(65536):
                sink.write(piece)

        try:
            await asyncio.wait(
                [asyncio.create_task(pump(reader, peer.writer)), asyncio.create_task(pump(peer.reader, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            writer.transport.abort()

    context = client_context()
    AUTHORITY.configure_trust(context)
    async with scripted(answering(OK), ssl=server_context("localhost")) as provider, scripted(tunnel) as proxy:
        pool = make_pool(
            environ={"HTTPS_PROXY": f"http://u:p@127.0.0.1:{proxy.origin.port}", "NO_PROXY": "<-loopback>"},
            ssl_context=context,
            idle_ttl=0.2,
        )
        for _ in range(3):
            assert (await fetch(pool, Origin("https", "localhost", 443)))[2] == b"ok"
        (asked,) = proxy.requests
        assert asked.line == "CONNECT localhost:443 HTTP/1.1"
        assert asked.headers["host"] == "localhost:443"
        assert asked.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
        assert provider.requests[0].line == "POST /v1/x HTTP/1.1"
        assert "proxy-authorization" not in provider.requests[0].headers
        await eventually(lambda: pool.open == 0)


REFUSALS = {
    "407": b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 3\r\n\r\nno!",
    "502": b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
    "not http": b"SSH-2.0-OpenSSH\r\n\r\n",
    "bytes into the tunnel": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000,
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_tunnel_that_is_not_made(make_pool, case):
    """Whatever else a proxy answers, the connection could not be made, and the reason holds no credentials."""

    async def script(peer, _):
        await peer.head()
        await peer.send(REFUSALS[case])
        peer.eof()
        await peer.gone()

    async with scripted(script) as proxy:
        pool = make_pool(environ={"https_proxy": f"http://u:canary@127.0.0.1:{proxy.origin.port}"})
        with pytest.raises(ConnectFailed) as raised:
            await fetch(pool, HTTPS)
        assert "canary" not in str(raised.value)
        assert (pool.open, pool.in_use) == (0, 0)


async def test_a_silent_proxy(make_pool):
    """The connect timeout covers the tunnel, and the proxy's connection is closed."""
    closed = asyncio.Event()

    async def script(peer, _):
        await peer.gone()
        closed.set()

    async with scripted(script) as proxy:
        pool = make_pool(environ={"https_proxy": f"http://127.0.0.1:{proxy.origin.port}"})
        with pytest.raises(ConnectTimeout):
            await fetch(pool, HTTPS, connect=0.1)
        await asyncio.wait_for(closed.wait(), PATIENCE)
        assert not pool._lanes
