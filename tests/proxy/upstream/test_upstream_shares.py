"""How many calls may be under way, and whose: nobody keeps out others, and nobody waits for ever."""

import asyncio
import gc

import pytest

from ingate.proxy.ports import NoRoom, ShareUsedUp
from ingate.proxy.upstream import shares
from tests.support.exchanges import OK, account, fetch, outbound
from tests.support.scripted_server import answering, scripted
from tests.support.waiting import PATIENCE, eventually

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"


async def headed(peer, _):
    """Answers every request with a head whose body never comes."""
    while await peer.request():
        await peer.send(HEAD)


async def silent(peer, _):
    """Answers nothing."""
    await peer.gone()


def key_share(pool, origin, org="org", key="key"):
    """The share of a key at an origin."""
    return pool._shares.seat(account(origin, org), key)[0]


async def held(pool, origin, count, **who):
    """Returns calls under way."""
    return [await pool.send(outbound(origin, **who)) for _ in range(count)]


async def test_turns_are_bounded_and_fair(make_pool):
    """With one call allowed, requests wait and are served in order over one connection."""
    pool = make_pool(max_calls_per_origin=1)
    async with scripted(answering(OK)) as server:
        done = []

        async def one(number):
            await fetch(pool, server.origin, headers=[(b"n", b"%d" % number)])
            done.append(number)

        await asyncio.gather(*(one(number) for number in range(10)))
        assert server.accepted == 1
        assert done == list(range(10))
        assert [received.headers["n"] for received in server.requests] == [str(number) for number in range(10)]


async def test_a_key_has_half_of_an_origin(make_pool):
    """Another key of the organisation has a place all the same; the key itself is told that it is too much."""
    pool = make_pool(max_calls_per_origin=4)
    async with scripted(headed) as server:
        mine = await held(pool, server.origin, 2)
        with pytest.raises(ShareUsedUp, match="the key has 2 calls under way at this provider"):
            await fetch(pool, server.origin, connect=0.02)
        mine += await held(pool, server.origin, 1, key="other")
        for response in mine:
            await response.aclose()
        assert pool.in_use == 0


async def test_an_organisation_has_three_quarters_of_an_origin(make_pool):
    """Whatever its keys: another organisation has a place all the same."""
    pool = make_pool(max_calls_per_origin=4)
    async with scripted(headed) as server:
        calls = [call for key in "abc" for call in await held(pool, server.origin, 1, key=key)]
        with pytest.raises(ShareUsedUp, match="the organisation has 3 calls under way at this provider"):
            await fetch(pool, server.origin, key="d", connect=0.02)
        calls += await held(pool, server.origin, 1, org="other")
        with pytest.raises(NoRoom, match="the gateway has 4 calls under way at this provider"):
            await fetch(pool, server.origin, org="third", connect=0.02)
        for response in calls:
            await response.aclose()
        assert pool.in_use == 0


async def test_an_organisation_has_three_quarters_of_all(make_pool):
    """With origins of its own, it does not use up what others need for theirs; and all calls have a bound."""
    pool = make_pool(max_calls=4, max_calls_per_origin=4)
    async with scripted(headed) as one, scripted(headed) as two:
        calls = await held(pool, one.origin, 2) + await held(pool, two.origin, 1)
        with pytest.raises(ShareUsedUp, match="the organisation has 3 calls under way, as many as it may have"):
            await fetch(pool, two.origin, connect=0.02)
        calls += await held(pool, two.origin, 1, org="other")
        with pytest.raises(NoRoom, match="the gateway has 4 calls under way, as many as it may have"):
            await fetch(pool, one.origin, org="third", connect=0.02)
        assert pool.in_use == 4
        for response in calls:
            await response.aclose()
        assert pool.in_use == 0


async def test_a_turn_comes_as_soon_as_another_call_ends(make_pool):
    """Who waits for any of the shares is served when a call that counts in it ends."""
    pool = make_pool(max_calls=4, max_calls_per_origin=4)
    async with scripted(headed) as server:
        calls = await held(pool, server.origin, 2) + await held(pool, server.origin, 2, org="other")
        waits = [asyncio.create_task(held(pool, server.origin, 1, org=org)) for org in ("org", "other", "third")]
        await asyncio.sleep(0)
        while calls:
            await calls.pop().aclose()
        done = await asyncio.wait_for(asyncio.gather(*waits), PATIENCE)
        for [response] in done:
            await response.aclose()
        assert pool.in_use == 0


async def test_who_waits_holds_no_more_than_its_share(make_pool):
    """A key that fills an origin's queue does not stand there with more calls than it may have under way."""
    pool = make_pool(max_calls_per_origin=4)
    async with scripted(headed) as server:
        calls = await held(pool, server.origin, 2, org="one") + await held(pool, server.origin, 2, org="two")
        greedy = [asyncio.create_task(held(pool, server.origin, 1, org="greedy")) for _ in range(20)]
        origin = pool._shares.seat(account(server.origin), "key")[3]
        await eventually(lambda: len(origin.waiting) == 2)
        late = asyncio.create_task(held(pool, server.origin, 1, org="late"))
        await eventually(lambda: len(origin.waiting) == 3)
        for response in calls:
            await response.aclose()
        [response] = await asyncio.wait_for(late, PATIENCE)
        await response.aclose()
        for task in greedy:
            task.cancel()
        for result in await asyncio.gather(*greedy, return_exceptions=True):
            if isinstance(result, list):
                await result[0].aclose()
        assert pool.in_use == 0


async def test_waiting_is_bounded(make_pool, monkeypatch):
    """When too many wait already, the next is refused at once."""
    monkeypatch.setattr(shares, "_MOST_WAITING", 2)
    pool = make_pool(max_calls_per_origin=1)
    async with scripted(headed) as server:
        [first] = await held(pool, server.origin, 1)
        waits = [asyncio.create_task(held(pool, server.origin, 1)) for _ in range(2)]
        await eventually(lambda: len(key_share(pool, server.origin).waiting) == 2)
        with pytest.raises(ShareUsedUp):
            await fetch(pool, server.origin, connect=1e6)
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await first.aclose()
        assert (pool.in_use, len(key_share(pool, server.origin).waiting)) == (0, 0)


@pytest.mark.parametrize("phase", ["connecting", "before the head", "in the body"])
async def test_a_call_that_is_given_up_frees_its_turn_at_once(make_pool, phase):
    """Cancelled or closed, in whatever phase: the next call has its turn in the same moment."""
    pool = make_pool(max_calls_per_origin=1)
    async with scripted(headed if phase == "in the body" else silent) as server:
        for _ in range(3):
            task = asyncio.create_task(pool.send(outbound(server.origin)))
            if phase == "in the body":
                await (await task).aclose()
            else:
                await eventually(lambda: pool.in_use == 1 and (phase == "connecting" or pool.open == 1))
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert pool.in_use == 0


async def test_who_waits_may_be_cancelled_at_any_moment(make_pool):
    """Neither a turn nor a place in the queue is lost, also where the turn comes together with the cancellation."""
    pool = make_pool(max_calls_per_origin=1)
    async with scripted(headed) as server:
        for cancelled in ([0], [1], [0, 1], [0, 1, 2]):
            [first] = await held(pool, server.origin, 1)
            waits = [asyncio.create_task(held(pool, server.origin, 1)) for _ in range(3)]
            share = key_share(pool, server.origin)
            await eventually(lambda share=share: len(share.waiting) == 3)
            for number in cancelled[:1]:
                waits[number].cancel()
            await first.aclose()
            for number in cancelled[1:]:
                waits[number].cancel()
            for number, task in enumerate(waits):
                if number in cancelled:
                    await asyncio.gather(task, return_exceptions=True)
                    if not task.cancelled():
                        await task.result()[0].aclose()
                else:
                    [response] = await asyncio.wait_for(task, PATIENCE)
                    await response.aclose()
            assert (pool.in_use, len(share.waiting), share.free) == (0, 0, 1)


async def test_shares_are_forgotten(make_pool):
    """A key, an organisation and an origin without calls and connections leave nothing behind."""
    pool = make_pool()
    async with scripted(answering(OK)) as server:
        for number in range(20):
            await fetch(pool, server.origin, org=f"org-{number}", key=f"key-{number}")
    await eventually(lambda: pool.open == 0)
    assert not pool._lanes
    gc.collect()
    assert not pool._shares._known
