"""Turns to be received: how many, in which order, and who must make room."""

import asyncio
import contextlib

import pytest

from ingate.errors import RateLimited
from ingate.rpc.gate import Gate, Late
from tests.support.waiting import PATIENCE

LONG = 60.0
SOON = 0.01


def gate(most=2, *, patience=LONG, waiting=4, share=3):
    return Gate(most, patience=patience, waiting=waiting, share=share)


class Sender:
    """A request that arrives when the test says so."""

    def __init__(self, through, owner="a", seconds=LONG):
        self.begun, self.arrived = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(through.read(owner, self._receive, seconds))

    async def _receive(self):
        self.begun.set()
        await self.arrived.wait()
        return self

    async def begins(self):
        async with asyncio.timeout(PATIENCE):
            await self.begun.wait()

    async def refused(self):
        async with asyncio.timeout(PATIENCE):
            with pytest.raises((RateLimited, Late)) as raised:
                await self.task
        return type(raised.value)


async def settled():
    """Lets everything that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def end(through, *senders):
    for sender in senders:
        sender.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, RateLimited, Late):
            await sender.task
    assert through.idle


async def test_so_many_are_received_and_the_next_wait_in_order():
    """A turn that ends goes to the one who has waited longest; each gets what was received."""
    through = gate()
    senders = [Sender(through, f"o{number}") for number in range(5)]
    await settled()
    assert [sender.begun.is_set() for sender in senders] == [True, True, False, False, False]
    for number, sender in enumerate(senders):
        await sender.begins()
        await settled()
        assert not any(later.begun.is_set() for later in senders[number + 2 :])
        sender.arrived.set()
        assert await sender.task is sender
    assert through.idle


async def test_waiting_has_bounds():
    """Who is refused was never received, and disturbs nobody."""
    through = gate(1)
    senders = [Sender(through, owner) for owner in "aaaab"]
    await settled()
    late = Sender(through, "c")
    assert await late.refused() is RateLimited
    assert not late.begun.is_set()
    assert not any(sender.task.done() for sender in senders)
    await end(through, *senders)


async def test_an_owners_share_of_those_who_wait():
    """The fourth of one owner is refused while others still may wait."""
    through = gate(1, waiting=10)
    senders = [Sender(through, "a") for _ in range(4)]
    await settled()
    assert await Sender(through, "a").refused() is RateLimited
    other = Sender(through, "b")
    await settled()
    assert not other.task.done()
    await end(through, *senders, other)


async def test_the_slow_make_room_for_those_who_wait():
    """The owner who has most loses the longest first; who is alone with one stays while another has two."""
    through = gate(3, patience=SOON)
    single, first, second = Sender(through, "x"), Sender(through, "y"), Sender(through, "y")
    await settled()
    newcomer = Sender(through, "z")
    await newcomer.begins()
    assert await first.refused() is RateLimited
    assert not single.task.done()
    assert not second.task.done()
    await end(through, single, second, newcomer)


async def test_nobody_makes_room_for_nobody():
    """However slow, a sender is let be until its own time is over."""
    through = gate(2, patience=0.0)
    slow = Sender(through, seconds=0.05)
    assert await slow.refused() is Late
    assert through.idle


async def test_every_newcomer_gets_its_turn():
    """A hundred that never end, of as many owners, keep nobody out."""
    through = gate(3, patience=0.0, waiting=200)
    endless = [Sender(through, f"e{number}") for number in range(100)]
    newcomer = Sender(through, "n")
    newcomer.arrived.set()
    async with asyncio.timeout(PATIENCE):
        assert await newcomer.task is newcomer
    await end(through, *endless)


async def test_waiting_counts_as_time():
    """Who waits longer than its own time is told to come back."""
    through = gate(1)
    holder, waiter = Sender(through), Sender(through, seconds=0.05)
    assert await waiter.refused() is RateLimited
    assert not waiter.begun.is_set()
    await end(through, holder)


async def test_a_turn_of_one_who_left_goes_on():
    """Leaving while waiting, and in the very moment that the turn comes, loses no turn."""
    through = gate(1)
    go = asyncio.Event()

    async def hold():
        await go.wait()
        # Runs after the turn is passed on, and before the one who has it knows.
        asyncio.get_running_loop().call_soon(chosen.task.cancel)

    holder = asyncio.create_task(through.read("h", hold, LONG))
    await settled()
    chosen, leaving, last = Sender(through), Sender(through), Sender(through)
    await settled()
    leaving.task.cancel()
    await settled()
    go.set()
    await holder
    await last.begins()
    assert chosen.task.cancelled()
    assert not chosen.begun.is_set()
    await end(through, chosen, leaving, last)


async def test_a_failure_passes_and_gives_the_turn_back():
    """What receiving raises is raised, a TimeoutError of its own included."""
    through = gate(1)

    async def fail():
        raise TimeoutError("mine")

    for _ in range(3):
        with pytest.raises(TimeoutError, match="mine"):
            await through.read("a", fail, LONG)
    assert through.idle
