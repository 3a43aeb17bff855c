"""The engine: one request to a provider and its answer back, recorded whatever happens.

A library with two hosts: the REST facade and the gRPC servicer of `ingate.proxy`. Knows no HTTP server, no
database and no feature.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from ingate import clock
from ingate.errors import BadRequest, DomainError, Forbidden, RateLimited
from ingate.formats import (
    ASKED,
    LARGE,
    Call,
    MalformedBody,
    read_call,
    reading_call,
    renaming,
    rewrite_model,
)
from ingate.limits.window import Decision, FixedWindows
from ingate.pacing import paced
from ingate.proxy import listing
from ingate.proxy.abandoned import Abandoned
from ingate.proxy.exchange import Attempt, Exchange
from ingate.proxy.grants import Grant, Grants
from ingate.proxy.masking import joined
from ingate.proxy.ports import (
    ClientGone,
    Headers,
    OutboundRequest,
    Sink,
    Spliced,
    StaleConnection,
    Transport,
    UpstreamError,
    UpstreamResponse,
)
from ingate.proxy.recorder import Recorder
from ingate.proxy.relay import Terms, failure, relay
from ingate.proxy.request_head import MAX_ATTRIBUTION, RequestHead, Route
from ingate.proxy.stream_usage import StreamUsage

STATUS = {
    "BAD_REQUEST": 400,
    "FORBIDDEN": 403,
    "REQUEST_TIMEOUT": 408,
    "PAYLOAD_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "PROVIDER_ERROR": 502,
    "UNAVAILABLE": 503,
    "PROVIDER_TIMEOUT": 504,
}
"""How a refusal is recorded; a host may answer it in other words."""
_NOT_READ = Call()


class Inbound(Struct):
    """A request as a host received it.

    `read` returns the body of an organisation's call, which nobody changes, or raises a DomainError, or ClientGone.
    `metered` tells that the rate window has counted the call already. Hosts let `request_target.check` see what they
    received before they make the head.
    """

    request_id: str
    head: RequestHead
    read: Callable[[str], Awaitable[bytes | bytearray]]
    metered: bool = False


class Engine:
    """Forwards requests. One for each process and event loop.

    `transports` has the network at False and the demo model at True.
    """

    def __init__(
        self,
        grants: Grants,
        windows: FixedWindows,
        recorder: Recorder,
        transports: dict[bool, Transport],
        abandoned: Abandoned,
        *,
        stream_usage: StreamUsage,
    ) -> None:
        self._grants = grants
        self._windows = windows
        self._recorder = recorder
        self._room = recorder.room
        self._transports = transports
        self._listings = listing.Listings(transports)
        self._terms = Terms(recorder.settle, recorder.capture, abandoned, recorder.answers)
        self._stream_usage = stream_usage
        self._idle: asyncio.Event | None = None  # once somebody waits for it
        self.in_flight = 0

    async def forward(self, request: Inbound, sink: Sink) -> None:
        """Answers one request into the sink.

        Raises the DomainError to answer instead while nothing has been sent. Every admitted request is recorded once;
        one that could not be is not admitted.
        """
        head = request.head
        grant = self._grants.known(head.digest) or await self._grants.grant(head.digest)
        now = clock.now()
        if not request.metered:
            self._meter(grant, now, sink)
        if self._room.pressed:
            await self._recorder.admit(self.in_flight)
        exchange = Exchange(request.request_id, grant, head, now)
        self.in_flight += 1
        try:
            await self._exchange(request, exchange, sink)
        except ClientGone:
            # Nobody is left to be told.
            exchange.client_gone = True
        except DomainError as error:
            exchange.status = STATUS.get(error.reason, 500)
            exchange.error_code = error.reason.lower()
            error.recorded = True
            raise
        except asyncio.CancelledError:
            if sink.gone:
                exchange.client_gone = True
            else:
                exchange.status = exchange.status or 503
                exchange.error_code = "unavailable"
            raise
        except BaseException:
            exchange.status = exchange.status or 500
            exchange.error_code = "internal"
            raise
        finally:
            try:
                await self._recorder.settle(exchange)
            finally:
                if exchange.read_on:
                    self._terms.abandoned.ended(exchange)
                self.in_flight -= 1
                if self._idle is not None and not self.in_flight:
                    self._idle.set()

    async def drained(self, seconds: float) -> bool:
        """Waits until no exchange is under way, for `seconds` at most; tells whether that is so."""
        if self.in_flight:
            self._idle = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)
        return not self.in_flight

    def _meter(self, grant: Grant, now: int, sink: Sink) -> None:
        decision = self._windows.take(grant.key_id, grant.rate_limit, now)
        sink.metered(decision)
        if not decision.allowed:
            raise rate_limited(decision)

    async def _exchange(self, request: Inbound, exchange: Exchange, sink: Sink) -> None:
        grant, head = exchange.grant, exchange.head
        if not grant.may_proxy:
            raise Forbidden("the key lacks the scope proxy", metadata={"scope": "proxy"})
        if head.too_long is not None:
            raise BadRequest.field(head.too_long, f"must have at most {MAX_ATTRIBUTION} characters")
        exchange.request_body = asked = await request.read(grant.org_id)
        if asked and head.bodiless:
            raise BadRequest.field("body", f"is not allowed with {head.method}")
        if listing.merges(head, grant.targets):
            exchange.mask = joined(target.mask for target in grant.targets)
            response, served_by = await self._listings.answer(grant, exchange.attempts)
            await relay(exchange, response, sink, self._terms, served_by)
            return
        small = bytes(asked) if len(asked) <= LARGE else None
        call = await _scanned(head, asked) if small is None else _call(head, small)
        exchange.model = call.model
        route = head.route(grant.targets, call.model)
        exchange.target, exchange.model, exchange.mask = route.plan.target, route.plan.model, route.mask
        body: bytes | bytearray | Spliced = asked
        name = route.plan.renamed
        if name is not None:
            body = await _spliced(asked, name) if small is None else _renamed(small, name)
        if call.stream and head.format in ASKED and self._stream_usage.asks(route):
            whole = bytes(body)
            if name is not None and small is None:
                call = await _scanned(head, whole)  # what was found in it has moved
            send = partial(self._attempt, exchange, route)
            response = await self._stream_usage.answer(exchange, route, call, whole, send)
            del whole
        else:
            response = await self._attempt(exchange, route, route.headers, body)
        del asked, small, body  # the record is made long before a slow caller has the answer
        await relay(exchange, response, sink, self._terms, route.served_by)

    async def _attempt(
        self, exchange: Exchange, route: Route, headers: Headers, body: bytes | bytearray | Spliced
    ) -> UpstreamResponse:
        """Sends a request and notes each try. Raises the DomainError to answer."""
        target = route.plan.target
        head = exchange.head
        outgoing = OutboundRequest(
            head.method, route.account, route.asks, headers, body, target.timeouts, head.also(route)
        )
        again = head.repeatable
        while True:
            sent = time.perf_counter()
            try:
                response = await self._transports[target.demo].send(outgoing)
            except UpstreamError as error:
                exchange.attempts.append(Attempt(target.name, time.perf_counter() - sent, error=error.code))
                if not (again and isinstance(error, StaleConnection)):
                    raise failure(error, target) from error
                again = False  # nothing of it was read: once more, on another connection
            else:
                exchange.attempts.append(Attempt(target.name, time.perf_counter() - sent, status=response.status))
                return response


def rate_limited(decision: Decision) -> RateLimited:
    """Returns the refusal of a full window."""
    return RateLimited(
        f"the key has used its {decision.limit} requests of this minute",
        retry_after=max(1.0, (decision.reset_us - clock.now()) / clock.SECOND),
    )


def _call(head: RequestHead, body: bytes) -> Call:
    if head.method != "POST" or head.compressed:
        return _NOT_READ
    try:
        return read_call(head.format, head.path, body)
    except MalformedBody as error:
        raise _unreadable(error) from None


async def _scanned(head: RequestHead, body: bytes | bytearray) -> Call:
    """Returns what a large request asks for, read while others have their turn."""
    if head.method != "POST" or head.compressed:
        return _NOT_READ
    try:
        return await paced(reading_call(head.format, head.path, body))
    except MalformedBody as error:
        raise _unreadable(error) from None


def _renamed(body: bytes, model: str) -> bytes:
    try:
        return rewrite_model(body, model)
    except MalformedBody as error:
        raise _unreadable(error) from None


async def _spliced(body: bytes | bytearray, model: str) -> Spliced:
    """Returns a large request with another model, made while others have their turn."""
    try:
        return Spliced(await paced(renaming(body, model)))
    except MalformedBody as error:
        raise _unreadable(error) from None


def _unreadable(error: MalformedBody) -> BadRequest:
    return BadRequest(str(error), fields={"body": str(error)})
