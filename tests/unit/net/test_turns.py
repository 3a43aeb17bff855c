"""Turns: a few at a time, in their order, each once."""

import asyncio

from ingate.net.turns import Turns


async def test_a_few_at_a_time(monkeypatch):
    """No more than were asked for go on in one round, and those who come meanwhile are last."""
    loop = asyncio.get_running_loop()
    rounds = []
    monkeypatch.setattr(loop, "call_later", lambda _seconds, go_on: rounds.append(go_on))
    went = []
    turns = Turns(2, 0.1)
    turns.wait(lambda: turns.wait(lambda: went.append("late")))
    for name in range(3):
        turns.wait(lambda name=name: went.append(name))
    found = []
    while rounds:
        assert len(rounds) == 1
        rounds.pop()()
        found.append(list(went))
    assert found == [[0], [0, 1, 2], [0, 1, 2, "late"]]

    turns.wait(lambda: went.append("again"))
    rounds.pop()()
    assert (went[-1], rounds) == ("again", [])
