"""Addresses are judged when they are connected to, by what they are then."""

import asyncio

import pytest

from ingate.net.addresses import EVERYWHERE, EXCEPT_NEVER, AddressPolicy, policy
from ingate.net.special_addresses import Kind
from ingate.proxy.ports import ConnectFailed, Origin, OutboundRequest
from ingate.proxy.upstream import UpstreamPool
from ingate.proxy.upstream import dial as dialling
from tests.support.exchanges import account
from tests.support.upstream import ScriptedUpstream

ONLY_PUBLIC = AddressPolicy(Kind.PUBLIC)


@pytest.fixture
def resolve(monkeypatch):
    """Returns a function that makes a name resolve to addresses; a list of what was connected to is its `opened`."""
    known, opened = {}, []

    async def look_up(host, port):
        if host not in known:
            raise dialling.socket.gaierror(-2, "unknown")
        return [(0, 1, 6, "", (address, port)) for address in known[host]]

    async def start_connection(addresses, **_):
        opened.extend(address[4][0] for address in addresses)
        raise ConnectionRefusedError

    def make(name, *addresses):
        known[name] = addresses

    make.opened = opened
    monkeypatch.setattr(dialling, "_look_up", look_up)
    monkeypatch.setattr(dialling, "start_connection", start_connection)
    return make


async def send(pool, origin):
    return await pool.send(OutboundRequest("GET", account(origin), "/v1/models", [], b""))


async def test_a_name_of_this_machine_is_not_called_where_only_public_ones_are():
    """It is refused before anything is sent, even beside a live lane to the same name that may be called."""
    pool = UpstreamPool(environ={})
    try:
        async with ScriptedUpstream() as upstream:
            response = await send(pool, Origin("http", "localhost", upstream.port))
            assert response.status == 200
            while await response.read():
                pass
            with pytest.raises(ConnectFailed, match="no address that this gateway calls"):
                await send(pool, Origin("http", "localhost", upstream.port, ONLY_PUBLIC))
            assert len(upstream.requests) == 1
    finally:
        await pool.aclose()


@pytest.mark.parametrize(
    ("allowed", "addresses", "opened"),
    [
        (ONLY_PUBLIC, ["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1", "fe80::1%eth0"], ["8.8.8.8", "2606:4700::1"]),
        (ONLY_PUBLIC, ["::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:a00:1::"], []),
        (EXCEPT_NEVER, ["169.254.169.254", "10.0.0.1"], ["10.0.0.1"]),
        (EXCEPT_NEVER, ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "::", "100.100.100.200"], []),
        (policy("no", "x.example", embedded=True), ["169.254.169.254"], ["169.254.169.254"]),
        (policy("no", "10.0.0.0/8", embedded=True), ["10.0.0.1", "192.168.0.1"], ["10.0.0.1"]),
        (EVERYWHERE, ["169.254.169.254"], ["169.254.169.254"]),
    ],
)
async def test_only_addresses_that_are_allowed_are_connected_to(resolve, allowed, addresses, opened):
    """What a name resolves to is judged, and what was judged is connected to."""
    resolve("x.example", *addresses)
    pool = UpstreamPool(environ={})
    with pytest.raises(ConnectFailed):
        await send(pool, Origin("http", "x.example", 80, allowed))
    assert resolve.opened == opened


async def test_a_name_is_judged_each_time(resolve):
    """One that was public when it was stored or called, and is not any more, is not called."""
    pool = UpstreamPool(environ={})
    for address in ("8.8.8.8", "169.254.169.254", "127.0.0.1", "8.8.4.4"):
        resolve("x.example", address)
        with pytest.raises(ConnectFailed):
            await send(pool, Origin("http", "x.example", 80, ONLY_PUBLIC))
    assert resolve.opened == ["8.8.8.8", "8.8.4.4"]


@pytest.mark.parametrize(
    ("host", "addresses", "called"),
    [
        ("x.example", ["8.8.8.8"], True),
        ("x.example", ["8.8.8.8", "10.0.0.1"], False),
        ("x.example", ["169.254.169.254"], False),
        ("unknown.example", None, True),
        ("metadata.google.internal", None, False),
        ("localhost", None, False),
        ("10.0.0.1", ["10.0.0.1"], False),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_is_not_asked_for_what_may_not_be_called(resolve, scheme, host, addresses, called):
    """A name by itself and what it resolves to here are judged; what only the proxy knows is the proxy's to judge."""
    resolve("proxy.internal", "10.9.9.9")
    if addresses is not None:
        resolve(host, *addresses)
    pool = UpstreamPool(environ={"ALL_PROXY": "http://proxy.internal:3128"})
    with pytest.raises(ConnectFailed):
        await send(pool, Origin(scheme, host, 443, ONLY_PUBLIC))
    assert resolve.opened == (["10.9.9.9"] if called else [])


async def test_a_look_up_that_takes_long_does_not_keep_from_the_proxy(resolve, monkeypatch):
    """Behind a proxy there may be no name server at all."""
    resolve("proxy.internal", "10.9.9.9")
    quick = dialling._look_up

    async def look_up(host, port):
        return await (asyncio.Event().wait() if host == "x.example" else quick(host, port))

    monkeypatch.setattr(dialling, "_look_up", look_up)
    monkeypatch.setattr(dialling, "_LOOK_UP_SECONDS", 0.01)
    pool = UpstreamPool(environ={"ALL_PROXY": "http://proxy.internal:3128"})
    with pytest.raises(ConnectFailed):
        await send(pool, Origin("http", "x.example", 80, ONLY_PUBLIC))
    assert resolve.opened == ["10.9.9.9"]
