"""What `serve` does beside serving."""

import asyncio

import pytest

from ingate.cli import serve
from ingate.net import memory
from ingate.net.budget import BodyBudget


class Database:
    """Counts how often it is asked to give memory back."""

    shrunk = 0

    async def shrink(self):
        self.shrunk += 1


@pytest.mark.parametrize(("in_use", "over"), [(0, True), (0, False), (memory.MUCH, True)])
async def test_the_database_gives_memory_back_when_a_peak_is_over(monkeypatch, in_use, over):
    """Not while bodies take much, nor without a peak."""
    rounds = 0

    class Trimmer:
        def trim(self):
            return over

    async def sleep(_seconds):
        nonlocal rounds
        rounds += 1
        if rounds > 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(memory, "Trimmer", Trimmer)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    budget, database = BodyBudget(), Database()
    budget.in_use = in_use
    with pytest.raises(asyncio.CancelledError):
        await serve._give_back(budget, database)
    assert database.shrunk == (3 if over and not in_use else 0)
