"""Long work on an event loop lets others run."""

import asyncio
import time

import pytest

from ingate.pacing import paced


def work(pieces, log, name):
    for _ in range(pieces):
        log.append(name)
        yield
    return name


@pytest.mark.parametrize(("seconds", "pieces"), [(0.0004, 3), (0.002, 1)])
async def test_others_run_between_the_pieces(monkeypatch, seconds, pieces):
    """A millisecond of all the work there is is done in a turn of the loop, and always a piece."""
    log = []
    monkeypatch.setattr(time, "perf_counter", lambda: len(log) * seconds)
    tasks = [asyncio.create_task(paced(work(20, log, name))) for name in "abc"]
    longest = before = 0
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        longest = max(longest, len(log) - before)
        before = len(log)
    assert [task.result() for task in tasks] == ["a", "b", "c"]
    assert sorted(log) == sorted("abc" * 20)
    assert longest == pieces


async def test_a_busy_loop_has_every_second_turn_for_itself(monkeypatch):
    """Where others take longer than a piece may, the work waits for a while after each of its turns."""
    log, slept = [], []
    now = 0.0

    async def sleep(seconds):
        nonlocal now
        slept.append(seconds)
        now += 0.003  # what others take

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)

    def pieces():
        nonlocal now
        for _ in range(3):
            now += 0.001
            log.append("a")
            yield

    await paced(pieces())
    assert log == ["a"] * 3
    assert slept == [0, 0.001] * 3


async def test_what_fails_or_is_cancelled_keeps_nobody_waiting():
    """The turn of work that ends early is given on."""

    def failing():
        yield
        raise ValueError

    log = []
    endless = asyncio.create_task(paced(work(10**9, [], "x")))
    failed = asyncio.create_task(paced(failing()))
    last = asyncio.create_task(paced(work(5, log, "a")))
    await asyncio.sleep(0)
    endless.cancel()
    with pytest.raises(ValueError, match=r"^$"):
        await failed
    assert await last == "a"


def test_loops_do_not_share_turns():
    """Work on one event loop waits for none on another."""
    for _ in range(2):
        assert asyncio.run(paced(work(3, [], "a"))) == "a"
