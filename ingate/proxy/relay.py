"""Sends an answer to its caller. From here on, no other provider can answer.

Bytes are sent as they come, and body stages see each piece. Knows no HTTP server.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from ingate.errors import DomainError, ProviderFailed, ProviderTimedOut, ProviderUnreached, RateLimited, Unavailable
from ingate.formats import Steps
from ingate.net.budget import BodyBudget
from ingate.pacing import paced
from ingate.proxy.abandoned import Abandoned
from ingate.proxy.answer import Answer, is_bodiless
from ingate.proxy.body_stages import BodyStage, Capture
from ingate.proxy.headers import inbound
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.ports import (
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

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every answer.

    `settle` records an exchange, and is called before the caller can have the whole answer. `capture` is the number of
    bytes of a stream that are kept for the record. `abandoned` is the policy for answers whose caller leaves. `answers`
    counts the bytes kept of answers under way.
    """

    settle: Callable[[OpenExchange], Awaitable[None]]
    capture: int
    abandoned: Abandoned
    answers: BodyBudget


async def relay(exchange: OpenExchange, answer: Answer, sink: Sink, terms: Terms) -> None:
    """Sends an answer to its caller. Failures from here on are reported inside the answer."""
    response = answer.response
    headers = inbound(response.headers, response.named) + answer.extra
    if answer.whole is not None:
        await _respond(exchange, sink, terms, headers, answer.whole)
        return
    length = response.length
    if response.status != 204 and is_bodiless(exchange, response):
        stated = response.named.get(b"content-length")
        if stated is not None:
            headers.append((b"content-length", stated))
    stages = (Capture(exchange, terms.capture, terms.answers),)
    try:
        # A stream has no length: if it breaks off, an error event is added to it.
        await _Pieces(exchange, response, sink, terms, stages).run(
            headers, answer.first, None if exchange.stream else length
        )
    finally:
        await response.aclose()


async def _respond(exchange: OpenExchange, sink: Sink, terms: Terms, headers: Headers, body: bytes) -> None:
    if sink.gone:
        exchange.client_gone = True
        return
    try:
        await terms.settle(exchange)
        await sink.respond(exchange.status, headers, body)
    except ClientGone:
        exchange.client_gone = True


class _Pieces:
    """An answer that is sent piece by piece, and shown to `stages`."""

    def __init__(
        self,
        exchange: OpenExchange,
        response: UpstreamResponse,
        sink: Sink,
        terms: Terms,
        stages: tuple[BodyStage, ...],
    ) -> None:
        self._exchange = exchange
        self._response = response
        self._sink = sink
        self._terms = terms
        self._stages = stages
        self._tail = b""
        self._late: list[tuple[BodyStage, Steps[None]]] = []  # what stages have still to do for a piece that was sent

    async def run(self, headers: Headers, chunk: bytes, left: int | None) -> None:
        """Sends the head and the body, which begins with `chunk` and has `left` bytes, None where that is unknown."""
        exchange, sink = self._exchange, self._sink
        if left is not None:
            headers = [*headers, (b"content-length", b"%d" % left)]
        try:
            try:
                await self._feed(chunk)
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
            # Only here, since the except clause would keep the frames that raised, and their buffers, alive.
            if exchange.client_gone:
                chunk = b""
                await self._abandoned()
        finally:
            self._finish()

    async def _completing(self) -> None:
        """Records the exchange before its last bytes are sent: this process may end right after them."""
        if self._sink.gone:
            raise ClientGone
        self._finish()
        await self._terms.settle(self._exchange)

    def _finish(self) -> None:
        for stage in self._stages:
            stage.finish()

    def accepts(self, size: int) -> bool:
        """Tells whether the caller and all stages can take a piece of a stream now."""
        if not self._sink.open:
            return False
        return all([stage.takes(size) for stage in self._stages])  # noqa: C419 -- a generator for each piece costs more

    def accept(self, piece: bytes) -> None:
        """Sends a piece of a stream in the call in which it arrives."""
        self._sink.push(piece)
        self._note_end(piece)
        for stage in self._stages:
            try:
                if (work := stage.feed(piece)) is not None:  # a stage that changes the body may have made it larger
                    self._late.append((stage, work))
            except Exception as error:  # noqa: BLE001 -- the caller has the piece, and must get the rest
                self._drop(stage, error)

    def _note_end(self, chunk: bytes) -> None:
        self._tail = chunk[-4:] if len(chunk) > 3 else (self._tail + chunk)[-4:]

    async def _next(self, receiver: Receiver | None = None) -> bytes:
        chunk = await self._response.read(receiver)
        if self._late:
            late, self._late = self._late, []
            for stage, work in late:
                await self._do(stage, work)
        if chunk:
            await self._feed(chunk)
        return chunk

    async def _feed(self, chunk: bytes) -> None:
        for stage in self._stages:
            try:
                work = stage.feed(chunk)
            except Exception as error:  # noqa: BLE001 -- see above
                self._drop(stage, error)
            else:
                if work is not None:
                    await self._do(stage, work)

    async def _do(self, stage: BodyStage, work: Steps[None]) -> None:
        try:
            await paced(work)
        except Exception as error:  # noqa: BLE001 -- see above
            self._drop(stage, error)

    def _drop(self, stage: BodyStage, error: Exception) -> None:
        """Removes a stage that failed. The record is marked as truncated."""
        self._exchange.truncated = True
        self._stages = tuple(other for other in self._stages if other is not stage)
        # The message is left out: it may quote the body.
        _log.error("body_stage_failed", stage=type(stage).__name__, error=type(error).__name__)

    async def _abandoned(self) -> None:
        """Reads the rest for its usage, up to the bytes of the policy. The host watches the time."""
        left = self._terms.abandoned.bytes
        # If the provider fails too, the record has what came until then.
        with contextlib.suppress(UpstreamError):
            while left > 0 and (chunk := await self._next()):
                left -= len(chunk)

    async def _broken(self, error: UpstreamError) -> None:
        """Tells a caller who has part of the answer that it breaks off."""
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
    """Returns the domain error for a request that a transport could not make, or that failed below HTTP."""
    if isinstance(error, ShareUsedUp):
        return RateLimited(str(error), retry_after=1.0)
    if isinstance(error, NoRoom):
        return Unavailable(str(error), retry_after=1.0)
    provider = "the provider" if target is None else f"the provider {target.name}"
    if error.timeout:
        return ProviderTimedOut(f"{provider} did not answer in time")
    failed = ProviderUnreached if error.nothing_sent else ProviderFailed
    return failed(f"{provider} failed: {error}" if str(error) else f"{provider} failed")
