"""Turns: a few at a time, in their order, each once."""

import asyncio
import time

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


async def test_a_loop_that_is_late_has_time_for_others(monkeypatch):
    """Whoever waits goes on later by what the loop is late."""
    loop = asyncio.get_running_loop()
    delays, rounds, now = [], [], [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(loop, "call_later", lambda seconds, go_on: (delays.append(seconds), rounds.append(go_on)))
    turns = Turns(1, 0.5)
    for _ in range(3):
        turns.wait(lambda: None)
    now[0] = 0.5
    rounds.pop()()
    now[0] += 2.5
    rounds.pop()()
    assert delays == [0.5, 0.5, 2.5]


async def test_who_began_earlier_goes_first(monkeypatch):
    """However often it waits, so that it comes to its end."""
    rounds, went = [], []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda _seconds, go_on: rounds.append(go_on))
    turns = Turns(1, 0.1)
    numbers = {}

    def go_on(name):
        went.append(name)
        if went.count(name) < 3:
            numbers[name] = turns.wait(lambda: go_on(name), numbers[name])

    for name in "abc":
        numbers[name] = turns.wait(lambda name=name: go_on(name))
    while rounds:
        rounds.pop()()
    assert went == [*"aaabbbccc"]
