"""The state of one call, which its two ends share. Knows neither stubs nor handlers, only what passes between them."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import NamedTuple

import grpc

from ingate.rpc.inprocess.metadata import Metadata
from ingate.rpc.inprocess.pipe import Pipe

Callback = tuple[Callable[[], object], contextvars.Context]
"""What to call when the call is over, and the context of the end that asked for it."""


class Outcome(NamedTuple):
    """How a call ended: what a gRPC status and its trailers carry."""

    code: grpc.StatusCode
    details: str = ""
    trailing: Metadata = ()


OK = Outcome(grpc.StatusCode.OK)
DEADLINE_EXCEEDED = Outcome(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
UNSENDABLE_REQUEST = Outcome(grpc.StatusCode.INTERNAL, "Invalid metadata")
UNSENDABLE_RESPONSE = Outcome(grpc.StatusCode.INTERNAL, "Invalid metadata")


class Exchange:
    """One call in flight.

    `request` is the serialised message or, when the client streams, a pipe; `responses` is a pipe when the server
    streams, and otherwise `response` holds the answer. `sent` is the outcome the server gave, `outcome` the one the
    client knows: it may end the call first (cancellation, deadline), and learns the server's only after the last
    message.
    """

    __slots__ = (
        "_timer",
        "_waiters",
        "client_callbacks",
        "deadline",
        "initial",
        "limit",
        "live",
        "locally_cancelled",
        "loop",
        "metadata",
        "method",
        "outcome",
        "request",
        "response",
        "responses",
        "sender",
        "sent",
        "server_callbacks",
        "task",
    )

    def __init__(
        self,
        *,
        method: str,
        metadata: Metadata,
        request: bytes | Pipe,
        responses: Pipe | None,
        limit: int,
        live: "set[Exchange]",
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.method = method
        self.metadata = metadata
        self.request = request
        self.responses = responses
        self.limit = limit
        self.live = live
        self.loop = loop
        self.response: bytes | None = None
        self.initial: Metadata | None = None
        self.sent: Outcome | None = None
        self.outcome: Outcome | None = None
        self.locally_cancelled = False
        self.deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self.task: asyncio.Task[None] | None = None
        self.sender: asyncio.Task[None] | None = None
        self.client_callbacks: list[Callback] = []
        self.server_callbacks: list[Callback] = []
        live.add(self)

    def expire_after(self, seconds: float) -> None:
        """Starts the deadline; one that has passed ends the call here."""
        self.deadline = self.loop.time() + seconds
        if seconds <= 0:
            self.conclude(DEADLINE_EXCEEDED)
        else:
            self._timer = self.loop.call_later(seconds, self.abandon, DEADLINE_EXCEEDED)

    def time_remaining(self) -> float | None:
        """Returns the seconds left, never below zero, or None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - self.loop.time())

    def too_large(self, message: bytes, receiver: str) -> Outcome | None:
        """Returns the outcome that refuses `message`, or None when it fits."""
        if len(message) <= self.limit:
            return None
        return Outcome(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"{receiver}: Received message larger than max ({len(message)} vs. {self.limit})",
        )

    def send_initial(self, metadata: Metadata) -> None:
        """The server's initial metadata, once."""
        if self.initial is None:
            self.initial = metadata
            self._wake()

    def finish(self, outcome: Outcome) -> None:
        """The server ends the call; the client learns it after the messages it has not read yet."""
        self.sent = outcome
        if isinstance(self.request, Pipe):
            self.request.sever()
        if self.responses is None or self.responses.drained:
            self.conclude(outcome)
        else:
            self.responses.end()

    def settle(self) -> None:
        """Ends the call for a client that has just read the last message."""
        if self.sent is not None and self.responses is not None and self.responses.drained:
            self.conclude(self.sent)

    def abandon(self, outcome: Outcome) -> bool:
        """Ends the call before the server did, and its handler with it; returns False when it was over."""
        if not self.conclude(outcome):
            return False
        if self.sent is None and self.task is not None:
            self.task.cancel()
        return True

    def cancel(self, details: str) -> bool:
        """The client's cancellation; returns False when the call was over."""
        if self.outcome is not None:
            return False
        self.locally_cancelled = True
        return self.abandon(Outcome(grpc.StatusCode.CANCELLED, details))

    def conclude(self, outcome: Outcome) -> bool:
        """Makes `outcome` the one the client knows, the first time."""
        if self.outcome is not None:
            return False
        self.outcome = outcome
        if self.initial is None:
            self.initial = ()
        self.live.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if isinstance(self.request, Pipe):
            self.request.sever()
        if self.responses is not None:
            self.responses.sever()
        if self.sender is not None:
            self.sender.cancel()
        self._wake()
        self._run(self.client_callbacks)
        return True

    def task_ended(self) -> None:
        """The handler's task is over. One that was cancelled by anybody else must not leave its client waiting."""
        self.task = None
        if self.sent is None and self.outcome is None:
            self.finish(Outcome(grpc.StatusCode.CANCELLED, "The handler was cancelled."))
        self._run(self.server_callbacks)

    async def started(self) -> Metadata:
        """Waits for the server's initial metadata, empty when the call ended without."""
        while self.initial is None:
            await self.change()
        return self.initial

    async def ended(self) -> Outcome:
        """Waits for the outcome."""
        while self.outcome is None:
            await self.change()
        return self.outcome

    async def change(self) -> None:
        """Waits until `initial` or `outcome` may have become known."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _run(self, callbacks: list[Callback]) -> None:
        for callback, context in callbacks:
            self.loop.call_soon(callback, context=context)
        callbacks.clear()
