"""Whose requests may follow one another on a connection, and how many connections there are."""

import asyncio
import itertools

import pytest

from ingate.net.addresses import AddressPolicy
from ingate.net.special_addresses import Kind
from ingate.proxy.ports import Account, Origin, OutboundRequest, Timeouts
from tests.support.exchanges import OK, fetch, outbound, read_all
from tests.support.scripted_server import answering, scripted
from tests.support.waiting import eventually

ORIGIN = Origin("http", "h", 80)
SECRET = [(b"authorization", b"Bearer a")]
MINE = Account.of(ORIGIN, "org", SECRET)


@pytest.mark.parametrize(
    "other",
    [
        Account.of(ORIGIN, "other", SECRET),
        Account.of(ORIGIN, "org", [(b"authorization", b"Bearer b")]),
        Account.of(ORIGIN, "org", [(b"x-api-key", b"Bearer a")]),
        Account.of(ORIGIN, "org", []),
        Account.of(Origin("https", "h", 80), "org", SECRET),
        Account.of(Origin("http", "g", 80), "org", SECRET),
        Account.of(Origin("http", "h", 81), "org", SECRET),
        Account.of(Origin("http", "h", 80, AddressPolicy(Kind.PUBLIC)), "org", SECRET),
    ],
)
def test_a_lane_is_of_one_origin_organisation_and_credential(other):
    """Any difference makes another lane; the time it is made at does not."""
    assert other.lane != MINE.lane
    assert Account.of(Origin("http", "h", 80), "org", list(SECRET)).lane == MINE.lane


async def test_organisations_do_not_share_connections(pool):
    """Each has its own, however often they take turns; keys of one organisation share."""
    async with scripted(answering(OK)) as server:
        for _, org in itertools.product(range(3), ["one", "two"]):
            await fetch(pool, server.origin, org=org)
            await fetch(pool, server.origin, org=org, key="another")
        assert server.accepted == 2
        assert pool.idle == 2


async def test_credentials_do_not_share_connections(pool):
    """The same organisation with another credential has another connection."""
    async with scripted(answering(OK)) as server:
        for _, secret in itertools.product(range(3), [b"a", b"b"]):
            who = Account.of(server.origin, "org", [(b"authorization", secret)])
            response = await pool.send(OutboundRequest("GET", who, "/", [], b"", Timeouts()))
            await read_all(response)
        assert server.accepted == 2


async def test_the_connection_idle_longest_makes_room(make_pool):
    """Of all lanes together, so many idle connections are kept; those used last stay."""
    pool = make_pool(max_idle=3)
    async with scripted(answering(OK)) as server:
        for number in range(3):
            await fetch(pool, server.origin, org=f"org-{number}")
        await fetch(pool, server.origin, org="org-0")
        await fetch(pool, server.origin, org="org-3")
        assert pool.idle == 3
        await eventually(lambda: pool.open == 3)
        assert server.accepted == 4
        for kept in (0, 2, 3):
            await fetch(pool, server.origin, org=f"org-{kept}")
        assert server.accepted == 4
        await fetch(pool, server.origin, org="org-1")
        assert server.accepted == 5


async def test_lanes_are_bounded(make_pool):
    """A thousand credentials leave as many lanes as there are idle connections."""
    pool = make_pool(max_idle=4)
    async with scripted(answering(OK)) as server:
        for number in range(200):
            await fetch(pool, server.origin, org=f"org-{number}")
        await eventually(lambda: pool.open == 4)
        assert len(pool._lanes) == 4
        assert (pool.idle, pool.in_use) == (4, 0)


async def test_keys_of_a_lane_are_bounded(make_pool, monkeypatch):
    """What is remembered of the keys of one organisation is bounded, and their calls count all the same."""
    monkeypatch.setattr("ingate.proxy.upstream.pool._SEATS_REMEMBERED", 3)
    pool = make_pool()
    async with scripted(answering(OK)) as server:
        for number in range(20):
            await fetch(pool, server.origin, key=f"key-{number}")
        (lane,) = pool._lanes.values()
        assert len(lane.seats) <= 3
        assert pool.in_use == 0


async def test_idle_connections_make_room_for_calls(make_pool):
    """Connections, idle and in use, are never more than the calls that may be under way."""
    pool = make_pool(max_calls=4, max_calls_per_origin=16)

    async def script(peer, _):
        while await peer.request():
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
            await peer.reader.readexactly(0)
            await go.wait()
            await peer.send(b"ok")

    go = asyncio.Event()
    go.set()
    async with scripted(script) as server:
        for number in range(4):
            await fetch(pool, server.origin, org=f"org-{number}")
        assert pool.idle == 4
        go.clear()
        calls = [await pool.send(outbound(server.origin, org=f"new-{number}")) for number in range(3)]
        assert (pool.idle, pool.in_use) == (1, 3)
        await eventually(lambda: pool.open == 4)
        for response in calls:
            await response.aclose()


async def test_a_refused_request_leaves_no_lane(pool):
    """What may not be written makes no lane that stays."""
    with pytest.raises(ValueError, match="line end"):
        await fetch(pool, ORIGIN, headers=[(b"a", b"b\r\nc: d")])
    assert not pool._lanes
