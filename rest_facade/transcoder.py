"""Turns requests into calls of rpcs, and their responses into answers.

Knows no connection, and nothing of how an answer is written.
"""

import re
from dataclasses import dataclass
from typing import Any

import grpc

from ingate import vendor_keys
from ingate.errors import DomainError, Unauthenticated
from ingate.rpc.gateway_metadata import COUNTED, FOUND_MALFORMED, MALFORMED, SCOPES
from rest_facade import failures, query
from rest_facade.answer_headers import Pairs
from rest_facade.answers import STREAM_HEADERS
from rest_facade.bind import Binder
from rest_facade.call import Metadata, resolve
from rest_facade.dialects.base import Answer, Dialect
from rest_facade.endpoints import Endpoint, bind_path, bind_request, compile_endpoint, resource
from rest_facade.events import RESUME
from rest_facade.failures import Refused
from rest_facade.message_json import Wire
from rest_facade.query import BadQuery
from rest_facade.request import MAX_BODY, PATIENCE, Request
from rest_facade.router import Match
from rest_facade.routes import Route
from rest_facade.streaming import Streaming

_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_JSON_TYPE = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Calls:
    """How requests become calls.

    Bodies are read up to `max_body` bytes, where a route does not say otherwise, and for `patience` seconds. A call
    gets `timeout` seconds and carries `gateway_token`, which proves to the core that a gateway asks.
    """

    max_body: int = MAX_BODY
    patience: float = PATIENCE
    timeout: float = 30.0
    gateway_token: str = ""


class RefusedAfterCall(Exception):
    """A request is refused for `error`, and the core was called: `trailing` is the trailing metadata of that call."""

    def __init__(self, error: Exception, trailing: Any) -> None:
        super().__init__()
        self.error = error
        self.trailing = trailing


@dataclass(frozen=True, slots=True)
class Begun:
    """A stream whose rpc has accepted the request."""

    streaming: Streaming
    route: Route


class Transcoder:
    """Calls the rpcs of a dialect's routes over a channel.

    Raises ValueError for a route that names no rpc or does not fit its messages.
    """

    def __init__(self, dialect: Dialect, channel: grpc.aio.Channel, calls: Calls) -> None:
        self._dialect = dialect
        self._calls = calls
        self._binder = Binder(dialect.style, strict=dialect.inputs.fields)
        self._token: Metadata = [("x-ingate-gateway", calls.gateway_token)] if calls.gateway_token else []
        self._endpoints: dict[int, Endpoint] = {}
        self._resources: dict[int, Route] = {}
        wire = Wire(dialect.style)
        for route in dialect.routes:
            if (found := resource(route, dialect.routes)) is not None:
                self._resources[id(route)] = found
            if route.raw is None:
                rpc = resolve(channel, route.rpc, calls.timeout)
                self._endpoints[id(route)] = compile_endpoint(
                    route, rpc, dialect, self._binder, wire, max_body=calls.max_body
                )

    async def answer(self, match: Match, request: Request) -> tuple[Answer | Begun, Pairs]:
        """Returns the answer to a request, or the stream that it has begun, and headers of its rate limit.

        Raises AioRpcError, RefusedAfterCall, Refused and DomainError for a request that is refused.
        """
        dialect, route, asked = self._dialect, match.route, request.asked
        endpoint = self._endpoints[id(route)]
        credentials = dialect.credentials(asked)
        # Before the body is read: a stranger must neither fill the memory nor learn which requests are valid.
        if not credentials and not endpoint.rpc.public:
            needed = "a session is required" if endpoint.rpc.person else "a credential is required"
            raise Unauthenticated(vendor_keys.advice(vendor_keys.shown(request.headers)) or needed)
        metadata = [
            *credentials,
            *self._token,
            ("x-ingate-address", asked.address),
            ("x-request-id", asked.request_id),
            *([(SCOPES, ",".join(route.scopes))] if route.scopes else ()),
        ]
        try:
            message = await self._bound(endpoint, match, request)
        except (DomainError, Refused) as error:
            if endpoint.rpc.public:
                raise
            raise await self._judged(endpoint, match, metadata, error) from None
        try:
            if endpoint.rpc.stream is not None and request.method != "HEAD":
                return await self._begin(endpoint, message, metadata)
            said, trailing = await endpoint.rpc.call(message, metadata)
            if route.whole:
                await _complete(said, endpoint, message, metadata)
        except grpc.aio.AioRpcError as error:
            missing = await self._missing(match, metadata) if error.code() is _INVALID else None
            if missing is None:
                raise
            raise RefusedAfterCall(missing, error.trailing_metadata()) from None
        if endpoint.rpc.stream is not None:
            answer = Answer(route.success, b"", STREAM_HEADERS)
        else:
            answer = Answer(route.success, endpoint.render(said, asked), content_type=dialect.content_type)
        return answer, dialect.rate_headers(trailing)

    async def _begin(self, endpoint: Endpoint, message: Any, metadata: Metadata) -> tuple[Begun, Pairs]:
        """Returns a stream that the rpc has accepted. Raises AioRpcError for one that it refuses."""
        rpc, events = endpoint.rpc, endpoint.route.events
        assert rpc.stream is not None
        assert events is not None
        assert endpoint.frame is not None
        streaming = Streaming(rpc.stream(message, metadata), endpoint.frame, events.heartbeat)
        try:
            initial = await streaming.begun()
        except BaseException:
            streaming.cancel()
            raise
        return Begun(streaming, endpoint.route), self._dialect.rate_headers(initial)

    async def _bound(self, endpoint: Endpoint, match: Match, request: Request) -> Any:
        """Returns the request message of query and body. Raises Refused and DomainError for what does not fit."""
        dialect = self._dialect
        try:
            pairs = query.parse(request.asked.query, strict=dialect.inputs.query)
        except BadQuery as error:
            raise Refused(failures.bad_request(str(error))) from None
        events = match.route.events
        if events is not None and events.resume and (last := request.headers.get(RESUME)):
            pairs = [*(pair for pair in pairs if pair[0] != events.resume), (events.resume, last)]
        body = await request.read(endpoint.max_body, self._calls.patience)
        if body:
            body = self._json(request, match.route, body)
        return bind_request(endpoint, dialect, self._binder, values=match.values, query=pairs, body=body)

    async def _judged(
        self, endpoint: Endpoint, match: Match, metadata: Metadata, error: DomainError | Refused
    ) -> Exception:
        """Returns why a malformed request is refused: its caller may not make it, or `error`."""
        message = bind_path(endpoint, match.values)
        told = (MALFORMED, failures.of(error).reason)
        try:
            _, trailing = await endpoint.rpc.call(message, [*metadata, told])
        except grpc.aio.AioRpcError as refused:
            if failures.of(refused).reason != FOUND_MALFORMED:
                return refused
            trailing = tuple(refused.trailing_metadata() or ())
        return RefusedAfterCall(await self._missing(match, metadata) or error, trailing)

    async def _missing(self, match: Match, metadata: Metadata) -> Exception | None:
        """Returns the NOT_FOUND of the rpc that gets the resource in the path, None where the caller can get that."""
        route = self._resources.get(id(match.route))
        if route is None:
            return None
        getter = self._endpoints[id(route)]
        try:
            await getter.rpc.call(bind_path(getter, match.values), [*metadata, (COUNTED, "1")])
        except grpc.aio.AioRpcError as refused:
            return refused if refused.code() is grpc.StatusCode.NOT_FOUND else None
        return None

    def _json(self, request: Request, route: Route, body: bytes) -> bytes:
        """Returns the body if its type is JSON or does not matter, nothing if the dialect ignores other types.

        Raises Refused where the dialect refuses them, and for compressed bodies.
        """
        if self._dialect.inputs.untyped:
            return body
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(failures.unsupported_media_type("compressed bodies are not accepted here"))
        stated = request.headers.get("Content-Type")
        if stated is None or not route.body or _JSON_TYPE.fullmatch(stated.partition(";")[0].strip()):
            return body
        if self._dialect.inputs.media_type:
            raise Refused(failures.unsupported_media_type("the body must be sent as application/json"))
        return b""


async def _complete(said: Any, endpoint: Endpoint, message: Any, metadata: Metadata) -> None:
    """Adds all following pages to the first page of a list. Only the first counts against the caller's rate limit."""
    while said.next_cursor:
        message.cursor = said.next_cursor
        more, _ = await endpoint.rpc.call(message, [*metadata, (COUNTED, "1")])
        said.items.extend(more.items)
        said.next_cursor = more.next_cursor
