"""Bounds what goes on for a caller who has left. Knows no HTTP server and no provider."""

import asyncio

from ingate.proxy.ports import Sink


class Presence:
    """Watches over the task that makes it: `grace` seconds after the caller has left, the task is cancelled.

    Costs nothing while the caller stays: the sink calls when the connection ends. `close` it when the answer is over.
    """

    __slots__ = ("_grace", "_sink", "_task", "_timer", "expired")

    def __init__(self, sink: Sink, grace: float) -> None:
        self._sink = sink
        self._grace = grace
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self.expired = False
        sink.when_gone(self._left)

    def _left(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._grace, self._expire)

    def _expire(self) -> None:
        self.expired = True
        if self._task is not None:
            self._task.cancel()

    def swallow(self) -> bool:
        """Tells whether a cancellation that arrived is this one's, and takes it back."""
        return self.expired and self._task is not None and self._task.uncancel() == 0

    def close(self) -> None:
        """Stops watching."""
        self._sink.when_gone(None)
        if self._timer is not None:
            self._timer.cancel()
