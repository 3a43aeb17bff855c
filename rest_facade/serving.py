"""Answers the requests of one dialect: finds the route, has it called, and writes the answer or the failure.

Knows no listener and no other dialect.
"""

import contextlib
import time
from functools import partial
from typing import Any

import grpc
import structlog

from ingate.ids import uuid7
from ingate.proxy.ports import ClientGone
from ingate.rpc.status import Failure
from rest_facade import failures
from rest_facade.answer_headers import Pairs
from rest_facade.answers import failure_of, response, stream_lines
from rest_facade.asked import Asked
from rest_facade.dialects.base import Answer, Dialect
from rest_facade.failures import Refused
from rest_facade.http1 import Body, Connection, Head
from rest_facade.request import Request
from rest_facade.router import BadPath, Match, MethodNotAllowed, Router
from rest_facade.routes import Parameter, Route, segments
from rest_facade.sink import HttpSink
from rest_facade.style import wire_path
from rest_facade.transcoder import Begun, Calls, RefusedAfterCall, Transcoder

_log = structlog.get_logger(__name__)


class Serving:
    """Answers the requests of a dialect's routes.

    Raises `RouteConflict` for routes that overlap, ValueError for one that names no rpc, misses its message's
    fields or is not claimed.
    """

    patient = False  # bodies are read for callers without a credential, too

    def __init__(self, dialect: Dialect, channel: grpc.aio.Channel, calls: Calls) -> None:
        self.dialect = dialect
        self.router = Router(dialect.routes, head=dialect.head)
        self._transcoder = Transcoder(dialect, channel, calls)
        for route in dialect.routes:
            if not dialect.claims(_sample(route)):
                raise ValueError(f"{route.title} is not claimed by its dialect {dialect.name}")

    async def answer(self, connection: Connection, head: Head, body: Body) -> bool:
        """Answers a request; tells whether the connection may take another one."""
        started = time.perf_counter()
        request = Request(connection, head, body, uuid7())
        keep_alive = False
        with contextlib.suppress(ClientGone, ConnectionError):
            answer, more = await self._answer(request)
            if isinstance(answer, Begun):
                status, keep_alive = 200, await self._stream(answer, more, connection, head, request.asked)
            else:
                written = response(self.dialect, request.asked, answer, more)
                if not body.complete or connection.draining:
                    written.force_close()
                await written.prepare(request)
                await written.write_eof()
                status, keep_alive = written.status, bool(written.keep_alive)
            _log.debug(
                "answered",
                request_id=request.asked.request_id,
                dialect=self.dialect.name,
                method=head.method,
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 3),
            )
        return keep_alive

    async def _stream(self, begun: Begun, more: Pairs, connection: Connection, head: Head, asked: Asked) -> bool:
        """Writes a stream to its end; tells whether the connection may take another request."""
        dialect, route = self.dialect, begun.route
        sink = HttpSink(connection, head, stream_lines(dialect, asked, more))

        def failed(error: Exception) -> bytes:
            return dialect.error(self._failure(error, asked.request_id, route), route, asked).body

        await begun.streaming.write(connection, sink, failed)
        return sink.keep_alive

    async def _answer(self, request: Request) -> tuple[Answer | Begun, Pairs]:
        """Returns the answer to a request, and headers to add where the dialect has none of their name.

        Raises nothing but `ClientGone`.
        """
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
            return await self._transcoder.answer(match, request)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets an answer and the log the place
            return self._refuse(error, request, route)

    def _refuse(self, error: Exception, request: Request, route: Route | None) -> tuple[Answer, Pairs]:
        dialect = self.dialect
        trailing: Any = ()
        if isinstance(error, RefusedAfterCall):
            trailing = error.trailing
            error = error.error
        elif isinstance(error, grpc.aio.AioRpcError):
            trailing = error.trailing_metadata()
        failure = self._failure(error, request.asked.request_id, route)
        rate = dialect.rate_headers([(str(key), value) for key, value in trailing or ()])
        return dialect.error(failure, route, request.asked), rate

    def _failure(self, error: Exception, request_id: str, route: Route | None) -> Failure:
        """Returns an error as a failure, with fields named as in the dialect."""
        dialect = self.dialect
        failure = failure_of(error, request_id, route.title if route else dialect.name)
        if isinstance(error, grpc.aio.AioRpcError) and route is not None and failure.fields:
            failure = failures.renamed(failure, partial(wire_path, renames=route.renames, style=dialect.style))
        return failure

    def _resolve(self, verb: str, path: str) -> Match | Answer:
        """Returns the route that a path and verb match, or the answer to OPTIONS. Raises Refused where none matches."""
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


def _sample(route: Route) -> str:
    parts = ["x" if isinstance(part, Parameter) else part for part in segments(route.template)]
    return "/" + "/".join(parts)
