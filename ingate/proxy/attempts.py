"""Which providers are tried, one after another, until one answers. Each try starts from the request as it came."""

import time
from collections.abc import Callable, Iterable

from msgspec import Struct

from ingate.errors import Unavailable
from ingate.formats import ASKED, Body, Call, Whole
from ingate.proxy.answer import Answer, opened
from ingate.proxy.asked_call import unprefixed, with_usage
from ingate.proxy.open_exchange import Attempt, OpenExchange
from ingate.proxy.ports import Headers, OutboundRequest, StaleConnection, UpstreamError, UpstreamResponse
from ingate.proxy.relay import failure
from ingate.proxy.request_head import Candidate, RequestHead
from ingate.proxy.stream_usage import StreamUsage


class Original(Struct, frozen=True):
    """A request as its caller sent it, and what it asks for. Nobody changes it."""

    head: RequestHead
    body: Whole
    call: Call


Chooser = Callable[[tuple[Candidate, ...], Original], Iterable[Candidate]]
"""Returns candidates in the order in which they are to be tried for one request."""


class Attempts:
    """Tries candidates in the order of `choose`, or in their own, the best first."""

    def __init__(self, stream_usage: StreamUsage, choose: Chooser | None = None) -> None:
        self._stream_usage = stream_usage
        self._choose = choose

    async def answer(
        self,
        exchange: OpenExchange,
        original: Original,
        candidates: tuple[Candidate, ...],
        waiting: Callable[[], None],
    ) -> Answer:
        """Returns the first answer of a candidate, with its first byte. Raises the failure of the last candidate.

        `waiting` is called when an answer has begun whose body is still to come.
        """
        failed: UpstreamError | None = None
        chosen = candidates if self._choose is None else self._choose(candidates, original)
        for candidate in chosen:
            if candidate not in candidates:
                continue  # its policy has been replaced
            if failed is not None:
                exchange.forget_answer()
            exchange.target, exchange.mask = candidate.target, candidate.mask
            try:
                response = await self._tried(exchange, original, candidate)
                return await opened(exchange, response, candidate.served_by, waiting)
            except UpstreamError as error:
                failed = error
        if failed is None:
            raise Unavailable("none of the providers can be tried at the moment", retry_after=1.0)
        raise failure(failed, exchange.target) from failed

    async def _tried(self, exchange: OpenExchange, original: Original, candidate: Candidate) -> UpstreamResponse:
        """Sends a candidate the request as it needs it, and returns the response."""
        head, call, destination = original.head, original.call, candidate.destination
        exchange.model = call.model if head.method == "POST" else None
        body: Body = original.body
        if destination.prefixed:
            exchange.model = exchange.model and destination.model
            body = await unprefixed(head, original.body, destination)
        if not (call.stream and head.format in ASKED and self._stream_usage.asks(candidate)):
            return await self._sent(exchange, candidate, candidate.headers, body)
        asking = await with_usage(head, original.body, call, destination)

        async def send(headers: Headers, body: Body) -> UpstreamResponse:
            return await self._sent(exchange, candidate, headers, body)

        return await self._stream_usage.answer(exchange, candidate, asking, body, send)

    async def _sent(
        self, exchange: OpenExchange, candidate: Candidate, headers: Headers, body: Body
    ) -> UpstreamResponse:
        """Sends a request, once more where a kept connection had closed, and notes each attempt."""
        target, head = candidate.target, exchange.head
        request = OutboundRequest(
            head.method,
            candidate.account,
            candidate.asks,
            headers,
            body,
            target.timeouts,
            exchange.grant.key_id,
            head.also(candidate),
        )
        again = head.repeatable
        while True:
            sent = time.perf_counter()
            try:
                response = await target.transport.send(request)
            except UpstreamError as error:
                exchange.attempts.append(Attempt(target.name, time.perf_counter() - sent, error=error.code))
                if not (again and isinstance(error, StaleConnection)):
                    raise
                again = False  # nothing of it was read: once more, on another connection
            else:
                exchange.attempts.append(Attempt(target.name, time.perf_counter() - sent, status=response.status))
                return response
