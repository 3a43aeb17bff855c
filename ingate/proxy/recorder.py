"""Records exchanges that have ended: all that end in one turn of the event loop together, in one write.

What a record holds and how it is kept is not known here.
"""

import asyncio

from ingate.formats import Steps
from ingate.pacing import paced
from ingate.proxy import record
from ingate.proxy.exchange import Exchange
from ingate.proxy.journal import Journal


class Recorder:
    """Appends exchanges to the journal, each once. Belongs to the running loop.

    Bodies are kept up to `capture` bytes.
    """

    def __init__(self, journal: Journal, capture: int) -> None:
        self._journal = journal
        self.capture = capture
        self._loop = asyncio.get_running_loop()
        self._ended: list[tuple[Exchange, asyncio.Future[None]]] = []
        self._recorded: asyncio.Future[None] = self._loop.create_future()
        self._recorded.set_result(None)
        self._learning: dict[int, tuple[Exchange, Steps[None], asyncio.Task[None]]] = {}

    def settle(self, exchange: Exchange) -> asyncio.Future[None]:
        """Returns the wait until the exchange is in the journal, or is known to find no room there.

        The first call counts. Waiting may be cancelled: the exchange is recorded all the same.
        """
        if exchange.settled:
            learning = self._learning.get(id(exchange))
            return self._recorded if learning is None else asyncio.shield(learning[2])
        exchange.settled = True
        if record.is_left(exchange, self.capture):
            return self._end(exchange)
        steps = record.learning(exchange, self.capture)
        try:
            next(steps)
        except StopIteration:
            return self._end(exchange)
        # It takes more than a moment, in which others have their turn.
        task = self._loop.create_task(self._learn(exchange, steps))
        self._learning[id(exchange)] = exchange, steps, task
        return asyncio.shield(task)

    async def _learn(self, exchange: Exchange, steps: Steps[None]) -> None:
        try:
            await paced(steps)
            await self._end(exchange)
        finally:
            self._learning.pop(id(exchange), None)

    def close(self) -> None:
        """Records what has ended, and with what is known by now what is still being read."""
        while self._learning:
            exchange, steps, task = self._learning.popitem()[1]
            task.cancel()
            steps.close()
            if exchange.learned is None:
                self._end(exchange)
        self.flush()

    def _end(self, exchange: Exchange) -> asyncio.Future[None]:
        if not self._ended:
            self._loop.call_soon(self.flush)
        recorded: asyncio.Future[None] = self._loop.create_future()
        self._ended.append((exchange, recorded))
        return recorded

    def flush(self) -> None:
        """Records what has ended until now."""
        ended, self._ended = self._ended, []
        capture = self.capture
        try:
            self._journal.extend(
                [record.encode(exchange, capture) for exchange, _ in ended], lambda index: record.light(ended[index][0])
            )
        except Exception as error:  # noqa: BLE001 -- nobody is to wait for ever; each raises it to its host
            for _, recorded in ended:
                if not recorded.done():
                    recorded.set_exception(error)
        for _, recorded in ended:
            if not recorded.done():
                recorded.set_result(None)
