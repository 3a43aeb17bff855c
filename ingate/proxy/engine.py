"""The engine: one request to a provider and its answer back, recorded whatever happens.

A library with two hosts: the REST facade and the gRPC servicer of `ingate.proxy`. Knows no HTTP server, no
database and no feature.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from ingate import clock
from ingate.errors import BadRequest, DomainError, Forbidden, RateLimited
from ingate.formats import Format, MalformedBody, RequestFacts, detect, read_request
from ingate.limits.window import Decision, FixedWindows
from ingate.proxy.exchange import Attempt, Exchange
from ingate.proxy.grants import Grant, Grants
from ingate.proxy.headers import outbound
from ingate.proxy.journal import Journal
from ingate.proxy.plan import Plan, plan
from ingate.proxy.ports import ClientGone, Headers, OutboundRequest, Sink, Transport, UpstreamError, UpstreamResponse
from ingate.proxy.presence import Presence
from ingate.proxy.relay import Disconnect, Relay, failure

MAX_ATTRIBUTION = 256
STATUS = {
    "BAD_REQUEST": 400,
    "FORBIDDEN": 403,
    "REQUEST_TIMEOUT": 408,
    "PAYLOAD_TOO_LARGE": 413,
    "PROVIDER_ERROR": 502,
    "UNAVAILABLE": 503,
    "PROVIDER_TIMEOUT": 504,
}
"""How a refusal is recorded; a host may answer it in other words."""

_ATTRIBUTES = {b"x-ingate-user-id": "user_id", b"x-ingate-session-id": "session_id"}


class Inbound(Struct):
    """A request as a host received it.

    `path` is the raw path, `query` what follows `?` (empty for none), `headers` have lower-case names, `credential` is
    the key's secret. `read` returns the body, or raises a DomainError, or ClientGone. `metered` tells that the rate
    window has counted the call already. Hosts let `request_target.check` see what they received first.
    """

    request_id: str
    method: str
    path: str
    query: str
    headers: Headers
    credential: str
    read: Callable[[], Awaitable[bytes]]
    metered: bool = False


class Engine:
    """Forwards requests. One for each process and event loop.

    `transports` has the network at False and the demo model at True. Bodies are recorded up to `capture` bytes.
    """

    def __init__(
        self,
        grants: Grants,
        windows: FixedWindows,
        journal: Journal,
        transports: dict[bool, Transport],
        *,
        capture: int,
        disconnect: Disconnect,
    ) -> None:
        self._grants = grants
        self._windows = windows
        self._journal = journal
        self._transports = transports
        self._capture = capture
        self._disconnect = disconnect
        self._idle = asyncio.Event()
        self._idle.set()
        self.in_flight = 0

    async def forward(self, request: Inbound, sink: Sink) -> None:
        """Answers one request into the sink.

        Raises the DomainError to answer instead while nothing has been sent. Every admitted request is recorded once.
        """
        grant = await self._grants.grant(request.credential)
        if not request.metered:
            self._meter(grant, sink)
        exchange = Exchange(request.request_id, grant, request.method, request.path, request.headers)
        self.in_flight += 1
        try:
            await self._exchange(request, exchange, sink)
        except ClientGone:
            # Nobody is left to be told.
            exchange.client_gone = True
        except DomainError as error:
            exchange.status = STATUS.get(error.reason, 500)
            exchange.error_code = error.reason.lower()
            raise
        except asyncio.CancelledError:
            exchange.status = exchange.status or 503
            exchange.error_code = "unavailable"
            raise
        except BaseException:
            exchange.status = exchange.status or 500
            exchange.error_code = "internal"
            raise
        finally:
            try:
                self._settle(exchange)
            finally:
                self.in_flight -= 1
                if not self.in_flight:
                    self._idle.set()

    async def drained(self, seconds: float) -> bool:
        """Waits until no exchange is under way, for `seconds` at most; tells whether that is so."""
        if self.in_flight:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)
        return not self.in_flight

    def _meter(self, grant: Grant, sink: Sink) -> None:
        decision = self._windows.take(grant.key_id, grant.rate_limit, clock.now())
        sink.metered(decision)
        if not decision.allowed:
            raise rate_limited(decision)

    async def _exchange(self, request: Inbound, exchange: Exchange, sink: Sink) -> None:
        grant = exchange.grant
        if not grant.may_proxy:
            raise Forbidden("the key lacks the scope proxy", metadata={"scope": "proxy"})
        named = _attribute(exchange, request.headers)
        exchange.request_body = body = await request.read()
        format = detect(request.path)
        exchange.request_facts = facts = _facts(format, request, body)
        exchange.model = facts.model
        chosen = plan(grant.targets, format, request.path, body, facts, headers=request.headers, named=named)
        exchange.target, exchange.model = chosen.target, chosen.model
        presence = Presence(sink, self._disconnect.grace)
        try:
            await self._answer(request, exchange, format, chosen, sink)
        except asyncio.CancelledError:
            if presence.swallow():
                raise ClientGone from None
            raise
        finally:
            presence.close()

    async def _answer(self, request: Inbound, exchange: Exchange, format: Format, chosen: Plan, sink: Sink) -> None:
        response = await self._attempt(request, exchange, chosen)
        relay = Relay(
            exchange,
            format,
            response,
            sink,
            capture=self._capture,
            disconnect=self._disconnect,
            settle=lambda: self._settle(exchange),
        )
        await relay.run([(b"x-ingate-served-by", chosen.target.name.encode())])

    async def _attempt(self, request: Inbound, exchange: Exchange, chosen: Plan) -> UpstreamResponse:
        target = chosen.target
        outgoing = OutboundRequest(
            request.method,
            target.origin,
            f"{chosen.path}?{request.query}" if request.query else chosen.path,
            outbound(request.headers, target),
            chosen.body,
            target.timeouts,
        )
        sent = time.perf_counter()
        try:
            response = await self._transports[target.demo].send(outgoing)
        except UpstreamError as error:
            code = _snake(type(error).__name__)
            exchange.attempts.append(Attempt(target.name, time.perf_counter() - sent, error=code))
            raise failure(error) from error
        exchange.attempts.append(Attempt(target.name, time.perf_counter() - sent, status=response.status))
        return response

    def _settle(self, exchange: Exchange) -> None:
        """Appends the record to the journal; the first call counts."""
        if exchange.settled:
            return
        exchange.settled = True
        record = exchange.record(self._capture)

        def light() -> bytes:
            record.ClearField("payload")
            return record.SerializeToString()

        self._journal.append(record.SerializeToString(), light)


def rate_limited(decision: Decision) -> RateLimited:
    """Returns the refusal of a full window."""
    return RateLimited(
        f"the key has used its {decision.limit} requests of this minute",
        retry_after=max(1.0, (decision.reset_us - clock.now()) / clock.SECOND),
    )


def _attribute(exchange: Exchange, headers: Headers) -> str | None:
    """Notes the end user and session that the caller names, and returns the provider it asks for."""
    named = None
    for name, value in headers:
        if not name.startswith(b"x-ingate-"):
            continue
        if name == b"x-ingate-provider":
            named = value.decode("latin-1").strip()
        elif attribute := _ATTRIBUTES.get(name):
            text = value.decode("utf-8", "replace").strip()
            if len(text) > MAX_ATTRIBUTION:
                raise BadRequest.field(name.decode().title(), f"must have at most {MAX_ATTRIBUTION} characters")
            setattr(exchange, attribute, text or None)
    return named


def _facts(format: Format, request: Inbound, body: bytes) -> RequestFacts:
    if request.method != "POST" or _compressed(request.headers):
        return RequestFacts(None, False, None)
    try:
        return read_request(format, request.path, body)
    except MalformedBody as error:
        raise BadRequest(str(error), fields={"body": str(error)}) from None


def _compressed(headers: Headers) -> bool:
    """Tells whether the body is for the provider alone to read."""
    return any(name == b"content-encoding" and value.lower() != b"identity" for name, value in headers)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
