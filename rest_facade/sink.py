"""The caller's side of a proxied exchange: bytes out on an HTTP/1 connection, as they come.

Answers are written to the transport directly: a proxied answer is the hot path, and its head is a handful of bytes
that need no response object. Knows aiohttp's connection, not providers or formats.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from aiohttp import HttpVersion10, web

from ingate.clock import SECOND
from ingate.limits.window import Decision
from ingate.proxy.ports import ClientGone, Headers
from rest_facade.connection import Connection

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = frozenset({204, 304})
_LAST_CHUNK = b"0\r\n\r\n"


class Written(web.StreamResponse):
    """Tells aiohttp that the answer is on the wire already, and whether the connection takes another request."""

    def __init__(self, *, keep_alive: bool) -> None:
        # Nothing else of a response is asked for once it is written, and making one costs more than writing it.
        self._keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Writes nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Writes nothing."""


class HttpSink:
    """The caller's side of an exchange on one HTTP/1 connection.

    `common` are the head lines that every answer carries, each ended by CRLF. `rate_headers` hold what the rate window
    said, for an error that is answered elsewhere. `keep_alive` tells whether the connection can take another request.
    """

    def __init__(self, request: web.BaseRequest, common: bytes) -> None:
        self._request = request
        self._common = common
        self._chunked = False
        self._bodiless = request.method == "HEAD"
        self.rate_headers: Headers = []
        self.started = False
        self.keep_alive = request.keep_alive

    def when_gone(self, callback: Callable[[], None] | None) -> None:
        """Leaves the callback with the connection, which calls it when it is lost."""
        connection = cast("Connection", self._request.protocol)
        connection.on_lost = callback
        if callback is not None and connection.transport is None:
            callback()

    def present(self) -> None:
        """Raises `ClientGone` when the connection is closed or closing."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ClientGone

    def metered(self, decision: Decision) -> None:
        """Notes the counters for the head."""
        self.rate_headers = [
            (b"x-ratelimit-limit", b"%d" % decision.limit),
            (b"x-ratelimit-remaining", b"%d" % decision.remaining),
            (b"x-ratelimit-reset", b"%d" % (decision.reset_us // SECOND)),
        ]

    def rate_pairs(self) -> tuple[tuple[str, str], ...]:
        """Returns the counters as text, for an answer made elsewhere."""
        return tuple((name.decode(), value.decode()) for name, value in self.rate_headers)

    async def start(self, status: int, headers: Headers) -> None:
        """Writes the head; the body's framing is chunked unless a content-length is among the headers."""
        self._bodiless = self._bodiless or status in _BODILESS
        sized = any(name == b"content-length" for name, _ in headers)
        if not sized and not self._bodiless:
            if self._request.version == HttpVersion10:
                self.keep_alive = False
            else:
                self._chunked = True
                headers = [*headers, (b"transfer-encoding", b"chunked")]
        await self._send(self._head(status, headers))

    async def write(self, chunk: bytes) -> None:
        """Writes a piece of the body."""
        if not self._bodiless:
            await self._send(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunked else chunk)

    async def end(self) -> None:
        """Ends the body."""
        if self._chunked:
            await self._send(_LAST_CHUNK)

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Writes head and body at once."""
        if status not in _BODILESS:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        await self._send(self._head(status, headers) + (b"" if self._bodiless else body))

    def abort(self) -> None:
        """Drops the connection, so that the caller sees the body is incomplete."""
        self.keep_alive = False
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    def _head(self, status: int, headers: Headers) -> bytes:
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\n".encode(), self._common]
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
        for name, value in self.rate_headers:
            lines += (name, b": ", value, b"\r\n")
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        elif self._request.version == HttpVersion10:
            lines.append(b"connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self.started = True
        return b"".join(lines)

    async def _send(self, data: bytes) -> None:
        protocol = self._request.protocol
        transport = protocol.transport
        if transport is None or transport.is_closing():
            raise ClientGone
        transport.write(data)
        if protocol.writing_paused:
            try:
                await self._request.writer.drain()
            except ConnectionError:
                raise ClientGone from None
