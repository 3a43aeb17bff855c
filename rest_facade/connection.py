"""One HTTP connection, hardened: what aiohttp's own would answer in plain text, log with contents or wait for forever.

Requests that are not HTTP are refused in JSON by the `refuse` it is given; heads that are too large or too slow
too; a caller that does not read is dropped. Knows no routes and no dialects.

It builds on internals of aiohttp's `RequestHandler` (the message queue and its waiter), which the tests pin down.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from ingate.rpc.status import Failure
from rest_facade import failures

_LINGER = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a connection, in bytes and seconds.

    `target`: path and query. `head`: request line and headers. `head_time`: from the first byte of a head to its
    last. `idle`: between requests. `stall`: without progress while an answer waits to be read.
    """

    target: int = 16 * 1024
    head: int = 64 * 1024
    head_time: float = 20.0
    idle: float = 75.0
    stall: float = 120.0


class HeadTooLarge(Exception):
    """A head is larger than allowed."""


class HeadTooSlow(Exception):
    """A head did not arrive in time."""


Refuse = Callable[[web.BaseRequest, Failure], web.Response]


class Connection(RequestHandler):
    """The protocol of one connection."""

    __slots__ = (
        "_head_bytes",
        "_head_timer",
        "_limits",
        "_lingering",
        "_refuse",
        "_refused",
        "_stall_timer",
        "active",
        "on_lost",
    )

    def __init__(self, server: "Server", limits: Limits, refuse: Refuse) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.idle,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to say none
            max_line_size=limits.target,
            max_field_size=limits.head,
            lingering_time=_LINGER,
            # The proxy relays bodies as they are, and no route of ours takes compressed ones.
            auto_decompress=False,
        )
        self._limits = limits
        self._refuse = refuse
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._lingering: asyncio.Future[None] | None = None
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection is lost."""
        self.active: web.BaseRequest | None = None
        """The request taken off the queue last."""

    def data_received(self, data: bytes) -> None:
        """Parses what arrived, and bounds the size and time of heads."""
        if self._force_close or self._close or self._refused:
            return
        unfinished = self._head_bytes
        super().data_received(data)
        if unfinished + len(data) > self._limits.head:
            self._refuse_large_heads()
        waiter = self._waiter
        if (waiter is not None and not waiter.done()) or self._request_count == 0:
            # Some clients end a body with a line end too many: that is no head yet.
            self._head_bytes += len(data) if self._head_bytes else len(data.lstrip(b"\r\n"))
            if self._head_bytes > self._limits.head:
                self._inject(HeadTooLarge())
            elif self._head_timer is None and self._head_bytes:
                self._head_timer = self._loop.call_later(self._limits.head_time, self._head_late)
        elif self._head_timer is not None or self._head_bytes:
            self._cancel_head_timer()
        messages = self._messages
        if messages and isinstance(messages[-1][0], _ErrInfo):
            self._refused = True
            if len(messages) > 1:
                _fail_body(messages[-2][1])
            elif self.active is not None:
                _fail_body(self.active.content)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forgets the timers."""
        self._cancel_head_timer()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        self.active = None
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()
        self._release()

    def eof_received(self) -> None:
        """Notes that the caller has said everything."""
        self._release()

    def pause_writing(self) -> None:
        """Starts the clock for a caller that does not read."""
        super().pause_writing()
        self._stall_timer = self._loop.call_later(self._limits.stall, self._stalled)

    def resume_writing(self) -> None:
        """Stops that clock."""
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Writes an answer. After a refusal, waits for the caller to stop sending before the connection ends.

        Closing while data comes in would reset the connection and take the answer away from the caller.
        """
        finished = await super().finish_response(request, resp, start_time)
        transport = self.transport
        if self._refused and not self._messages and transport is not None and not transport.is_closing():
            transport.write_eof()
            self._lingering = self._loop.create_future()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LINGER):
                    await self._lingering
        return finished

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 -- aiohttp's signature
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 -- may quote what the caller sent
    ) -> web.StreamResponse:
        """Answers what never became a request, and what a handler failed to answer."""
        if isinstance(exc, ConnectionError):
            raise exc
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun and cannot be replaced")
        failure = self._failure(exc)
        _log.debug("connection refused", reason=failure.reason, error=type(exc).__name__)
        response = self._refuse(request, failure)
        response.force_close()
        return response

    def log_exception(self, *_args: Any, **kwargs: Any) -> None:
        """Logs the type of what went wrong on the connection; its text may quote the caller."""
        _log.debug("connection failed", error=type(kwargs.get("exc_info")).__name__)

    def _failure(self, exc: BaseException | None) -> Failure:
        if isinstance(exc, LineTooLong):
            # Both limits raise the same type; which one it was shows in the limit it names.
            in_headers = exc.args[1] == self._limits.head
            return failures.headers_too_large() if in_headers else failures.target_too_long()
        if isinstance(exc, HeadTooLarge) or (isinstance(exc, BadHttpMessage) and "Too many headers" in exc.message):
            return failures.headers_too_large()
        if isinstance(exc, HeadTooSlow):
            return failures.request_timeout()
        if isinstance(exc, BadHttpMessage):
            return failures.bad_request("the request is not valid HTTP/1.1")
        return failures.internal()

    def _refuse_large_heads(self) -> None:
        for index, (message, _payload) in enumerate(self._messages):
            if not isinstance(message, _ErrInfo):
                size = len(message.path) + sum(len(name) + len(value) + 4 for name, value in message.raw_headers)
                if size > self._limits.head:
                    self._messages[index] = (_refusal(HeadTooLarge()), EMPTY_PAYLOAD)

    def _inject(self, error: Exception) -> None:
        """Queues a refusal as if a broken request had arrived, and reads no more."""
        self._cancel_head_timer()
        self._request_count += 1
        self._messages.append((_refusal(error), EMPTY_PAYLOAD))
        self._refused = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _head_late(self) -> None:
        self._head_timer = None
        waiter = self._waiter
        if self._head_bytes and waiter is not None and not waiter.done():
            self._inject(HeadTooSlow())

    def _release(self) -> None:
        if self._lingering is not None and not self._lingering.done():
            self._lingering.set_result(None)

    def _stalled(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _cancel_head_timer(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class Server(web.Server):
    """Makes the connections of one listener."""

    def __init__(self, handler: Callable[[web.BaseRequest], Any], limits: Limits, refuse: Refuse) -> None:
        super().__init__(handler)
        self._limits = limits
        self._refuse = refuse

    def __call__(self) -> Connection:
        """Returns a new connection."""
        return Connection(self, self._limits, self._refuse)

    def _make_request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        request = super()._make_request(message, payload, protocol, writer, task)
        protocol.active = request
        return request


def _fail_body(body: StreamReader) -> None:
    # aiohttp queues the refusal behind a handler that may be waiting for the very body that is broken.
    if not body.is_eof():
        body.set_exception(RequestPayloadError())


def _refusal(error: Exception) -> _ErrInfo:
    return _ErrInfo(status=400, exc=error, message="")
