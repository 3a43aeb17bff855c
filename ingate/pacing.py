"""Long work on an event loop, a piece at a time: others wait for a millisecond of it, or for one piece."""

import asyncio
import time
from collections.abc import Generator
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_TURN_SECONDS = 0.001
"""How long pieces are done in one turn of the loop: many of them are short, and a turn costs as much."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""Who may do pieces, by event loop: one of those who have such work does some in a turn of the loop."""


async def paced(steps: Generator[None, None, T]) -> T:
    """Returns the result of work that yields between its pieces; others run in between."""
    loop = asyncio.get_running_loop()
    turn = _turns.get(loop)
    if turn is None:
        turn = _turns[loop] = asyncio.Lock()
    while True:
        async with turn:
            until = time.perf_counter() + _TURN_SECONDS
            try:
                next(steps)
                while time.perf_counter() < until:
                    next(steps)
            except StopIteration as ended:
                result: T = ended.value
                return result
            done = time.perf_counter()
            await asyncio.sleep(0)
            if time.perf_counter() - done > _TURN_SECONDS:
                await asyncio.sleep(_TURN_SECONDS)  # others are busy: they have every second turn for themselves
