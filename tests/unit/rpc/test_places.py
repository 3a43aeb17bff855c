"""Open calls that nobody answers for: bounds, and their end."""

import asyncio

import pytest

from ingate.errors import RateLimited, Unavailable
from ingate.rpc.places import Places


async def hold(places, owner, entered, *, leaves=False):
    async with places.place(owner) as place:
        if leaves:
            place.leave()
            place.leave()
        entered.set()
        await asyncio.Event().wait()


async def holding(places, *owners, leaves=False):
    """Returns running tasks that hold a place each."""
    tasks = []
    for owner in owners:
        entered = asyncio.Event()
        tasks.append(asyncio.create_task(hold(places, owner, entered, leaves=leaves)))
        await entered.wait()
    return tasks


async def let_go(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_room_has_bounds():
    """One owner's share and that of all; a place that is given back is another's."""
    places = Places(3, 2)
    tasks = await holding(places, "a", "a")
    with pytest.raises(RateLimited):
        await hold(places, "a", asyncio.Event())
    tasks += await holding(places, "b")
    with pytest.raises(RateLimited):
        await hold(places, "c", asyncio.Event())
    await let_go(tasks[:1])
    tasks += await holding(places, "a")
    assert len(places) == 3
    await let_go(tasks)
    assert len(places) == 0


async def test_those_for_whom_somebody_answers_take_no_room():
    """A place that was left is free, and its call goes on when the others are cut."""
    places = Places(1, 1)
    accepted = await holding(places, "a", "a", "a", leaves=True)
    stranger = await holding(places, "a")
    places.cut()
    with pytest.raises(Unavailable):
        await stranger[0]
    await asyncio.sleep(0)
    assert not any(task.done() for task in accepted)
    await let_go(accepted)
    assert len(places) == 0


async def test_a_timeout_of_the_calls_own_passes():
    """It is no cut."""
    places = Places(1, 1)
    with pytest.raises(TimeoutError):
        async with places.place("a"):
            raise TimeoutError
    assert len(places) == 0
