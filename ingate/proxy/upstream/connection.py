"""One HTTP/1.1 connection: writes a request, takes the answer into a `Response`, watches one deadline.

Knows no pool policy: its owner hears when it is free, and when it is gone. One exchange at a time; waiting costs a
future and no timer. It is free for another exchange only where both sides certainly are between two messages.
"""

import asyncio
import math
import select
from collections.abc import Callable
from typing import Protocol, cast

from ingate.formats import views
from ingate.net.deadline import Deadline
from ingate.net.outbox import Corked, Outbox
from ingate.net.turns import Turns
from ingate.proxy.ports import (
    BadResponse,
    ConnectionLost,
    FirstByteTimeout,
    IdleTimeout,
    OutboundRequest,
    StaleConnection,
    Truncated,
    UpstreamError,
)
from ingate.proxy.upstream.parser import Parser
from ingate.proxy.upstream.response import Response
from ingate.proxy.upstream.shares import Seat

JOIN_LIMIT = 32 * 1024  # a body up to this size is joined to its head: one write, one segment, one TLS record
_SLICE = 256 * 1024  # a larger body is handed to the transport in views of this size, as it drains
_TAKEN_AT_ONCE = 4096  # bytes for which a kernel has room on a connection where nothing waits
_HIGH_WATER = 64 * 1024
"""Bytes of an answer that wait to be taken before no more is read."""
_IDLE_AT_LEAST = 0.005
"""Seconds. No provider closes for idleness what was used a shorter time ago: it has read the request then. It is far
below what providers wait for, since a busy loop sees an answer later than it was sent."""


class Owner(Protocol):
    """Who is told what becomes of a connection. It sends through the outbox, and reads long answers in turns."""

    outbox: Outbox
    turns: Turns

    def released(self, connection: "Connection", *, reusable: bool) -> None:
        """An exchange has ended. Called once for each."""

    def lost(self, connection: "Connection") -> None:
        """The connection is closed, one that never was handed out included."""


class Connection(asyncio.Protocol):
    """A connection to one origin. `transport` is set once it is established, `seat` by the owner for each exchange."""

    __slots__ = (
        "_deadline",
        "_has_body",
        "_heard",
        "_large",
        "_loop",
        "_outgoing",
        "_owner",
        "_parser",
        "_patience",
        "_pending",
        "_reading_paused",
        "_response",
        "_rested",
        "_resting",
        "_reusable",
        "_used",
        "_waiter",
        "_write_paused",
        "seat",
        "transport",
    )

    transport: Corked
    seat: Seat

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner) -> None:
        self._loop = loop
        self._owner = owner
        self._response: Response | None = None
        self._parser = Parser()
        self._used = False  # it has served an exchange before
        self._resting = 0.0  # since when it is unused, in the loop's time
        self._rested = 0.0  # seconds that it was, before this exchange
        self._heard = False  # anything of an answer
        self._has_body = False  # the request of the exchange
        self._large = False  # larger than what any kernel takes at once
        self._reusable = True  # as far as the request goes
        self._pending: Callable[[int], object] | None = None  # asks the kernel what the loop may not have seen yet
        self._outgoing: list[memoryview] = []  # the rest of a large request body, its beginning last
        self._write_paused = False
        self._reading_paused = False
        self._patience = math.inf
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = Deadline(loop, self._on_deadline)

    # One exchange

    def begin(
        self, payload: bytes, request: OutboundRequest, response: Response, *, last: bool
    ) -> asyncio.Future[None]:
        """Sends `payload` (the head, with a body up to JOIN_LIMIT) and the body if larger; `last` on this connection.

        Returns the wait for the head of `response`, which is to be closed if that is cancelled.
        """
        self._response = response
        self._heard = False
        if self._used:
            self._rested = self._loop.time() - self._resting
        self._parser.begin(response, head=request.method == "HEAD")
        self._has_body = bool(request.body)
        self._large = len(payload) > _TAKEN_AT_ONCE
        self._reusable = not last
        self._patience = request.timeouts.first_byte
        self.transport.write(payload)
        if len(request.body) > JOIN_LIMIT:
            self._large = True
            self._outgoing = [*views(request.body)][::-1]
            self._pump()
        return self.wait(self._patience)

    def wait(self, seconds: float) -> asyncio.Future[None]:
        """Begins to wait until something arrives or the response ends, by the deadline at the latest."""
        if self._waiter is not None:
            raise RuntimeError("the response is being read already")
        self._deadline.arm(seconds)
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def _wake(self) -> None:
        # The deadline stays: it means nothing while nobody waits.
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _pump(self) -> None:
        """Hands on the large body as far as the transport takes it; `resume_writing` comes for the rest."""
        while (outgoing := self._outgoing) and not self._write_paused:
            rest = outgoing.pop()
            if len(rest) > _SLICE:
                outgoing.append(rest[_SLICE:])
            self.transport.write(rest[:_SLICE])

    def pause_writing(self) -> None:
        """The transport holds enough."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """The transport has drained: the provider reads, so its time for the first byte starts again."""
        self._write_paused = False
        if self._outgoing:
            self._loop.call_soon(self._pump)  # not from inside the transport's own write
        if self._response is not None and self._response.status == 0:
            self._deadline.arm(self._patience)

    # How it ends

    def drop(self) -> None:
        """Closes the connection; a response in progress ends there."""
        self._interrupt("closed by the caller")

    def _interrupt(self, reason: str) -> None:
        in_body = self._response is not None and self._response.status
        self._fail(Truncated(reason) if in_body else ConnectionLost(reason))

    def _lose(self, *, reset: bool) -> None:
        """The provider closed or reset the connection."""
        if self._used and not self._heard and (reset or self.transport.unsent or self._rested >= _IDLE_AT_LEAST):
            self._fail(StaleConnection("the provider closed a kept-alive connection as it was used again"))
        else:
            self._interrupt(f"the provider closed a {'kept-alive' if self._used else 'new'} connection")

    def _fail(self, error: UpstreamError) -> None:
        """Closes the connection at once and ends the response in progress with `error`."""
        self.transport.abort()
        self._outgoing = []
        response, self._response = self._response, None
        if response is not None:
            response.end(error)
            self._wake()
            self._owner.released(self, reusable=False)

    def _finish(self, response: Response) -> None:
        """The response is complete: the connection is free before anyone reads the last byte."""
        self._response = None
        self._used = True
        response.end()
        self._wake()
        reusable = self._parser.keep_alive and self._reusable
        if not reusable:
            self._outgoing = []
            self.transport.abort()
        elif self._reading_paused:
            self._read_on()
        self._owner.released(self, reusable=reusable)

    def silent(self) -> bool:
        """Tells whether nothing has come on an idle connection: no byte and no end, nor any the loop has yet to see."""
        return not self.transport.is_closing() and not (self._pending is not None and self._pending(0))

    def rest(self, seconds: float) -> None:
        """Waits unused; closes itself after `seconds`."""
        self._resting = self._loop.time()
        self._deadline.arm(seconds)

    def _on_deadline(self) -> None:
        if self._response is None:
            self.transport.abort()
        elif self._waiter is None:
            return
        elif self._response.status == 0:
            self._fail(FirstByteTimeout("no response head came in time"))
        else:
            self._fail(IdleTimeout("the body stalled"))

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop when the connection, TLS included, is up."""
        # uvloop's transports are no subclass.
        self.transport = Corked(cast("asyncio.Transport", transport), self._owner.outbox)
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(select, "poll"):
            poller = select.poll()
            poller.register(sock.fileno(), select.POLLIN)
            self._pending = poller.poll

    def data_received(self, data: bytes) -> None:
        """Takes in what came. Anything that comes while no response is expected ends the connection."""
        response = self._response
        if response is None:
            self.transport.abort()
            return
        self._heard = True
        in_head = not response.status
        if in_head and self.transport.unsent:
            self._fail(BadResponse("an answer came before its request was sent"))
            return
        parser = self._parser
        try:
            arrived = parser.feed(data)
        except BadResponse as error:
            self._fail(error)
            return
        if in_head and (status := response.status) and (self._large or (status >= 300 and self._has_body)):
            self._judge(status)
        if parser.complete:
            self._finish(response)
        elif response.pieces or (in_head and arrived):
            self._wake()
            if response.buffered > _HIGH_WATER:
                self._pause()
        elif arrived:
            self._deadline.arm(response.idle_timeout)  # handed on, and nobody woke to wait again

    def _judge(self, status: int) -> None:
        """Tells from the time and the status of an answer whether the provider has read the request first."""
        if self._outgoing or not self.transport.sent or (self._has_body and status >= 300):
            self._reusable = False
            if status >= 400:
                self._outgoing = []  # an early refusal: the rest of the request is not wanted

    def _pause(self) -> None:
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Reads on in turn with others of whom much comes, if reading was paused because nobody took the pieces."""
        if self._reading_paused:
            self._owner.turns.wait(self._read_on)

    def _read_on(self) -> None:
        if self._reading_paused and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()

    def eof_received(self) -> bool:
        """The provider closed its side: the end of a body without framing, an error inside anything else."""
        self._on_eof()
        return False

    def _on_eof(self) -> None:
        response = self._response
        if response is not None and self._parser.until_eof:
            self._finish(response)
        else:
            self._lose(reset=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by either side's doing."""
        self._deadline.close()
        if self._response is not None:
            if exc is None:
                self._on_eof()
            else:
                self._lose(reset=True)
        self._owner.lost(self)
