"""One HTTP/1.1 connection: writes a request, parses the answer into a `Response`, watches one deadline.

Knows no pool policy: its owner hears when it is free, and when it is gone. One exchange at a time; waiting costs a
future and no timer.
"""

import asyncio
import math
from typing import Protocol, cast

from httptools import HttpParserError, HttpResponseParser

from ingate.proxy.ports import (
    BadResponse,
    ConnectionLost,
    FirstByteTimeout,
    Headers,
    IdleTimeout,
    OutboundRequest,
    Truncated,
    UpstreamError,
)
from ingate.proxy.upstream.deadline import Deadline
from ingate.proxy.upstream.response import Response

JOIN_LIMIT = 32 * 1024  # a body up to this size is joined to its head: one write, one segment, one TLS record
_SLICE = 256 * 1024  # a larger body is handed to the transport in views of this size, as it drains
_HIGH_WATER = 256 * 1024
_HEAD_LIMIT = 256 * 1024
_HEADERS_LIMIT = 1000


class Owner(Protocol):
    """Who is told what becomes of a connection."""

    def released(self, connection: "Connection", *, reusable: bool) -> None:
        """An exchange has ended. Called once for each."""

    def lost(self, connection: "Connection") -> None:
        """The connection is closed, one that never was handed out included."""


class Connection(asyncio.Protocol):
    """A connection to one origin. `transport` is set once it is established."""

    __slots__ = (
        "_bodiless",
        "_deadline",
        "_ended",
        "_headers",
        "_keep_alive",
        "_loop",
        "_outgoing",
        "_owner",
        "_parser",
        "_patience",
        "_reading_paused",
        "_response",
        "_silent",
        "_until_eof",
        "_used",
        "_waiter",
        "_write_paused",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner) -> None:
        self._loop = loop
        self._owner = owner
        self._response: Response | None = None
        self._headers: Headers | None = None  # of the head being parsed; None outside one
        self._silent = 0  # bytes that came since the last head or piece of body
        self._bodiless = False  # the request was HEAD
        self._ended = False  # the response is complete, its bytes are still being parsed
        self._keep_alive = False
        self._until_eof = False
        self._used = False  # it has served an exchange before
        self._outgoing: memoryview | None = None  # the rest of a large request body
        self._write_paused = False
        self._reading_paused = False
        self._patience = math.inf
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = Deadline(loop, self._on_deadline)
        self._new_parser()

    def _new_parser(self) -> None:
        self._parser = HttpResponseParser(self)
        # Both framings at once: chunked wins, as RFC 9112 section 6.3 has it.
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True)

    # One exchange

    async def exchange(self, payload: bytes, request: OutboundRequest) -> Response:
        """Sends `payload` (the head, with a body up to JOIN_LIMIT) and the body if larger; returns when the head is in.

        Raises ConnectionLost, FirstByteTimeout or BadResponse; cancelled, it drops the connection.
        """
        timeouts = request.timeouts
        response = Response(self, timeouts.idle)
        self._response = response
        self._headers = []
        self._silent = 0
        self._bodiless = request.method == "HEAD"
        self._patience = timeouts.first_byte
        try:
            self.transport.write(payload)
            if len(request.body) > JOIN_LIMIT:
                self._outgoing = memoryview(request.body)
                self._pump()
            # As `wait`, without another coroutine: this one runs for every request.
            self._deadline.arm(timeouts.first_byte)
            self._waiter = self._loop.create_future()
            await self._waiter
        except BaseException:
            await response.aclose()
            raise
        if response.status == 0 and response.failure is not None:
            raise response.failure
        return response

    async def wait(self, seconds: float) -> None:
        """Returns when something has arrived or the response has ended, by the deadline at the latest."""
        if self._waiter is not None:
            raise RuntimeError("the response is being read already")
        self._deadline.arm(seconds)
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        self._deadline.disarm()
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _pump(self) -> None:
        """Hands on the large body as far as the transport takes it; `resume_writing` comes for the rest."""
        rest = self._outgoing
        while rest is not None and not self._write_paused:
            self.transport.write(rest[:_SLICE])
            rest = self._outgoing = rest[_SLICE:] if len(rest) > _SLICE else None

    def pause_writing(self) -> None:
        """The transport holds enough."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """The transport has drained: the provider reads, so its time for the first byte starts again."""
        self._write_paused = False
        if self._outgoing is not None:
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

    def _fail(self, error: UpstreamError) -> None:
        """Closes the connection at once and ends the response in progress with `error`."""
        self.transport.abort()
        self._outgoing = None
        response, self._response = self._response, None
        if response is not None:
            response.end(error)
            self._wake()
            self._owner.released(self, reusable=False)

    def _lose(self) -> None:
        """The provider closed or reset the connection."""
        self._interrupt(f"the provider closed a {'kept-alive' if self._used else 'new'} connection")

    def _finish(self) -> None:
        """The response is complete: the connection is free before anyone reads the last byte."""
        response, self._response = self._response, None
        reusable = self._keep_alive and self._outgoing is None and not self._write_paused
        self._ended = False
        self._used = True
        if self._bodiless:
            self._new_parser()  # the old one still expects the body a HEAD response only announces
        if response is not None:
            response.end()
        self._wake()
        if not reusable:
            self._outgoing = None
            self.transport.abort()
        elif self._reading_paused:
            self.resume()
        self._owner.released(self, reusable=reusable)

    def rest(self, seconds: float) -> None:
        """Waits unused; closes itself after `seconds`."""
        self._deadline.arm(seconds)

    def _on_deadline(self) -> None:
        if self._response is None:
            self.transport.abort()
        elif self._response.status == 0:
            self._fail(FirstByteTimeout("no response head came in time"))
        else:
            self._fail(IdleTimeout("the body stalled"))

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop when the connection, TLS included, is up."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass

    def data_received(self, data: bytes) -> None:
        """Parses what came. Anything that comes while no response is expected ends the connection."""
        response = self._response
        if response is None:
            self.transport.abort()
            return
        self._silent += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self._ended:
                cause = error.__context__
                self._fail(cause if isinstance(cause, BadResponse) else BadResponse(f"not HTTP/1.1: {error}"))
                return
            self._keep_alive = False  # a complete response, and then bytes nobody asked for
        if self._ended:
            self._finish()
        elif response.buffered > _HIGH_WATER:
            self._pause()
        elif self._silent > _HEAD_LIMIT:
            self._fail(BadResponse("too many bytes that are neither a complete head nor body"))

    def _pause(self) -> None:
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Reads on, if reading was paused because nobody took the pieces."""
        if self._reading_paused and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()

    def eof_received(self) -> bool:
        """The provider closed its side: the end of a body without framing, an error inside anything else."""
        self._on_eof()
        return False

    def _on_eof(self) -> None:
        if self._response is not None and self._until_eof:
            self._finish()
        else:
            self._lose()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by either side's doing."""
        self._deadline.close()
        if self._response is not None:
            if exc is None:
                self._on_eof()
            else:
                self._lose()
        self._owner.lost(self)

    # What the parser says

    def on_message_begin(self) -> None:
        """A status line starts."""
        if self._ended:
            raise BadResponse("a second response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is complete, or a trailer, which nobody asked for."""
        if self._headers is None:
            return
        name = name.lower()
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise BadResponse("a transfer coding that was not asked for")
        self._headers.append((name, value.rstrip()))

    def on_headers_complete(self) -> None:
        """The head is complete: an interim one is forgotten, the final one wakes the caller."""
        status = self._parser.get_status_code()
        headers = self._headers
        response = self._response
        assert headers is not None
        assert response is not None
        if status < 200 or status > 599:
            if status < 100 or status == 101 or status > 599:
                raise BadResponse(f"status {status}")
            return
        if len(headers) > _HEADERS_LIMIT or (
            self._silent > _HEAD_LIMIT and sum(len(name) + len(value) for name, value in headers) > _HEAD_LIMIT
        ):
            raise BadResponse("the response head is too large")
        self._headers = None
        self._silent = 0
        response.headers = headers
        response.status = status
        self._keep_alive = self._parser.should_keep_alive()
        # Not kept alive may mean: nothing but the end of the connection ends the body.
        self._until_eof = not self._keep_alive and all(
            name not in (b"content-length", b"transfer-encoding") for name, _ in headers
        )
        if self._bodiless:
            self._ended = True
        if status >= 400 and self._outgoing is not None:
            self._outgoing = None  # an early refusal: the rest of the request is not wanted
            self._keep_alive = False
        self._wake()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        response = self._response
        assert response is not None
        if self._ended or response.status == 0:
            raise BadResponse("a body where none belongs")
        self._silent = 0
        response.put(body)
        if self._waiter is not None:
            self._wake()

    def on_message_complete(self) -> None:
        """The end of an interim response, or of the response."""
        response = self._response
        assert response is not None
        if response.status:
            self._ended = True
        else:
            self._headers = []
