"""One HTTP/1.1 connection: reads requests one after another and sees that each is answered before the next.

Bounds what a caller may send and how long it may take. Knows no routes, no dialects and no providers: who
answers is in the head, and its `Service` says in which words a request is refused that is none.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

import structlog

from ingate.errors import DomainError
from ingate.net.budget import Lease
from ingate.net.deadline import Deadline
from ingate.net.outbox import Corked
from ingate.proxy.ports import ClientGone
from ingate.rpc.status import Failure
from rest_facade import failures
from rest_facade.failures import Refused
from rest_facade.http1.body import Body, stopping
from rest_facade.http1.head import Head, may_begin, not_http
from rest_facade.http1.service import Service

_LINGER = 2.0
_CROWDED_LINGER = 0.2
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_END = b"\r\n\r\n"

_log = structlog.get_logger(__name__)


class Connection(asyncio.Protocol):
    """The protocol of one connection."""

    __slots__ = (
        "_address",
        "_body",
        "_buffer",
        "_deadline",
        "_drained",
        "_expects",
        "_head",
        "_head_began",
        "_held",
        "_lingering",
        "_loop",
        "_overrun",
        "_patient",
        "_reading_paused",
        "_service",
        "_task",
        "_turn",
        "busy",
        "caller",
        "ending",
        "grace",
        "transport",
        "writing_paused",
    )

    transport: Corked

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._late)
        self._address: str | None = None
        self._buffer: bytes | bytearray = b""  # of the next head, or what came behind a body
        self._held: Lease | None = None  # counts the buffer while it waits
        self._overrun: Failure | None = None  # why what came behind the request was dropped
        self._body: Body | None = None  # of the request that is being answered
        self._patient = False  # whether the rest of it is waited for when the process ends
        self._head: Head | None = None  # of a request, until its answer begins
        self._task: asyncio.Task[None] | None = None  # answers requests, one after another
        self._turn: asyncio.Future[None] | None = None  # it waits for the next
        self._drained: asyncio.Future[None] | None = None
        self._expects = False  # the caller waits to be told that its body is wanted
        self._head_began = False
        self._lingering = False
        self._reading_paused = False
        self.busy = False
        self.caller = ""
        """The address that the request under way is from: the connection's, or the one that a trusted proxy tells."""
        self.ending: Callable[[], None] | None = None  # ends an answer that would go on, when the process is to end
        self.grace: Callable[[], float] = float
        """Seconds that the proxied request may go on should its caller leave."""
        self.writing_paused = False

    @property
    def draining(self) -> bool:
        """Whether the connection ends after the answer because the process does."""
        return self._service.draining

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to wait for a request."""
        # uvloop's transports are no subclass.
        self.transport = Corked(cast("asyncio.Transport", transport), self._service.outbox)
        if (raw := transport.get_extra_info("socket")) is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        limits = self._service.limits
        self._deadline.arm(limits.idle)
        self._service.opened(self)
        if raw is not None and (number := raw.fileno()) >= limits.crowded:
            failure = self._service.crowded()
            if number < limits.full:
                self.refuse(failure, _CROWDED_LINGER)
            else:
                self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hands on what belongs to the request being read, and begins the next when the last is answered."""
        if self._lingering:
            self.pause()
            self._service.lingering.wait(self.resume)
            return
        if self.busy:
            if self._body is not None and not self._body.complete:
                data = self._body.feed(data)
            if data:
                self._wait(data)
            return
        if self._buffer:
            self._buffer += data
        else:
            self._buffer = data
        self._begin()

    def eof_received(self) -> None:
        """The caller has said everything: the transport closes."""
        self.transport.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Tells everybody that the caller is gone."""
        self._deadline.close()
        self._take_more()
        self._forget()
        unread = self._body is not None and not self._body.complete
        if self._body is not None:
            self._body.fail(ClientGone)
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)
        elif self._task is not None and not self._task.done() and not unread:
            # Who still waits for the body hears of it there.
            if seconds := self.grace():
                timer = self._loop.call_later(seconds, self._task.cancel)
                self._task.add_done_callback(lambda _: timer.cancel())
            else:
                self._task.cancel()
        self._service.closed(self)

    def pause_writing(self) -> None:
        """Starts the clock for a caller that does not read."""
        self.writing_paused = True
        self._deadline.arm(self._service.limits.stall)

    def resume_writing(self) -> None:
        """Stops that clock."""
        self.writing_paused = False
        if self._lingering:
            self._deadline.arm(_LINGER)
        elif self.busy:
            self._deadline.disarm()
        else:
            self._deadline.arm(self._service.limits.idle)
        self._take_more()

    def _take_more(self) -> None:
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None

    # One request after another

    def _begin(self) -> None:
        """Reads a head from the buffer, if all of it is there, and has the request answered."""
        raw = self._buffer
        if raw[0] < 33:
            # Some clients end a body with a line end too many.
            raw = self._buffer = raw.lstrip(b"\r\n")
        end = raw.find(_END)
        limits = self._service.limits
        if end < 0:
            self._unfinished(raw)
            return
        raw = bytes(raw)
        if self._held is not None:
            self._held.release()
        self._deadline.disarm()
        self._head_began = False
        if end > limits.head:
            self.refuse(failures.headers_too_large())
            return
        try:
            head, length = self._service.heads.read(raw[:end])
        except Refused as refused:
            self.refuse(refused.failure)
            return
        self.busy = True
        self._expects = head.expects
        self._patient = head.owner.patient
        proxies = self._service.proxies
        caller = self.caller = self.address if proxies is None else proxies.caller(self.address, head.headers)
        body = self._body = Body(self, length, self._service.budget, caller, chunked=head.chunked)
        self._head = head
        self._buffer = b""
        rest = raw[end + len(_END) :]
        if rest and (rest := body.feed(rest)):
            self._wait(rest)
        if self._task is None:
            self._task = self._loop.create_task(self._answer())
        elif self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    def _unfinished(self, raw: bytes | bytearray) -> None:
        limits = self._service.limits
        if not raw:
            return
        # So that a head in a thousand pieces is not copied a thousand times.
        self._buffer = raw if isinstance(raw, bytearray) else bytearray(raw)
        if not may_begin(raw):
            self.refuse(not_http().failure)
        elif len(raw) > limits.head:
            self.refuse(failures.headers_too_large() if b"\n" in raw else failures.target_too_long())
        elif not self._head_began:
            # The clock of a head runs from its first byte, whatever dribbles in.
            self._head_began = True
            self._deadline.arm(limits.head_time)
        if self._buffer and (failure := self._count()) is not None:
            self.refuse(failure)

    def _wait(self, data: bytes) -> None:
        """Keeps what came before its turn, and stops reading when it is much."""
        if self._overrun is not None:
            return
        self._buffer += data
        self._overrun = self._count()
        if self._overrun is not None or len(self._buffer) > self._service.limits.head:
            self.pause()

    def _count(self) -> Failure | None:
        """Counts the buffer as bytes under way. Returns why it cannot be kept; it is dropped then."""
        if self._held is None:
            self._held = self._service.budget.lease(self.address)
        try:
            self._held.grow(len(self._buffer) - self._held.held)
        except DomainError as refused:
            self._forget()
            return failures.of(refused)
        return None

    def _forget(self) -> None:
        """Drops the buffer."""
        self._buffer = b""
        if self._held is not None:
            self._held.release()

    async def _answer(self) -> None:
        """Has requests answered as long as the connection lasts: a task for each would cost as much again."""
        try:
            while not self.transport.is_closing():
                head, body, self._head = self._head, self._body, None
                if head is None or body is None:
                    self._turn = self._loop.create_future()
                    await self._turn
                    continue
                keep_alive = False
                try:
                    keep_alive = await head.owner.answer(self, head, body)
                finally:
                    self._answered(keep_alive=keep_alive and body.complete, unread=not body.complete)
        finally:
            # A cancelled task keeps the frames it was cancelled in, and these keep the body: they are not to keep it.
            self._task = None

    def _answered(self, *, keep_alive: bool, unread: bool = False) -> None:
        """The answer is written: goes on to the next request, or ends the connection."""
        if self._body is not None and self._body.held:
            self._body.discard()
        self._body = None
        self.busy = False
        self.grace = float
        self.ending = None
        if self.transport.is_closing():
            return
        if self._overrun is not None:
            self.refuse(self._overrun)
        elif unread:
            self._linger(_LINGER)
        elif not keep_alive or self._service.draining:
            self.transport.close()
        else:
            if self._buffer:
                self._begin()
            else:
                self._deadline.arm(self._service.limits.idle)
            # Who sends requests faster than they are answered is not to fill the memory with them.
            if self._reading_paused and len(self._buffer) <= self._service.limits.head:
                self.resume()

    # How it ends

    def refuse(self, failure: Failure, linger: float = _LINGER) -> None:
        """Answers what is no request, and ends the connection."""
        _log.debug("connection refused", reason=failure.reason)
        self.transport.write(self._service.refusal(failure))
        self._linger(linger)

    def _linger(self, seconds: float) -> None:
        """Ends the connection when the caller has stopped sending.

        Closing while data comes in would reset the connection and take the answer away from the caller. What still
        comes is read in turns with what others send who are refused: their rush is not to be felt by anybody else.
        """
        self._lingering = True
        self._forget()
        self.resume()
        self.transport.write_eof()
        self._deadline.arm(seconds)

    def _late(self) -> None:
        if self.writing_paused:
            self.transport.abort()
        elif self._head_began and not self._lingering:
            self.refuse(failures.request_timeout())
        else:
            self.transport.close()

    def drain(self) -> None:
        """Ends the connection: now if it waits for a request, or for the rest of one in vain, else after the answer."""
        body = self._body
        if body is not None:
            if not self._patient:
                body.fail(stopping)
            if self.ending is not None:
                self.ending()
        elif self._buffer:
            self.refuse(failures.of(stopping()))
        elif not self._lingering:
            self.transport.close()

    async def cut(self, seconds: float) -> None:
        """Ends the request under way within `seconds`, and the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=seconds)
        self.transport.abort()

    # For what answers a request

    @property
    def address(self) -> str:
        """The other side's address without its port, empty where the transport has none."""
        if self._address is None:
            peer: Any = self.transport.transport.get_extra_info("peername")
            self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        return self._address

    async def send(self, *pieces: bytes) -> None:
        """Writes bytes, and returns when more may come. Raises `ClientGone`."""
        if self.transport.is_closing():
            raise ClientGone
        for piece in pieces:
            self.transport.write(piece)
        if self.writing_paused:
            await self.drained()

    def pause(self) -> None:
        """Stops reading."""
        self._reading_paused = True
        self.transport.pause_reading()

    def resume(self) -> None:
        """Reads on, if reading was stopped."""
        if self._reading_paused and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()

    def take_turns(self, number: int | None) -> int:
        """Reads on in turn with others who send large bodies: not even all of them together fill a turn of the loop."""
        self.pause()
        return self._service.receiving.wait(self.resume, number)

    def continue_(self) -> None:
        """Tells a caller that waits for it that the body is wanted."""
        if self._expects and not self.transport.is_closing():
            self._expects = False
            self.transport.write(_CONTINUE)

    async def drained(self) -> None:
        """Returns when the transport takes more. Raises `ClientGone` when it never will."""
        while self.writing_paused and not self.transport.is_closing():
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)
        if self.transport.is_closing():
            raise ClientGone
