"""The shipper: one task that hands the journal's records on in batches, in order, at least once.

It does not know the receiver, only a coroutine function that takes a batch and
raises when it was not accepted.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog

from ingate.proxy.journal.backlog import Batch
from ingate.proxy.journal.dead_letters import DeadLetters
from ingate.proxy.journal.journal import MIB, Journal
from ingate.proxy.journal.segment import Segment

_LAST_PAUSE = 0.5

Keep = Callable[[Callable[[], Coroutine[Any, Any, None]]], "asyncio.Task[None]"]
"""Runs a coroutine function in a task, and may run it anew when it fails."""

_log = structlog.get_logger(__name__)


class Rejected(Exception):
    """Raised by `ship`: the receiver will never accept this batch, for something in it is invalid."""


class NotShipped(Exception):
    """Raised by `ship`: the receiver does not take the batch now, for the reason that the message states."""


class Stopped(Exception):
    """The shipper ended before everything that `drained` waited for was accepted."""


class Shipper:
    """Calls `ship` with batches of up to `max_batch` records and about `max_batch_bytes`.

    Idle, it ships what arrives at once; under load a batch begins no sooner than
    `interval` seconds after the one before, unless it is full. When `ship` raises
    or takes longer than `deadline` seconds, the same batch is tried again, for
    ever, after a pause that doubles from `first_pause` to `longest_pause`
    seconds, with jitter. When it raises `Rejected`, the batch is halved until the
    record at fault is alone; that one goes to the dead letters, which keep up to
    `max_rejected_bytes`. A record may be shipped more than once, so the receiver
    must be idempotent.
    """

    def __init__(
        self,
        journal: Journal,
        ship: Callable[[list[bytes]], Awaitable[None]],
        *,
        max_batch: int = 500,
        max_batch_bytes: int = MIB,
        interval: float = 0.05,
        deadline: float = 30.0,
        first_pause: float = 0.1,
        longest_pause: float = 30.0,
        max_rejected_bytes: int = 64 * MIB,
    ) -> None:
        self._journal = journal
        self._ship = ship
        self._max_batch = max_batch
        self._max_batch_bytes = max_batch_bytes
        self._interval = interval
        self._deadline = deadline
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._dead_letters = DeadLetters(journal.directory, max_rejected_bytes)
        self._awake = asyncio.Event()
        self._halted = asyncio.Event()
        self._ended = False
        self.failing = ""
        """Why the last attempt did not succeed, empty when it did."""
        self._task: asyncio.Task[None] | None = None
        self._waiters: dict[asyncio.Future[None], tuple[Segment, int]] = {}

    def start(self, keep: "Keep | None" = None) -> None:
        """Begins to ship, in a task of its own. To be called once, before `stop`.

        `keep` makes the task. Run anew, it goes on with the batch that it was at.
        """
        self._task = asyncio.create_task(self.run()) if keep is None else keep(self.run)
        self._task.add_done_callback(self._over)

    def _over(self, _task: "asyncio.Task[None]") -> None:
        self._ended = True
        self._give_up_waiters()

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 -- the time left to flush, not a cancellation scope
        """Ships what it can within `timeout` seconds and ends; the rest stays in the journal for the next start."""
        self._halted.set()
        self._awake.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=timeout)
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()

    async def run(self) -> None:
        """Ships until `stop` is called and nothing is pending, or until it is cancelled."""
        backlog = self._journal.backlog
        clock = asyncio.get_running_loop().time
        try:
            while True:
                began = clock()
                batch = await backlog.take(self._max_batch, self._max_batch_bytes)
                if batch is None:
                    self._give_up_waiters()
                    if self._halted.is_set():
                        return
                    await self._wait_for(1, None)
                    continue
                await self._deliver(batch.records)
                backlog.settle(batch)
                self._release(batch)
                hurry = backlog.sealed or self._waiters or self._halted.is_set()
                full = (
                    self._journal.counts.pending >= self._max_batch or backlog.unsettled_bytes >= self._max_batch_bytes
                )
                if not hurry and not full:
                    await self._wait_for(self._max_batch, began + self._interval)
        finally:
            self._journal.disarm()

    async def drained(self) -> None:
        """Returns when everything appended before the call was accepted or rejected. Raises `Stopped`."""
        last = self._journal.backlog.last
        if last is None:
            return
        if self._ended:
            raise Stopped("Shipping has stopped; the records are in the journal.")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = last
        self._awake.set()
        try:
            await waiter
        finally:
            self._waiters.pop(waiter, None)

    def _release(self, batch: Batch) -> None:
        """Wakes who waited for a record that this batch settled."""
        for waiter, (segment, end) in list(self._waiters.items()):
            if segment is batch.segment and end <= batch.end:
                del self._waiters[waiter]
                if not waiter.done():
                    waiter.set_result(None)

    def _give_up_waiters(self) -> None:
        """Tells who still waits that the records stay where they are: shipping ended, or the journal was closed."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(Stopped("Shipping stopped with records pending; they are in the journal."))

    async def _wait_for(self, pending: int, until: float | None) -> None:
        """Waits for so many pending records, for `stop` or `drained`, or until a moment of the loop's clock."""
        self._awake.clear()
        self._journal.arm(pending, self._awake.set)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._awake.wait()
        self._journal.disarm()

    async def _deliver(self, records: list[bytes]) -> None:
        """Returns when each record was accepted, or is a dead letter."""
        parts = [records] if records else []
        while parts:
            part = parts.pop()
            try:
                await self._insist(part)
            except Rejected:
                if len(part) == 1:
                    await self._bury(part[0])
                else:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
            else:
                self._journal.counts.shipped += len(part)

    async def _insist(self, records: list[bytes]) -> None:
        """Ships until it succeeds. Raises `Rejected`."""
        pause = self._first_pause
        while True:
            try:
                async with asyncio.timeout(self._deadline):
                    await self._ship(records)
            except Rejected:
                self.failing = ""
                raise
            except Exception as error:  # noqa: BLE001 -- whatever went wrong, the records are not lost
                self.failing = str(error) if isinstance(error, NotShipped) else type(error).__name__
                _log.warning("journal_not_shipped", error=self.failing, records=len(records), pause=pause)
            else:
                self.failing = ""
                return
            await self._rest(pause * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter is no secret
            pause = min(pause * 2, self._longest_pause)

    async def _rest(self, pause: float) -> None:
        """Sleeps for so many seconds; `stop` ends it for one more attempt at once, and makes later ones short."""
        if self._halted.is_set():
            await asyncio.sleep(min(pause, _LAST_PAUSE))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._halted.wait()

    async def _bury(self, record: bytes) -> None:
        """Keeps a rejected record among the dead letters, or counts that it could not."""
        counts = self._journal.counts
        counts.rejected += 1
        try:
            kept = await asyncio.to_thread(self._dead_letters.put, record)
        except OSError as error:
            kept = False
            _log.warning("journal_dead_letter_not_written", errno=error.errno)
        if not kept:
            counts.dead_letters_shed += 1
        _log.warning("journal_record_rejected", bytes=len(record), kept=kept)
