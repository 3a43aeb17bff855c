"""From the provider to the caller: bytes as they come, kept for the record up to its limit.

Knows no HTTP server. Nothing is changed on the way, nothing is held back but the head of a stream until its
first byte, so that a provider that fails before it says anything is still answered as a failure.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ingate.errors import DomainError, ProviderFailed, ProviderTimedOut
from ingate.formats import ResponseReader
from ingate.pacing import paced
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


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every answer.

    `settle` records an exchange, and is called before the caller can have all of its answer. `capture` is how many
    bytes of a stream are kept for the record.
    """

    settle: Callable[[Exchange], Awaitable[None]]
    capture: int
    disconnect: Disconnect


async def relay(exchange: Exchange, response: UpstreamResponse, sink: Sink, terms: Terms, extra: Headers) -> None:
    """Relays a whole answer, with `extra` headers. Raises what failed before anything was sent."""
    named = dict(response.headers)
    exchange.media_type = media_type = named.get(b"content-type", b"").decode("latin-1")
    stated = named.get(b"content-length")
    length = None if stated is None else int(stated)
    exchange.status = response.status
    exchange.response_headers = response.headers
    if encoding := named.get(b"content-encoding"):
        exchange.response_encoding = encoding.decode("latin-1")
    exchange.stream = media_type.startswith(STREAM_TYPES)
    bodiless = exchange.head.method == "HEAD" or response.status in BODILESS
    whole = length is not None and length <= WHOLE_LIMIT and not (exchange.stream or bodiless)
    headers = inbound(response.headers) + extra
    body = response.take() if whole else None
    if body is not None:
        if body:
            exchange.first_byte = time.perf_counter()
            exchange.response_body.append(body)
        await _respond(exchange, sink, terms, headers, body)
        return
    try:
        if whole:
            await _respond(exchange, sink, terms, headers, await _gathered(exchange, response))
        else:
            await _Pieces(exchange, response, sink, terms).run(headers, length, bodiless=bodiless)
    finally:
        await response.aclose()


async def _gathered(exchange: Exchange, response: UpstreamResponse) -> bytes:
    """Returns a whole body that is still to come, keeping for the record what of it does."""
    pieces = exchange.response_body
    try:
        while chunk := await response.read():
            if not pieces:
                exchange.first_byte = time.perf_counter()
            pieces.append(chunk)
    except UpstreamError as error:
        raise failure(error) from error
    return b"".join(pieces)


async def _respond(exchange: Exchange, sink: Sink, terms: Terms, headers: Headers, body: bytes) -> None:
    if sink.gone:
        exchange.client_gone = True
        return
    try:
        await terms.settle(exchange)
        await sink.respond(exchange.status, headers, body)
    except ClientGone:
        exchange.client_gone = True


class _Pieces:
    """An answer that is handed on as it comes."""

    def __init__(self, exchange: Exchange, response: UpstreamResponse, sink: Sink, terms: Terms) -> None:
        self._exchange = exchange
        self._response = response
        self._sink = sink
        self._terms = terms
        self._room = terms.capture
        self._tail = b""
        self._reader: ResponseReader | None = None  # once more has come than is kept

    async def run(self, headers: Headers, length: int | None, *, bodiless: bool) -> None:
        """Relays head and body; the length is what the provider announced."""
        exchange, sink = self._exchange, self._sink
        # A stream goes without: where it breaks, an event more than was announced says so.
        left = None if self._response.status == 204 or (exchange.stream and not bodiless) else length
        if left is not None:
            headers = [*headers, (b"content-length", b"%d" % left)]
        try:
            try:
                chunk = await self._next()
            except UpstreamError as error:
                raise failure(error) from error
            try:
                await sink.start(self._response.status, headers)
                while chunk:
                    if left is not None:
                        left -= len(chunk)
                        if left <= 0:
                            await self._completing()
                    await sink.write(chunk)
                    self._tail = chunk[-4:] if len(chunk) > 3 else (self._tail + chunk)[-4:]
                    chunk = await self._next()
                await self._completing()
                await sink.end()
            except ClientGone:
                exchange.client_gone = True
                await self._abandoned()
            except UpstreamError as error:
                await self._broken(error)
        finally:
            self._leave()

    async def _completing(self) -> None:
        """Records the exchange: what follows is the last that the caller waits for, and may outlive this process."""
        if self._sink.gone:
            raise ClientGone
        self._leave()
        await self._terms.settle(self._exchange)

    def _leave(self) -> None:
        """Leaves the end of the reading to who records."""
        self._exchange.response_reader = self._reader

    async def _next(self) -> bytes:
        chunk = await self._response.read()
        if chunk:
            exchange = self._exchange
            if exchange.first_byte is None:
                exchange.first_byte = time.perf_counter()
            if self._room > 0:
                exchange.response_body.append(chunk)
                self._room -= len(chunk)
            else:
                await self._overflow(chunk)
        return chunk

    async def _overflow(self, chunk: bytes) -> None:
        """Reads what is not kept as it passes by, a piece at a time."""
        exchange, reader = self._exchange, self._reader
        if reader is None:
            exchange.truncated = True
            reader = ResponseReader(exchange.head.format, exchange.media_type, exchange.response_encoding)
            self._reader = reader
            for kept in exchange.response_body:
                if reader.gather(kept):
                    await paced(reader.reading())
        if reader.gather(chunk):
            await paced(reader.reading())

    async def _abandoned(self) -> None:
        """Reads on for the usage at the end, as far as the policy goes; its time is the engine's to watch."""
        policy = self._terms.disconnect
        if not policy.drain:
            return
        left = policy.bytes
        # A provider that gives up too leaves what was learned until then.
        with contextlib.suppress(UpstreamError):
            while left > 0 and (chunk := await self._next()):
                left -= len(chunk)

    async def _broken(self, error: UpstreamError) -> None:
        """Tells a caller who has part of the answer that there will be no more."""
        exchange = self._exchange
        format = exchange.head.format
        exchange.error_code = failure(error).reason.lower()
        whole = exchange.stream and not exchange.response_encoding and may_follow(self._tail, format)
        event = error_event(format, error.timeout) if whole else None
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
