"""News of what gateways must forget: one counter, and a bounded queue for each listener. Knows no database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

QUEUE_LIMIT = 1000


class Epochs:
    """Counts changes and tells every listener whose grants they touch.

    A listener that falls `QUEUE_LIMIT` changes behind loses the oldest; the gap in the epochs tells it so.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._listeners: set[asyncio.Queue[tuple[int, str]]] = set()

    def bump(self, org_id: str) -> None:
        """Announces that grants of the organisation changed. Call it after the commit."""
        self.epoch += 1
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait((self.epoch, org_id))

    @contextmanager
    def listen(self) -> Iterator[AsyncIterator[tuple[int, str]]]:
        """Yields the changes from now on, as (epoch, organisation)."""
        queue: asyncio.Queue[tuple[int, str]] = asyncio.Queue(QUEUE_LIMIT)
        self._listeners.add(queue)

        async def changes() -> AsyncIterator[tuple[int, str]]:
            while True:
                yield await queue.get()

        try:
            yield changes()
        finally:
            self._listeners.discard(queue)
