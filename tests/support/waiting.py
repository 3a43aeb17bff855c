"""Waiting for a condition nobody signals. Knows nothing of what is waited for.

Where an event exists, await the event; this is the one sanctioned way to poll.
"""

import asyncio
import inspect
import time

PATIENCE = 20.0
"""Seconds after which what is due at once is a failure, although the machine is busy with something else.

Shorter than the half minute after which a gateway sees by itself what it was not told.
"""
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.1


async def eventually(condition, timeout=PATIENCE, what=None):  # noqa: ASYNC109 - the deadline is for the whole poll, and the message names it
    """Calls `condition` (plain or async) until it returns something truthy, and returns that.

    An AssertionError inside the condition counts as "not yet". Pauses grow from 1 ms to 100 ms.
    Raises AssertionError after `timeout` seconds; the condition is always tried once more at the end.
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        last = time.monotonic() >= deadline
        failure = None
        try:
            result = condition()
            if inspect.isawaitable(result):
                result = await result
        except AssertionError as error:
            result, failure = None, error
        if result:
            return result
        if last:
            raise AssertionError(f"not true after {timeout:g} s: {what or _name(condition)}") from failure
        await asyncio.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 2, _LONGEST_PAUSE)


def _name(condition):
    return getattr(condition, "__qualname__", repr(condition))
