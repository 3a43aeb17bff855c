"""aiohttp's part of a connection: the requests that dialects claim.

The connection hands it one message at a time, byte by byte as it was sent, and hears when the answer is written. It
builds on the message queue of aiohttp's `RequestHandler` for bodies that break off, which the tests pin down.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web_protocol import RequestHandler, RequestPayloadError

from ingate.rpc.status import Failure
from rest_facade import failures
from rest_facade.http1.chunks import BadChunk, ChunkDecoder
from rest_facade.http1.head import not_http

_LINGER = 2.0
_NEVER = 1_000_000.0

_log = structlog.get_logger(__name__)

Refuse = Callable[[web.BaseRequest, Failure], web.Response]


class Answered(Protocol):
    """Hears that an answer is written to its end."""

    def __call__(self, *, keep_alive: bool) -> None:
        """`keep_alive`: whether the connection takes another request."""


class Claimed(RequestHandler):
    """Reads and answers the claimed requests of one connection, with the handler of its server.

    `limit` bounds lines, in bytes: the connection has refused what is larger.
    """

    __slots__ = ("_answered", "_chunks", "_left", "_refuse", "_request", "_written")

    def __init__(self, server: "ClaimedServer", limit: int, refuse: Refuse) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_NEVER,  # the connection sees to that
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to say none
            max_line_size=limit,
            max_field_size=limit,
            lingering_time=_LINGER,
            # No route of ours takes compressed bodies.
            auto_decompress=False,
        )
        self._refuse = refuse
        self._left = 0  # of a body whose length was stated
        self._chunks: ChunkDecoder | None = None  # of another one, until it ends
        self._written = False
        self._request: web.BaseRequest | None = None

    def attach(self, transport: asyncio.BaseTransport, answered: Answered) -> None:
        """Begins to wait for requests that come in on a transport."""
        self._answered = answered
        self.connection_made(transport)

    def begin(self, data: bytes, head: int, length: int, *, chunked: bool) -> bytes:
        """Takes a message whose head has `head` bytes, and what is there of its body; returns what follows it."""
        self._written = False
        self._left = length
        self._chunks = ChunkDecoder() if chunked else None
        self.data_received(data[:head])
        return self.feed(data[head:])

    def feed(self, data: bytes) -> bytes:
        """Takes what belongs to the body and returns what follows it."""
        if self._chunks is not None:
            own, rest = self._chunked(self._chunks, data)
        else:
            own, rest = data[: self._left], data[self._left :]
            self._left -= len(own)
        if own:
            self.data_received(own)
        self._settle()
        return rest

    def _chunked(self, chunks: ChunkDecoder, data: bytes) -> tuple[bytes, bytes]:
        try:
            _, rest = chunks.feed(data)
        except BadChunk:
            # The handler may be waiting for the very body that is broken. It refuses, and the connection ends.
            payload = self._messages[-1][1] if self._messages else self._request.content if self._request else None
            if payload is not None and not payload.is_eof():
                payload.set_exception(RequestPayloadError())
            return b"", b""
        if rest is None:
            return data, b""
        self._chunks = None
        return data[: len(data) - len(rest)], rest

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Writes an answer and tells the connection, unless aiohttp is to close it."""
        finished = await super().finish_response(request, resp, start_time)
        self._request = None
        self._written = bool(resp.keep_alive)
        self._settle()
        return finished

    def _settle(self) -> None:
        """Both the message and the answer must have ended before the next may begin."""
        if self._written and not self._left and self._chunks is None:
            self._written = False
            self._answered(keep_alive=True)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 -- aiohttp's signature
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 -- may quote what the caller sent
    ) -> web.StreamResponse:
        """Answers what aiohttp takes for no request, and what a handler failed to answer."""
        if isinstance(exc, ConnectionError):
            raise exc
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun and cannot be replaced")
        failure = not_http().failure if isinstance(exc, BadHttpMessage) else failures.internal()
        _log.debug("request refused", reason=failure.reason, error=type(exc).__name__)
        response = self._refuse(request, failure)
        response.force_close()
        return response

    def log_exception(self, *_args: Any, **kwargs: Any) -> None:
        """Logs the type of what went wrong on the connection; its text may quote the caller."""
        _log.debug("connection failed", error=type(kwargs.get("exc_info")).__name__)


class ClaimedServer(web.Server):
    """The handler that the claimed requests of all connections go to."""

    def _make_request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        request = super()._make_request(message, payload, protocol, writer, task)
        protocol._request = request
        return request
