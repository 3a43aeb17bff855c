"""A database session that finishes a statement whose caller is cancelled: one that is cut off breaks its connection.

Knows SQLAlchemy; knows no database and no table.
"""

import asyncio
from collections.abc import Coroutine
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")

LAST_SECONDS = 1.0
"""How many seconds a transaction may take to end when its caller was cancelled, and connections to close at exit."""
PATIENCE = "ingate_patience"
"""In the `info` of a session: for how many seconds a statement may go on whose caller was cancelled."""


async def _whole(work: Coroutine[Any, Any, T], patience: float) -> T:
    """Returns what work returns. It ends before its caller does, however often that is cancelled.

    `patience` is for how many seconds it may go on then; afterwards it is cancelled too, once, so that it can clean up.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    timeout: float | None = None
    while not task.done():
        try:
            await asyncio.wait({task}, timeout=timeout)
            if not task.done():
                task.cancel()
                timeout = None
        except asyncio.CancelledError as error:
            # Only the first of them sets the clock.
            timeout = patience if cancelled is None else timeout
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # nobody is left to be told
    raise cancelled


def _as_whole(method: Any, patience: float | None = None) -> Any:
    """Returns a session's method that is waited for as a whole, with the patience of the session if none is stated."""

    @wraps(method)
    async def called(self: AsyncSession, *args: Any, **kwargs: Any) -> Any:
        seconds = self.info[PATIENCE] if patience is None else patience
        return await _whole(method(self, *args, **kwargs), seconds)

    return called


class Session(AsyncSession):
    """A session whose methods finish, or are cancelled and clean up, before a cancellation reaches their caller."""

    connection = _as_whole(AsyncSession.connection, LAST_SECONDS)
    delete = _as_whole(AsyncSession.delete)
    execute = _as_whole(AsyncSession.execute)
    flush = _as_whole(AsyncSession.flush)
    get = _as_whole(AsyncSession.get)
    get_one = _as_whole(AsyncSession.get_one)
    scalar = _as_whole(AsyncSession.scalar)
    scalars = _as_whole(AsyncSession.scalars)
    commit = _as_whole(AsyncSession.commit, LAST_SECONDS)
    close = _as_whole(AsyncSession.close, LAST_SECONDS)
