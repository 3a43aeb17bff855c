"""Bounds what goes on for a caller who has left. Knows no HTTP server and no provider."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingate.proxy.ports import ClientGone, Sink

PERIOD = 0.25
"""Seconds between two looks. A write notices at once; this is for the time in which there is nothing to write."""


@asynccontextmanager
async def while_present(sink: Sink, grace: float) -> AsyncIterator[None]:
    """Runs its body; `grace` seconds after the caller has left, the body is cancelled and ClientGone raised."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal timer
        if sink.gone:
            scope.reschedule(loop.time() + grace)
        else:
            timer = loop.call_later(PERIOD, look)

    timer = loop.call_later(PERIOD, look)
    try:
        async with asyncio.timeout(None) as scope:
            yield
    except TimeoutError:
        if scope.expired():
            raise ClientGone from None
        raise
    finally:
        timer.cancel()
