"""Long work on an event loop, a piece at a time: however much of it there is, others wait for one piece at most."""

import asyncio
from collections.abc import Generator
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""Who may do a piece, by event loop: one piece of all such work is done in a turn of the loop."""


async def paced(steps: Generator[None, None, T]) -> T:
    """Returns the result of work that yields between its pieces; others run in between."""
    loop = asyncio.get_running_loop()
    turn = _turns.get(loop)
    if turn is None:
        turn = _turns[loop] = asyncio.Lock()
    while True:
        async with turn:
            try:
                next(steps)
            except StopIteration as ended:
                result: T = ended.value
                return result
            await asyncio.sleep(0)
