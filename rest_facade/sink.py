"""The caller's side of a proxied exchange: bytes out on an HTTP/1 connection, as they come.

Answers are written as bytes to the connection's transport: a proxied answer is the hot path, and its head is a handful
of bytes that need no response object. Knows no providers and no formats.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from ingate.clock import SECOND
from ingate.limits.window import Decision
from ingate.proxy.ports import BODILESS, Headers
from ingate.remembered import Remembered
from rest_facade.http1 import Connection, Head

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_COPIED = 64 * 1024
"""Bytes of the largest piece that is put together with its framing. A larger one is sent at once, as it is."""
_LAST_CHUNK = b"0\r\n\r\n"
_JOINED = 16 * 1024
"""Bytes of a body that is written in one piece with its head: a larger one takes longer to copy."""


class HttpSink:
    """The caller's side of an exchange on one HTTP/1 connection.

    `common` are the head lines that every answer carries, each ended by CRLF. `rate_lines` are those of the rate
    window, once it was asked. `keep_alive` tells whether the connection can take another request.
    """

    __slots__ = ("_bodiless", "_chunked", "_common", "_connection", "_head", "keep_alive", "rate_lines", "started")

    def __init__(self, connection: Connection, head: Head, common: bytes) -> None:
        self._connection = connection
        self._head = head
        self._common = common
        self._chunked = False
        self._bodiless = head.method == "HEAD"
        self.rate_lines = b""
        self.started = False
        self.keep_alive = head.keep_alive

    @property
    def gone(self) -> bool:
        """Whether the connection is closed or closing."""
        return self._connection.transport.is_closing()

    def attend(self, grace: Callable[[], float]) -> None:
        """Has the connection ask when it is lost."""
        self._connection.grace = grace

    def metered(self, decision: Decision) -> None:
        """Notes the counters for the head."""
        self.rate_lines = b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %d\r\n" % (
            decision.limit,
            decision.remaining,
            decision.reset_us // SECOND,
        )

    async def start(self, status: int, headers: Headers) -> None:
        """Writes the head; the body's framing is chunked unless a content-length is among the headers."""
        self._bodiless = self._bodiless or status in BODILESS
        framing = b""
        if not self._bodiless and not any(name == b"content-length" for name, _ in headers):
            if self._head.version:
                self._chunked = True
                framing = b"transfer-encoding: chunked\r\n"
            else:
                self.keep_alive = False
        await self.send(self._lines(status, headers, framing))

    def write(self, chunk: bytes) -> Coroutine[Any, Any, None]:
        """Writes a piece of the body, behind the head."""
        self.push(chunk)
        return self._connection.send()

    @property
    def open(self) -> bool:
        """Whether the connection takes bytes at once."""
        connection = self._connection
        return not connection.writing_paused and not connection.transport.is_closing()

    def push(self, chunk: bytes) -> None:
        """Writes a piece of the body, behind the head, without waiting for anything."""
        transport = self._connection.transport
        if self._bodiless:
            return
        if not self._chunked:
            transport.write(chunk)
        elif len(chunk) <= _COPIED:
            transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        else:
            # It may wait for a caller who does not read: it is not to be there twice.
            transport.write(b"%x\r\n" % len(chunk))
            transport.flush()
            transport.write(chunk)
            transport.write(b"\r\n")

    async def end(self) -> None:
        """Ends the body."""
        if self._chunked:
            await self.send(_LAST_CHUNK)

    def respond(self, status: int, headers: Headers, body: bytes) -> Coroutine[Any, Any, None]:
        """Writes head and body at once."""
        framing = b"" if status in BODILESS else b"content-length: %d\r\n" % len(body)
        lines = self._lines(status, headers, framing)
        if self._bodiless:
            return self.send(lines)
        return self.send(lines + body) if len(body) <= _JOINED else self.send(lines, body)

    def abort(self) -> None:
        """Drops the connection, so that the caller sees the body is incomplete."""
        self.keep_alive = False
        transport = self._connection.transport
        transport.flush()
        transport.abort()

    def send(self, *pieces: bytes) -> Coroutine[Any, Any, None]:
        """Writes bytes as they are."""
        self.started = True
        return self._connection.send(*pieces)

    def _lines(self, status: int, headers: Headers, framing: bytes) -> bytes:
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, self._common]
        lines += map(_header_lines.__getitem__, headers)
        lines += (self.rate_lines, framing)
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        elif not self._head.version:
            lines.append(b"connection: keep-alive\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)


_header_lines: Remembered[tuple[bytes, bytes], bytes] = Remembered(
    lambda pair: b"%b: %b\r\n" % pair, lambda pair: len(pair[0]) + len(pair[1])
)
"""Header pairs as lines, remembered: most of them come with every answer of a provider."""
