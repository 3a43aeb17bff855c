"""Records exchanges that have ended: all that end in one turn of the event loop together, in one write.

And says who may begin: a call that could not be recorded does not reach a provider. What a record holds and how it is
kept is not known here.
"""

import asyncio
import contextlib
from typing import Literal

import structlog

from ingate.errors import Unavailable
from ingate.formats import Steps
from ingate.net.budget import BodyBudget
from ingate.pacing import paced
from ingate.proxy import encoder, learned
from ingate.proxy.journal import Journal
from ingate.proxy.open_exchange import OpenExchange
from ingate.sampling import Sampler

LONGEST_WAIT = 1.0
"""Seconds that a call waits, at most, before it is admitted while the journal fills up."""
RETRY_SECONDS = 5.0
AT_ONCE = 1024 * 1024
"""Bytes of records, about, that are made and written in one turn of the loop."""
_QUIET = 60.0

_log = structlog.get_logger(__name__)

WhenUnrecorded = Literal["refuse", "serve"]


class Recorder:
    """Appends exchanges to the journal, each once. Belongs to the running loop.

    Bodies are kept up to `capture` bytes. `answers` counts what is held of answers until they are recorded.
    `when_unrecorded` says what becomes of calls that could not be recorded.
    """

    def __init__(
        self,
        journal: Journal,
        capture: int,
        when_unrecorded: WhenUnrecorded = "refuse",
        answers: BodyBudget | None = None,
    ) -> None:
        self._journal = journal
        self.room = journal.room
        self.capture = capture
        self.answers = answers or BodyBudget()
        self.when_unrecorded = when_unrecorded
        self._loop = asyncio.get_running_loop()
        self._ended: list[tuple[OpenExchange, asyncio.Future[None]]] = []
        self._recorded: asyncio.Future[None] = self._loop.create_future()
        self._recorded.set_result(None)
        self._learning: dict[int, tuple[OpenExchange, Steps[None], asyncio.Task[None]]] = {}
        self._slowed = Sampler(1, _QUIET)
        self._refused = Sampler(1, _QUIET)
        self._failed = Sampler(10, _QUIET)

    async def admit(self, under_way: int) -> None:
        """Returns when a call may begin, of which there are so many; to be asked while the room is `pressed`.

        Waits up to `LONGEST_WAIT` seconds, longer the fuller the journal is: that is when it is emptied. Raises
        Unavailable for a call that could not be recorded, unless such calls are to be served.
        """
        room, counts = self.room, self._journal.counts
        if not room.weigh():
            return
        if room.refuses(under_way) is None and (strain := room.strain()):
            counts.slowed += 1
            self._say("calls_slowed", self._slowed)
            await asyncio.sleep(strain * LONGEST_WAIT)
        trouble = room.refuses(under_way)
        if trouble is None:
            return
        if self.when_unrecorded == "serve":
            counts.unrecorded += 1
            self._say("calls_unrecorded", self._refused)
            return
        counts.refused += 1
        self._say("calls_refused", self._refused)
        why = trouble.replace("_", " is ")
        raise Unavailable(f"calls cannot be recorded at the moment: the {why}", retry_after=RETRY_SECONDS)

    def settle(self, exchange: OpenExchange) -> asyncio.Future[None]:
        """Returns the wait until the exchange is in the journal, or is known to find no room there.

        The first call counts. Waiting may be cancelled: the exchange is recorded all the same.
        """
        if exchange.settled:
            learning = self._learning.get(id(exchange))
            return self._recorded if learning is None else asyncio.shield(learning[2])
        exchange.settled = True
        if learned.is_left(exchange, self.capture):
            return self._end(exchange)
        steps = learned.learning(exchange, self.capture)
        try:
            next(steps)
        except Exception:  # noqa: BLE001 -- all is read; or it cannot be, and the record says so
            return self._end(exchange)
        # It takes more than a moment, in which others have their turn.
        task = self._loop.create_task(self._learn(exchange, steps))
        self._learning[id(exchange)] = exchange, steps, task
        return asyncio.shield(task)

    async def _learn(self, exchange: OpenExchange, steps: Steps[None]) -> None:
        try:
            with contextlib.suppress(Exception):  # the record says so
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

    def _end(self, exchange: OpenExchange) -> asyncio.Future[None]:
        if not self._ended:
            self._loop.call_soon(self._record)
        recorded: asyncio.Future[None] = self._loop.create_future()
        self._ended.append((exchange, recorded))
        return recorded

    def flush(self) -> None:
        """Records what has ended until now."""
        while self._ended:
            self._record_some()

    def _record(self) -> None:
        """Records what has ended until now, a bounded part of it in each turn of the loop."""
        self._record_some()
        if self._ended:
            self._loop.call_soon(self._record)

    def _record_some(self) -> None:
        """Records the first of those that have ended. What is wrong with one exchange is no other's loss."""
        ended, self._ended = self._ended, []
        capture, size = self.capture, 0
        records: list[bytes] = []
        try:
            for exchange, _ in ended:
                made = encoder.encode(exchange, capture)
                records.append(made)
                size += len(made)
                if size >= AT_ONCE:
                    self._ended = ended[len(records) :]
                    ended = ended[: len(records)]
                    break
        except Exception:  # noqa: BLE001 -- found out below, one by one
            ended, records = self._one_by_one(ended)
        try:
            self._journal.extend(records, lambda index: self._shed(ended[index][0]))
        except Exception as error:  # noqa: BLE001 -- nobody is to wait for ever; each raises it to its host
            for _, recorded in ended:
                if not recorded.done():
                    recorded.set_exception(error)
        for exchange, recorded in ended:
            exchange.let_go()
            if not recorded.done():
                recorded.set_result(None)

    def _one_by_one(
        self, ended: list[tuple[OpenExchange, asyncio.Future[None]]]
    ) -> tuple[list[tuple[OpenExchange, asyncio.Future[None]]], list[bytes]]:
        """Returns the exchanges that can be recorded, and their records; the waits of the others raise."""
        kept, records = [], []
        for exchange, recorded in ended:
            try:
                records.append(self._whole_or_not(exchange))
            except Exception as error:  # noqa: BLE001 -- not even what is certain of it can be written down
                self.room.lost()
                _log.exception("exchange_lost", request_id=exchange.request_id)
                exchange.let_go()
                if not recorded.done():
                    recorded.set_exception(error)
            else:
                kept.append((exchange, recorded))
        return kept, records

    def _whole_or_not(self, exchange: OpenExchange) -> bytes:
        try:
            return encoder.encode(exchange, self.capture)
        except Exception as error:  # noqa: BLE001 -- a record that says so is better than none
            return self._incomplete(exchange, error)

    def _shed(self, exchange: OpenExchange) -> bytes:
        try:
            return encoder.shed(exchange)
        except Exception as error:  # noqa: BLE001 -- see above
            return self._incomplete(exchange, error)

    def _incomplete(self, exchange: OpenExchange, error: Exception) -> bytes:
        self._journal.counts.incomplete += 1
        if (held := self._failed.take()) is not None:
            # Without the message, which may quote what was said.
            _log.error("record_incomplete", request_id=exchange.request_id, error=type(error).__name__, before=held)
        return encoder.incomplete(exchange, type(error).__name__)

    def _say(self, event: str, sampler: Sampler) -> None:
        if (held := sampler.take()) is not None:
            counts, room = self._journal.counts, self.room
            _log.warning(
                event,
                bytes=counts.bytes,
                bound=room.max_bytes,
                pending=counts.pending,
                disk=room.disk,
                error=room.error,
                before=held,
            )
