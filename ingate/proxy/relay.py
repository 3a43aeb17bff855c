"""From the provider to the caller: bytes as they come, while a reader learns from them.

Knows no HTTP server. Nothing is changed on the way, nothing is held back but the head of a stream until its
first byte, so that a provider that fails before it says anything is still answered as a failure.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from ingate.errors import DomainError, ProviderFailed, ProviderTimedOut
from ingate.formats import Format, ResponseReader
from ingate.proxy.exchange import Exchange
from ingate.proxy.headers import inbound
from ingate.proxy.ports import ClientGone, Headers, Sink, UpstreamError, UpstreamResponse
from ingate.proxy.stream_errors import error_event, may_follow

WHOLE_LIMIT = 1024 * 1024
BODILESS = frozenset({204, 304})
STREAM_TYPES = ("text/event-stream", "application/x-ndjson", "application/stream+json", "application/json-seq")


@dataclass(frozen=True, slots=True)
class Disconnect:
    """What happens to an answer whose caller left: read on for usage, within seconds and bytes, or stop."""

    drain: bool
    seconds: float
    bytes: int

    @property
    def grace(self) -> float:
        """Seconds that an exchange may go on without its caller."""
        return self.seconds if self.drain else 0.0


class Relay:
    """One answer on its way. `settle` records the exchange, and is called before the caller can have all of it."""

    def __init__(
        self,
        exchange: Exchange,
        format: Format,
        response: UpstreamResponse,
        sink: Sink,
        *,
        capture: int,
        disconnect: Disconnect,
        settle: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self._settle = settle
        self._format = format
        self._response = response
        self._sink = sink
        self._room = capture
        self._tail = b""
        self._disconnect = disconnect
        content_type = content_encoding = ""
        self._length: int | None = None
        for name, value in response.headers:
            if name == b"content-type":
                content_type = value.decode("latin-1")
            elif name == b"content-encoding":
                content_encoding = value.decode("latin-1")
            elif name == b"content-length":
                self._length = int(value)
        self._streamed = content_type.startswith(STREAM_TYPES)
        self._bodiless = exchange.method == "HEAD" or response.status in BODILESS
        self._encoding = content_encoding
        self._reader = ResponseReader(format, content_type, content_encoding)

    async def run(self, extra: Headers) -> None:
        """Relays the whole answer, with `extra` headers. Raises what failed before anything was sent."""
        exchange, response = self._exchange, self._response
        exchange.status = response.status
        exchange.response_headers = response.headers
        exchange.response_encoding = self._encoding
        exchange.stream = self._streamed
        headers = inbound(response.headers) + extra
        try:
            if self._length is not None and self._length <= WHOLE_LIMIT and not (self._streamed or self._bodiless):
                await self._whole(headers)
            else:
                await self._pieces(headers)
        finally:
            await response.aclose()
            exchange.response_facts = self._reader.finish()

    async def _whole(self, headers: Headers) -> None:
        pieces = []
        try:
            while chunk := await self._next():
                pieces.append(chunk)
        except UpstreamError as error:
            raise failure(error) from error
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        try:
            self._completing()
            await self._sink.respond(self._response.status, headers, body)
        except ClientGone:
            self._exchange.client_gone = True

    async def _pieces(self, headers: Headers) -> None:
        try:
            chunk = await self._next()
        except UpstreamError as error:
            raise failure(error) from error
        # A stream goes without: where it breaks, an event more than was announced says so.
        sized = self._length is not None and self._response.status != 204 and (self._bodiless or not self._streamed)
        if sized:
            headers = [*headers, (b"content-length", str(self._length).encode())]
        try:
            await self._sink.start(self._response.status, headers)
            left = self._length if sized else None
            while chunk:
                if left is not None:
                    left -= len(chunk)
                    if left <= 0:
                        self._completing()
                await self._sink.write(chunk)
                self._tail = chunk[-4:] if len(chunk) > 3 else (self._tail + chunk)[-4:]
                chunk = await self._next()
            self._completing()
            await self._sink.end()
        except ClientGone:
            self._exchange.client_gone = True
            await self._abandoned()
        except UpstreamError as error:
            await self._broken(error)

    def _completing(self) -> None:
        """Records the exchange: what follows is the last that the caller waits for, and may outlive this process."""
        self._sink.present()
        self._exchange.response_facts = self._reader.finish()
        self._settle()

    async def _next(self) -> bytes:
        chunk = await self._response.read()
        if chunk:
            exchange = self._exchange
            if exchange.first_byte is None:
                exchange.first_byte = time.perf_counter()
            self._reader.feed(chunk)
            if self._room > 0:
                exchange.response_body.append(chunk)
                self._room -= len(chunk)
            else:
                exchange.truncated = True
        return chunk

    async def _abandoned(self) -> None:
        """Reads on for the usage at the end, as far as the policy goes; its time is the engine's to watch."""
        if not self._disconnect.drain:
            return
        left = self._disconnect.bytes
        # A provider that gives up too leaves what was learned until then.
        with contextlib.suppress(UpstreamError):
            while left > 0 and (chunk := await self._next()):
                left -= len(chunk)

    async def _broken(self, error: UpstreamError) -> None:
        """Tells a caller who has part of the answer that there will be no more."""
        exchange = self._exchange
        exchange.error_code = failure(error).reason.lower()
        whole = self._streamed and not self._encoding and may_follow(self._tail, self._format)
        event = error_event(self._format, error.timeout) if whole else None
        try:
            if event is not None:
                await self._sink.write(event)
                await self._sink.end()
            else:
                self._sink.abort()
        except ClientGone:
            exchange.client_gone = True


def failure(error: UpstreamError) -> DomainError:
    """Returns the domain error for a failure below HTTP."""
    if error.timeout:
        return ProviderTimedOut("the provider did not answer in time")
    return ProviderFailed(f"the provider failed: {error}" if str(error) else "the provider failed")
