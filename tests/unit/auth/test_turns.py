import asyncio

import pytest

from ingate.auth.turns import Rank, Turns
from ingate.errors import RateLimited, Unavailable


class Crowd:
    """People who want a turn and note when they had it."""

    def __init__(self, **bounds):
        self.turns = Turns(**bounds)
        self.order = []
        self.open = asyncio.Event()

    async def _come(self, name, rank, network, address):
        async with self.turns.turn(rank, network, address):
            self.order.append(name)
            await self.open.wait()

    async def come(self, name, rank=Rank.STRANGER, network="net", address=None):
        """Starts somebody, who waits or has their turn by now, and returns their task."""
        task = asyncio.create_task(self._come(name, rank, network, address or name))
        for _ in range(3):
            await asyncio.sleep(0)
        return task

    async def all_had_it(self, tasks):
        self.open.set()
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_addresses_take_turns():
    """One that sends many waits for itself: another waits for one of them, not for all."""
    crowd = Crowd()
    tasks = [await crowd.come(f"a{n}", address="a") for n in range(5)]
    tasks.append(await crowd.come("b", address="b"))
    await crowd.all_had_it(tasks)
    assert crowd.order == ["a0", "a1", "b", "a2", "a3", "a4"]


async def test_networks_take_turns():
    """Sixty addresses of one network hold up another network by one turn."""
    crowd = Crowd()
    tasks = [await crowd.come(f"bot{n}", network="bots") for n in range(60)]
    tasks.append(await crowd.come("person", network="home"))
    await crowd.all_had_it(tasks)
    assert crowd.order.index("person") == 2
    assert len(crowd.order) == 61


async def test_who_is_known_comes_first_and_suspects_last_though_not_never():
    """The known pass everybody; of the others, one turn in four is for places where something failed."""
    crowd = Crowd()
    tasks = [await crowd.come("now")]
    tasks += [await crowd.come(f"s{n}", Rank.SUSPECT, f"sn{n}") for n in range(2)]
    tasks += [await crowd.come(f"n{n}", Rank.STRANGER, f"nn{n}") for n in range(8)]
    tasks += [await crowd.come(f"k{n}", Rank.KNOWN, f"kn{n}") for n in range(2)]
    await crowd.all_had_it(tasks)
    assert crowd.order == ["now", "k0", "k1", "n0", "n1", "n2", "s0", "n3", "n4", "n5", "s1", "n6", "n7"]


async def test_an_address_has_so_many_places():
    """One more is told to come again; other addresses have theirs."""
    crowd = Crowd(each=2)
    tasks = [await crowd.come(f"a{n}", address="a") for n in range(4)]
    tasks.append(await crowd.come("b", address="b"))
    results = await crowd.all_had_it(tasks)
    assert [type(result) for result in results] == [type(None)] * 3 + [RateLimited, type(None)]
    assert results[3].retry_after == 1.0


async def test_when_all_places_are_taken_the_longest_line_gives_one_up():
    """A network with few gets in; of those with as many nobody does; the known push out others."""
    crowd = Crowd(total=4)
    tasks = [await crowd.come(f"bot{n}", network="bots") for n in range(5)]
    tasks.append(await crowd.come("person", network="home"))
    tasks.append(await crowd.come("one bot more", network="bots"))
    tasks.append(await crowd.come("known", Rank.KNOWN, network="bots"))
    results = await crowd.all_had_it(tasks)
    refused = [index for index, result in enumerate(results) if isinstance(result, Unavailable)]
    assert refused == [3, 4, 6]
    assert crowd.order == ["bot0", "known", "bot1", "person", "bot2"]


async def test_who_leaves_gives_up_the_place():
    """Whether waiting or at the moment of their turn; the others go on and nothing is kept."""
    crowd = Crowd()
    async with crowd.turns.turn(Rank.STRANGER, "first", "first"):
        tasks = [await crowd.come(f"p{n}", network=f"n{n}") for n in range(5)]
        tasks[1].cancel()
        await asyncio.sleep(0)
        assert crowd.turns.waiting == 4
    # The turn is p0's by now, who leaves before noticing.
    tasks[0].cancel()
    results = await crowd.all_had_it(tasks)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, True, False, False, False]
    assert crowd.order == ["p2", "p3", "p4"]
    assert crowd.turns.waiting == 0
    async with crowd.turns.turn(Rank.SUSPECT, "x", "y"):
        pass


async def test_only_one_has_a_turn():
    """However many come and go, in whatever rank."""
    turns, inside, most = Turns(), 0, 0

    async def come(number):
        nonlocal inside, most
        async with turns.turn(Rank(number % 3), f"n{number % 5}", f"a{number}"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(come(number) for number in range(60)))
    assert (most, inside, turns.waiting) == (1, 0, 0)


async def test_an_error_passes_the_turn_on():
    """What fails in a turn does not keep it."""
    turns = Turns()
    with pytest.raises(ValueError, match="x"):
        async with turns.turn(Rank.STRANGER, "n", "a"):
            raise ValueError("x")
    async with turns.turn(Rank.STRANGER, "n", "a"):
        pass
