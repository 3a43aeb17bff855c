"""From the provider to the caller: bytes as they come, kept for the record up to its limit.

Knows no HTTP server. Nothing is changed on the way, nothing is held back but the head of a stream until its
first byte, so that a provider that fails before it says anything is still answered as a failure.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from ingate.errors import DomainError, ProviderFailed, ProviderTimedOut, RateLimited, Unavailable
from ingate.formats import ResponseReader
from ingate.net.budget import BodyBudget
from ingate.pacing import paced
from ingate.proxy.abandoned import Abandoned
from ingate.proxy.exchange import Exchange
from ingate.proxy.headers import inbound
from ingate.proxy.ports import (
    BODILESS,
    BadResponse,
    ClientGone,
    Headers,
    NoRoom,
    Receiver,
    ShareUsedUp,
    Sink,
    UpstreamError,
    UpstreamResponse,
)
from ingate.proxy.stream_errors import error_event, may_follow
from ingate.proxy.target import Target
from ingate.remembered import Remembered

WHOLE_LIMIT = 64 * 1024
"""Bytes of the longest answer that is waited for: a longer one goes to its caller as fast as that takes it."""
_UNCOUNTED = 16 * 1024
"""Bytes of an answer that are kept for the record in any case."""
_COUNTED = 64 * 1024
"""Bytes by which more of it is counted."""
_LOOSE = 256
STREAM_TYPES = (
    "text/event-stream",
    "application/x-ndjson",
    "application/stream+json",
    "application/json-seq",
    "application/vnd.amazon.eventstream",
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every answer.

    `settle` records an exchange, and is called before the caller can have all of its answer. `capture` is how many
    bytes of a stream are kept for the record. `abandoned` says what becomes of an answer whose caller leaves.
    `answers` counts what is kept of answers under way.
    """

    settle: Callable[[Exchange], Awaitable[None]]
    capture: int
    abandoned: Abandoned
    answers: BodyBudget


async def relay(exchange: Exchange, response: UpstreamResponse, sink: Sink, terms: Terms, extra: Headers) -> None:
    """Relays a whole answer, with `extra` headers. Raises what failed before anything was sent."""
    named = response.named
    exchange.media_type, exchange.stream = _media[named.get(b"content-type", b"")]
    exchange.status = response.status
    exchange.response_headers = response.headers
    if encoding := named.get(b"content-encoding"):
        exchange.response_encoding = encoding.decode("latin-1")
    bodiless = exchange.head.method == "HEAD" or response.status in BODILESS
    headers = inbound(response.headers, named) + extra
    body = None if exchange.stream or bodiless else response.take()
    if body is not None:
        if body:
            exchange.first_byte = time.perf_counter()
            exchange.response_body.append(body)
        await _respond(exchange, sink, terms, headers, body)
        return
    sink.attend(partial(terms.abandoned.grace, exchange))
    # What a header states is no measure: the length is that of the framing.
    length = response.length
    try:
        if length is not None and length <= WHOLE_LIMIT and not exchange.stream:
            await _respond(exchange, sink, terms, headers, await _gathered(exchange, response))
            return
        if bodiless and response.status != 204 and (stated := named.get(b"content-length")) is not None:
            headers.append((b"content-length", stated))
        # A stream goes without: where it breaks, an event more than was announced says so.
        await _Pieces(exchange, response, sink, terms).run(headers, None if exchange.stream else length)
    finally:
        await response.aclose()


def _kind(content_type: bytes) -> tuple[str, bool]:
    """Returns the media type of an answer, and whether it is a stream."""
    media_type = content_type.decode("latin-1")
    return media_type, media_type.lower().startswith(STREAM_TYPES)


_media = Remembered(_kind, len)


async def _gathered(exchange: Exchange, response: UpstreamResponse) -> bytes:
    """Returns a whole body that is still to come, keeping for the record what of it does."""
    pieces = exchange.response_body
    size = 0
    try:
        while chunk := await response.read():
            if not pieces:
                exchange.first_byte = time.perf_counter()
            pieces.append(chunk)
            size += len(chunk)
            if size > WHOLE_LIMIT:
                raise BadResponse("more came than was announced")
    except UpstreamError as error:
        raise failure(error, exchange.target) from error
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
        self._room = min(terms.capture, _UNCOUNTED)  # bytes that are to be kept yet, and that are counted
        self._beyond = terms.capture - self._room  # bytes that are to be kept yet, and are not counted
        self._loose = 0  # pieces at the end of what is kept that are kept one by one
        self._tail = b""
        self._late = b""  # a piece that was handed on, for which there is no room in what is kept
        self._reader: ResponseReader | None = None  # once more has come than is kept

    async def run(self, headers: Headers, left: int | None) -> None:
        """Relays head and body, which has `left` bytes if that is known."""
        exchange, sink = self._exchange, self._sink
        if left is not None:
            headers = [*headers, (b"content-length", b"%d" % left)]
        try:
            try:
                chunk = await self._next()
            except UpstreamError as error:
                raise failure(error, exchange.target) from error
            try:
                await sink.start(self._response.status, headers)
                receiver = self if left is None else None
                while chunk:
                    if left is not None:
                        left -= len(chunk)
                        if left <= 0:
                            await self._completing()
                    await sink.write(chunk)
                    self._note_end(chunk)
                    chunk = await self._next(receiver)
                await self._completing()
                await sink.end()
            except ClientGone:
                exchange.client_gone = True
            except UpstreamError as error:
                await self._broken(error)
                return
            # Out here nothing holds on to the frames in which the caller was found to be gone, and to what they wrote.
            if exchange.client_gone:
                chunk = b""
                await self._abandoned()
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

    def accepts(self, size: int) -> bool:
        """Tells whether the caller takes a piece of a stream now, and there is room to keep it."""
        return self._sink.open and (size <= self._room or self._count(size))

    def accept(self, piece: bytes) -> None:
        """Hands a piece of a stream on in the call in which it arrives."""
        self._sink.push(piece)
        self._note_end(piece)
        # A stage may let pass more than came.
        if len(piece) <= self._room or self._count(len(piece)):
            self._keep(self._exchange.response_body, piece)
        else:
            self._late = piece

    def _note_end(self, chunk: bytes) -> None:
        self._tail = chunk[-4:] if len(chunk) > 3 else (self._tail + chunk)[-4:]

    async def _next(self, receiver: Receiver | None = None) -> bytes:
        chunk = await self._response.read(receiver)
        if self._late:
            late, self._late = self._late, b""
            await self._overflow(late)
        if chunk:
            exchange = self._exchange
            if exchange.first_byte is None:
                exchange.first_byte = time.perf_counter()
            if len(chunk) <= self._room or self._count(len(chunk)):
                self._keep(exchange.response_body, chunk)
            else:
                await self._overflow(chunk)
        return chunk

    def _keep(self, kept: list[bytes], chunk: bytes) -> None:
        kept.append(chunk)
        self._room -= len(chunk)
        self._loose += 1
        if self._loose == _LOOSE:  # a body of tiny pieces is not to take many times its size
            kept[-_LOOSE:] = [b"".join(kept[-_LOOSE:])]
            self._loose = 0

    def _count(self, size: int) -> bool:
        """Makes room for a piece of the body; tells whether there is any. Without, the record has the beginning."""
        exchange = self._exchange
        if exchange.settled or self._room + self._beyond <= 0:
            return False
        if exchange.kept is None:
            exchange.kept = self._terms.answers.lease_for(exchange.grant.org_id)
        more = max(min(_COUNTED, self._beyond), size - self._room)
        try:
            exchange.kept.grow(more)
        except DomainError:
            self._room = self._beyond = 0
            return False
        self._room += more
        self._beyond -= more
        return True

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
        """Reads on for the usage at the end, as far as the policy goes; its time is the host's to watch."""
        left = self._terms.abandoned.bytes
        # A provider that gives up too leaves what was learned until then.
        with contextlib.suppress(UpstreamError):
            while left > 0 and (chunk := await self._next()):
                left -= len(chunk)

    async def _broken(self, error: UpstreamError) -> None:
        """Tells a caller who has part of the answer that there will be no more."""
        exchange = self._exchange
        format = exchange.head.format
        failed = failure(error, exchange.target)
        exchange.error_code, exchange.error_message = failed.reason.lower(), failed.message
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


def failure(error: UpstreamError, target: Target | None) -> DomainError:
    """Returns the domain error for a call that a transport could not make, or that failed below HTTP."""
    if isinstance(error, ShareUsedUp):
        return RateLimited(str(error), retry_after=1.0)
    if isinstance(error, NoRoom):
        return Unavailable(str(error), retry_after=1.0)
    provider = "the provider" if target is None else f"the provider {target.name}"
    if error.timeout:
        return ProviderTimedOut(f"{provider} did not answer in time")
    return ProviderFailed(f"{provider} failed: {error}" if str(error) else f"{provider} failed")
