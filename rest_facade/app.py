"""The facade: every HTTP request is answered by the dialect that claims its path, or by the proxy.

Takes a channel, dialects and a proxy handler, and learns of none where it leads. Knows no feature.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import unquote

import grpc
import structlog
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from ingate.errors import DomainError
from ingate.ids import uuid7
from ingate.net.outbox import Outbox
from ingate.proxy.ports import ClientGone, Headers
from ingate.rpc.status import Failure
from rest_facade import failures
from rest_facade.answers import failure_of, refuse, written
from rest_facade.dialects.base import Dialect
from rest_facade.failures import Refused
from rest_facade.http1 import Body, Claimed, ClaimedServer, Connection, Head, Heads, Limits, split_target
from rest_facade.middleware import REQUEST_ID, common_lines
from rest_facade.serving import Calls, Serving
from rest_facade.sink import HttpSink

_log = structlog.get_logger(__name__)

ProxyHandler = Callable[[str, Head, Body, HttpSink], Awaitable[None]]
"""Answers a request that no dialect claims, given its id. Raises only while nothing is sent."""
RefusalNote = Callable[[str, Headers, str], None]
"""Takes the reason, headers and address of a proxied request that was refused and is not on record."""

_CUT_SECONDS = 0.5
_COMMON = common_lines() + REQUEST_ID.encode() + b": "
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_CLOSE = b"Connection: close\r\n"


class Facade:
    """An HTTP server for some dialects and the proxy. One for each process and event loop.

    The first dialect speaks where no dialect is claimed: for requests that are not HTTP, for unknown paths when
    there is no proxy, for what the proxy refuses.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        dialects: Sequence[Dialect],
        proxy: ProxyHandler | None = None,
        *,
        calls: Calls | None = None,
        limits: Limits | None = None,
        refused: RefusalNote | None = None,
    ) -> None:
        self._refused = refused
        self.servings = tuple(Serving(dialect, channel, calls or Calls()) for dialect in dialects)
        self._claims = tuple((serving.dialect.claims, serving) for serving in self.servings)
        self._default = self.servings[0].dialect
        self._proxy = proxy or _nowhere
        self.limits = limits or Limits()
        self.heads = Heads(lambda path: self._serving(path) is not None, max_target=self.limits.target)
        self.outbox = Outbox()
        self._server: ClaimedServer | None = None
        self._listeners: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self.draining = False
        self.port = 0
        """The port bound last, 0 before `start`."""

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> int:
        """Listens, and returns the port that is bound: a free one for port 0. May be called for several addresses."""
        if self._server is None:
            self._server = ClaimedServer(self._handle)
        listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), host, port, reuse_port=reuse_port or None, backlog=1024
        )
        self._listeners.append(listener)
        self.port = int(listener.sockets[0].getsockname()[1])
        return self.port

    async def drain(self, grace: float) -> None:
        """Takes no more connections, lets requests finish for `grace` seconds, then closes what is left."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        for connection in tuple(self._connections):
            connection.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while self._connections:
                    self._empty.clear()
                    await self._empty.wait()
        # For answers to be written, and for what is cancelled to end.
        left = max(_CUT_SECONDS, deadline - loop.time())
        await asyncio.gather(*(connection.cut(left) for connection in tuple(self._connections)))

    # For connections

    def opened(self, connection: Connection) -> None:
        """Keeps a connection in mind."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Forgets it."""
        self._connections.discard(connection)
        if self.draining and not self._connections:
            self._empty.set()

    def claimed(self) -> Claimed:
        """Returns what answers the claimed requests of one connection."""
        assert self._server is not None
        return Claimed(self._server, self.limits.head, self._refuse)

    def refusal(self, failure: Failure) -> bytes:
        """Returns the answer to what is no request."""
        return self._written("GET", _NO_HEADERS, uuid7(), failure, more=_CLOSE)

    async def proxied(self, connection: Connection, head: Head, body: Body) -> bool:
        """Answers a request that no dialect claims; tells whether the connection may take another one."""
        request_id = uuid7()
        sink = HttpSink(connection, head, b"%b%b\r\n" % (_COMMON, request_id.encode()))
        try:
            await self._proxy(request_id, head, body, sink)
        except Exception as error:  # noqa: BLE001 -- every failure is answered, and logged where it is ours
            failure = failure_of(error, request_id, "proxy")
            if self._refused is not None and isinstance(error, DomainError) and not error.recorded:
                self._refused(failure.reason, head.headers, connection.address)
            if sink.started:
                sink.abort()
            else:
                await self._refuse_proxied(sink, head, body, request_id, failure)
        return sink.keep_alive

    async def _refuse_proxied(self, sink: HttpSink, head: Head, body: Body, request_id: str, failure: Failure) -> None:
        sink.keep_alive = sink.keep_alive and body.complete
        lines = sink.rate_lines if sink.keep_alive else sink.rate_lines + _CLOSE
        asked = CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        with contextlib.suppress(ClientGone):
            await sink.send(self._written(head.method, CIMultiDictProxy(asked), request_id, failure, more=lines))

    def _written(
        self, method: str, asked: CIMultiDictProxy[str], request_id: str, failure: Failure, *, more: bytes
    ) -> bytes:
        answer = self._default.error(failure, None, request_id)
        return written(self._default, method, asked, request_id, answer, more=more)

    # For aiohttp

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._answer(request)
        if self.draining:
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        request_id = uuid7()
        path, query = split_target(request.raw_path)
        serving = self._serving(path)
        assert serving is not None
        response = await serving.answer(request, request_id, path, query)
        took = round((time.perf_counter() - started) * 1000, 3)
        _log.debug(
            "answered",
            request_id=request_id,
            dialect=serving.dialect.name,
            method=request.method,
            status=response.status,
            ms=took,
        )
        return response

    def _refuse(self, request: web.BaseRequest, failure: Failure) -> web.Response:
        return refuse(self._default, request, uuid7(), failure)

    # For both

    def _serving(self, path: str) -> Serving | None:
        """Returns who answers a raw path, None for the proxy."""
        claimed = unquote(path) if "%" in path else path
        return next((serving for claims, serving in self._claims if claims(claimed)), None)


async def _nowhere(_request_id: str, _head: Head, _body: Body, _sink: HttpSink) -> None:
    """What answers unclaimed requests where there is no proxy."""
    raise Refused(failures.route_not_found())
