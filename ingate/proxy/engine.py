"""The engine: one request to a provider and its answer back, recorded whatever happens.

A library with two hosts: the REST facade and the gRPC servicer of `ingate.proxy`. Knows no HTTP server, no
database and no feature.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from ingate import clock
from ingate.errors import BadRequest, DomainError, Forbidden, RateLimited
from ingate.limits.window import Decision
from ingate.proxy import uploads
from ingate.proxy.abandoned import Abandoned
from ingate.proxy.answer import Answer, Answerer
from ingate.proxy.asked_call import asked_call
from ingate.proxy.attempts import Attempts, Original
from ingate.proxy.grants import Grant, Grants
from ingate.proxy.models import Models
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.policies import Policies
from ingate.proxy.ports import ClientGone, Meter, Sink
from ingate.proxy.recorder import Recorder
from ingate.proxy.relay import Terms, relay
from ingate.proxy.request_head import MAX_ATTRIBUTION, RequestHead
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
    """Forwards requests. One for each process and event loop. `uploads` are those that keys have begun here."""

    def __init__(
        self,
        grants: Grants,
        policies: Policies,
        meter: Meter,
        recorder: Recorder,
        *,
        attempts: Attempts,
        abandoned: Abandoned,
    ) -> None:
        self._grants = grants
        self._policies = policies
        self._meter = meter
        self._recorder = recorder
        self._room = recorder.room
        self._answerers: tuple[Answerer, ...] = (Models(),)
        self._attempts = attempts
        self._terms = Terms(recorder.settle, recorder.capture, abandoned, recorder.answers)
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
            self._count(grant, now, sink)
        if self._room.pressed:
            await self._recorder.admit(self.in_flight)
        exchange = OpenExchange(request.request_id, grant, head, now)
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

    def _count(self, grant: Grant, now: int, sink: Sink) -> None:
        decision = self._meter.spend(grant.key_id, grant.rate_limit, grant.hourly_limit, now)
        if decision is None:
            return
        sink.metered(decision)
        if not decision.allowed:
            raise rate_limited(decision)

    async def _exchange(self, request: Inbound, exchange: OpenExchange, sink: Sink) -> None:
        """Takes a request through the stages: resolve, admit, answer or attempt, commit."""
        grant, head = exchange.grant, exchange.head
        _check(grant, head)
        targets = await self._resolved(exchange)
        exchange.request_body = body = await request.read(grant.org_id)
        if body and head.bodiless:
            raise BadRequest.field("body", f"is not allowed with {head.method}")
        answer = await self._answered(exchange)
        if answer is None:
            call = await asked_call(head, body)
            if head.method == "POST":
                exchange.model = call.model
            candidates = head.candidates(targets, call.model)
            waiting = partial(sink.attend, partial(self._terms.abandoned.grace, exchange))
            answer = await self._attempts.answer(exchange, Original(head, body, call), candidates, waiting)
            if head.begins and exchange.target is not None and (url := answer.response.named.get(uploads.URL)):
                self.uploads.begin(url, head.digest, exchange.target.name)
        del body  # the record is made long before a slow caller has the answer
        await relay(exchange, answer, sink, self._terms)

    async def _resolved(self, exchange: OpenExchange) -> tuple[Target, ...]:
        """Returns the providers among which a request chooses. Raises Forbidden, BadRequest and Unavailable."""
        head, org_id = exchange.head, exchange.grant.org_id
        if head.only is None:
            policy = self._policies.known(org_id) or await self._policies.policy(org_id)
            exchange.policy = policy
            return policy.targets
        if head.lacks is not None:
            raise Forbidden(head.lacks)
        return self._policies.fixed(head.only, org_id)

    async def _answered(self, exchange: OpenExchange) -> Answer | None:
        """Returns the gateway's own answer, None where a provider is to be asked."""
        for answerer in self._answerers:
            question = answerer.question(exchange)
            if question is not None and (answer := await answerer.answer(question, exchange)) is not None:
                return answer
        return None


def _check(grant: Grant, head: RequestHead) -> None:
    """Raises the refusal of a request for what its head says."""
    if not grant.may_proxy:
        raise Forbidden("the key lacks the scope proxy", metadata={"scope": "proxy"})
    if head.too_long is not None:
        raise BadRequest.field(head.too_long, f"must have at most {MAX_ATTRIBUTION} characters")


def rate_limited(decision: Decision) -> RateLimited:
    """Returns the refusal of a full window."""
    return RateLimited(
        f"the key has used its {decision.limit} requests of this {decision.word}",
        retry_after=max(1.0, (decision.reset_us - clock.now()) / clock.SECOND),
    )
