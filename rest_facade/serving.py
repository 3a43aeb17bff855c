"""One dialect at work: its routes compiled onto a channel, its requests answered.

Knows no listener and no other dialect.
"""

import contextlib
import re
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import structlog

from ingate import vendor_keys
from ingate.errors import DomainError, Unauthenticated
from ingate.ids import uuid7
from ingate.proxy.ports import ClientGone
from ingate.rpc.gateway_metadata import COUNTED, FOUND_MALFORMED, MALFORMED, SCOPES
from ingate.rpc.status import Failure
from rest_facade import failures, query
from rest_facade.answer_headers import Pairs
from rest_facade.answers import STREAM_HEADERS, failure_of, response, stream_lines
from rest_facade.asked import Asked
from rest_facade.bind import Binder
from rest_facade.call import Metadata, resolve
from rest_facade.dialects.base import Answer, Dialect
from rest_facade.endpoints import Endpoint, bind_path, bind_request, compile_endpoint, resource
from rest_facade.events import RESUME
from rest_facade.failures import Refused
from rest_facade.http1 import Body, Connection, Head
from rest_facade.message_json import Wire
from rest_facade.query import BadQuery
from rest_facade.request import MAX_BODY, PATIENCE, Request
from rest_facade.router import BadPath, Match, MethodNotAllowed, Router
from rest_facade.routes import Parameter, Route, segments
from rest_facade.sink import HttpSink
from rest_facade.streaming import Streaming
from rest_facade.style import wire_path

_log = structlog.get_logger(__name__)

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


class Told(Exception):
    """A request was refused for an error after the core has spoken: `trailing` is the metadata with which it did."""

    def __init__(self, error: Exception, trailing: Any) -> None:
        super().__init__()
        self.error = error
        self.trailing = trailing


@dataclass(frozen=True, slots=True)
class _Begun:
    """An answer that goes on, whose rpc has accepted the request."""

    streaming: Streaming
    route: Route


class Serving:
    """Answers the requests of a dialect's routes.

    Raises `RouteConflict` for routes that overlap, ValueError for one that names no rpc, misses its message's
    fields or is not claimed.
    """

    patient = False  # anybody is asked for the rest of a request

    def __init__(self, dialect: Dialect, channel: grpc.aio.Channel, calls: Calls) -> None:
        self.dialect = dialect
        self.router = Router(dialect.routes, head=dialect.head)
        self._calls = calls
        self._binder = Binder(dialect.style, strict=dialect.inputs.fields)
        self._token: Metadata = [("x-ingate-gateway", calls.gateway_token)] if calls.gateway_token else []
        self._endpoints: dict[int, Endpoint] = {}
        self._resources: dict[int, Route] = {}
        wire = Wire(dialect.style)
        for route in dialect.routes:
            if (found := resource(route, dialect.routes)) is not None:
                self._resources[id(route)] = found
            if not dialect.claims(_sample(route)):
                raise ValueError(f"{route.title} is not claimed by its dialect {dialect.name}")
            if route.raw is None:
                rpc = resolve(channel, route.rpc, calls.timeout)
                self._endpoints[id(route)] = compile_endpoint(
                    route, rpc, dialect, self._binder, wire, max_body=calls.max_body
                )

    async def answer(self, connection: Connection, head: Head, body: Body) -> bool:
        """Answers a request; tells whether the connection may take another one."""
        started = time.perf_counter()
        request = Request(connection, head, body, uuid7())
        keep_alive = False
        with contextlib.suppress(ClientGone, ConnectionError):
            said, more = await self._say(request)
            if isinstance(said, _Begun):
                status, keep_alive = 200, await self._tell(said, more, connection, head, request.asked)
            else:
                answer = response(self.dialect, request.asked, said, more)
                if not body.complete or connection.draining:
                    answer.force_close()
                await answer.prepare(request)
                await answer.write_eof()
                status, keep_alive = answer.status, bool(answer.keep_alive)
            _log.debug(
                "answered",
                request_id=request.asked.request_id,
                dialect=self.dialect.name,
                method=head.method,
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 3),
            )
        return keep_alive

    async def _tell(self, begun: "_Begun", more: Pairs, connection: Connection, head: Head, asked: Asked) -> bool:
        """Writes an answer that goes on, to its end; tells whether the connection may take another request."""
        dialect, route = self.dialect, begun.route
        sink = HttpSink(connection, head, stream_lines(dialect, asked, more))

        def failed(error: Exception) -> bytes:
            return dialect.error(self._failure(error, asked.request_id, route), route, asked).body

        await begun.streaming.tell(connection, sink, failed)
        return sink.keep_alive

    async def _say(self, request: Request) -> tuple["Answer | _Begun", Pairs]:
        """Returns the answer to a request, and headers that the dialect's own win over. Raises `ClientGone` alone."""
        if request.method == "OPTIONS" and self.dialect.cors is not None:
            return Answer(204, b""), ()
        route: Route | None = None
        try:
            match = self._resolve(request.method, request.asked.path)
            if isinstance(match, Answer):
                return match, ()
            route = match.route
            if route.raw is not None:
                return await route.raw(request, match.values), ()
            return await self._transcode(match, request)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets an answer and the log the place
            return self._refuse(error, request, route)

    def _refuse(self, error: Exception, request: Request, route: Route | None) -> tuple[Answer, Pairs]:
        dialect = self.dialect
        trailing: Any = ()
        if isinstance(error, Told):
            trailing = error.trailing
            error = error.error
        elif isinstance(error, grpc.aio.AioRpcError):
            trailing = error.trailing_metadata()
        failure = self._failure(error, request.asked.request_id, route)
        rate = dialect.rate_headers([(str(key), value) for key, value in trailing or ()])
        return dialect.error(failure, route, request.asked), rate

    def _failure(self, error: Exception, request_id: str, route: Route | None) -> Failure:
        """Returns the failure that an error is, with its fields as the dialect calls them."""
        dialect = self.dialect
        failure = failure_of(error, request_id, route.title if route else dialect.name)
        if isinstance(error, grpc.aio.AioRpcError) and route is not None and failure.fields:
            failure = failures.renamed(failure, partial(wire_path, renames=route.renames, style=dialect.style))
        return failure

    def _resolve(self, verb: str, path: str) -> Match | Answer:
        """Returns what answers, or the answer to OPTIONS."""
        try:
            found = self.router.resolve(verb, path)
        except BadPath as error:
            raise Refused(failures.bad_request(str(error))) from None
        if isinstance(found, Match):
            return found
        if isinstance(found, MethodNotAllowed):
            if verb == "OPTIONS":
                return Answer(204, b"", (("Allow", ", ".join(found.allow)),))
            raise Refused(failures.method_not_allowed(found.allow))
        raise Refused(failures.route_not_found())

    async def _transcode(self, match: Match, request: Request) -> tuple["Answer | _Begun", Pairs]:
        dialect, route, asked = self.dialect, match.route, request.asked
        endpoint = self._endpoints[id(route)]
        credentials = dialect.credentials(asked)
        # Before anything is read: who may not call neither fills the memory nor learns what a request looks like.
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
            raise Told(missing, error.trailing_metadata()) from None
        if endpoint.rpc.stream is not None:
            answer = Answer(route.success, b"", STREAM_HEADERS)
        else:
            answer = Answer(route.success, endpoint.render(said, asked), content_type=dialect.content_type)
        return answer, dialect.rate_headers(trailing)

    async def _begin(self, endpoint: Endpoint, message: Any, metadata: Metadata) -> tuple["_Begun", Pairs]:
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
        return _Begun(streaming, endpoint.route), self.dialect.rate_headers(initial)

    async def _bound(self, endpoint: Endpoint, match: Match, request: Request) -> Any:
        """Returns the message of a request. Raises what is wrong with query or body."""
        dialect = self.dialect
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
        self, endpoint: Endpoint, match: Match, metadata: list[tuple[str, str | bytes]], error: DomainError | Refused
    ) -> Exception:
        """Returns why a request is refused that is malformed: its caller may not make it at all, or the error."""
        message = bind_path(endpoint, match.values)
        told = (MALFORMED, failures.of(error).reason)
        try:
            _, trailing = await endpoint.rpc.call(message, [*metadata, told])
        except grpc.aio.AioRpcError as refused:
            if failures.of(refused).reason != FOUND_MALFORMED:
                return refused
            trailing = tuple(refused.trailing_metadata() or ())
        return Told(await self._missing(match, metadata) or error, trailing)

    async def _missing(self, match: Match, metadata: list[tuple[str, str | bytes]]) -> Exception | None:
        """Returns the refusal of the rpc that gets what the path names, if that is not there for the caller."""
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
        """Returns the body if it says it is JSON, nothing if it does not and the dialect does not mind."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(failures.unsupported_media_type("compressed bodies are not accepted here"))
        stated = request.headers.get("Content-Type")
        if (
            stated is None
            or self.dialect.inputs.untyped
            or not route.body
            or _JSON_TYPE.fullmatch(stated.partition(";")[0].strip())
        ):
            return body
        if self.dialect.inputs.media_type:
            raise Refused(failures.unsupported_media_type("the body must be sent as application/json"))
        return b""


async def _complete(said: Any, endpoint: Endpoint, message: Any, metadata: list[tuple[str, str | bytes]]) -> None:
    """Adds to the first page of a list all that come after it. They are of the same request, which counts once."""
    while said.next_cursor:
        message.cursor = said.next_cursor
        more, _ = await endpoint.rpc.call(message, [*metadata, (COUNTED, "1")])
        said.items.extend(more.items)
        said.next_cursor = more.next_cursor


def _sample(route: Route) -> str:
    parts = ["x" if isinstance(part, Parameter) else part for part in segments(route.template)]
    return "/" + "/".join(parts)
