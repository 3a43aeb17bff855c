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

from gen.ingate.providers.v1.route_pb2 import Route as Provider
from ingate import clock
from ingate.errors import BadRequest, DomainError, Forbidden, RateLimited
from ingate.formats import ASKED, Body
from ingate.limits.window import Decision, FixedWindows
from ingate.proxy import models, uploads
from ingate.proxy.abandoned import Abandoned
from ingate.proxy.asked_call import asked_call, unprefixed, with_usage
from ingate.proxy.exchange import Attempt, Exchange
from ingate.proxy.grants import Grant, Grants
from ingate.proxy.masking import joined
from ingate.proxy.ports import (
    ClientGone,
    Headers,
    OutboundRequest,
    Sink,
    StaleConnection,
    Transport,
    UpstreamError,
    UpstreamResponse,
)
from ingate.proxy.recorder import Recorder
from ingate.proxy.relay import Terms, failure, relay
from ingate.proxy.request_head import MAX_ATTRIBUTION, RequestHead, Route
from ingate.proxy.stream_usage import StreamUsage
from ingate.proxy.target import Target
from ingate.proxy.uploads import Uploads

STATUS = {
    "BAD_REQUEST": 400,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "REQUEST_TIMEOUT": 408,
    "PAYLOAD_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "PROVIDER_ERROR": 502,
    "UNAVAILABLE": 503,
    "PROVIDER_TIMEOUT": 504,
}
"""How a refusal is recorded; a host may answer it in other words."""


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

    `transports` has the network at False and the demo model at True. `uploads` are those that keys have begun here.
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
        self._models = models.Models(transports)
        self._terms = Terms(recorder.settle, recorder.capture, abandoned, recorder.answers)
        self._stream_usage = stream_usage
        self._idle: asyncio.Event | None = None  # once somebody waits for it
        self.uploads = Uploads()
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
            exchange.error_message = error.message
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
        targets = grant.targets if head.only is None else self._only(head.only, grant, head)
        exchange.request_body = body = await request.read(grant.org_id)
        if body and head.bodiless:
            raise BadRequest.field("body", f"is not allowed with {head.method}")
        asked = models.asked(head, targets)
        if asked is not None and await self._listed(asked, exchange, sink):
            return
        call = await asked_call(head, body)
        if head.method == "POST":
            exchange.model = call.model
        route = head.route(targets, call.model)
        exchange.target, exchange.mask = route.plan.target, route.mask
        sent: Body = body
        if route.plan.prefixed:
            exchange.model = exchange.model and route.plan.model
            sent = await unprefixed(head, body, route.plan)
        if call.stream and head.format in ASKED and self._stream_usage.asks(route):
            asking = await with_usage(head, body, call, route.plan)
            send = partial(self._attempt, exchange, route)
            response = await self._stream_usage.answer(exchange, route, asking, sent, send)
            del asking
        else:
            response = await self._attempt(exchange, route, route.headers, sent)
        if head.begins and (url := response.named.get(uploads.URL)) is not None:
            self.uploads.begin(url, head.digest, route.plan.target.name)
        del body, sent  # the record is made long before a slow caller has the answer
        await relay(exchange, response, sink, self._terms, route.served_by)

    def _only(self, provider: Provider, grant: Grant, head: RequestHead) -> tuple[Target, ...]:
        """Returns the target of the one provider that may answer. Raises Forbidden for what it needs and is missing."""
        if head.lacks is not None:
            raise Forbidden(head.lacks)
        return self._grants.only(provider, grant)

    async def _listed(self, asked: models.Asked, exchange: Exchange, sink: Sink) -> bool:
        """Answers a request for models; tells whether it was the gateway's to answer."""
        exchange.mask = joined(target.mask for target in exchange.grant.targets)
        answer = await self._models.answer(asked, exchange.grant, exchange.attempts)
        if answer is None:
            return False
        exchange.target = answer.target
        await relay(exchange, answer.response, sink, self._terms, answer.served_by)
        return True

    async def _attempt(self, exchange: Exchange, route: Route, headers: Headers, body: Body) -> UpstreamResponse:
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
