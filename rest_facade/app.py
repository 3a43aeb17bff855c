"""The facade: every HTTP request is answered by the dialect that claims its path, or by the proxy.

Takes a channel, dialects and a proxy handler, and learns of none where it leads. Knows no feature.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import unquote

import grpc
import structlog
from aiohttp import web

from ingate.ids import uuid7
from ingate.rpc.status import Failure
from rest_facade import failures
from rest_facade.answers import failure_of, refuse
from rest_facade.connection import Limits, Server
from rest_facade.dialects.base import Dialect
from rest_facade.serving import Calls, Serving

_log = structlog.get_logger(__name__)

ProxyHandler = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]
"""Answers a request that no dialect claims, given its id. Raises only while nothing is sent."""

_CUT_SECONDS = 0.5
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


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
    ) -> None:
        self.servings = tuple(Serving(dialect, channel, calls or Calls()) for dialect in dialects)
        self._claims = tuple((serving.dialect.claims, serving) for serving in self.servings)
        self._default = self.servings[0].dialect
        self._proxy = proxy
        self._limits = limits or Limits()
        self._server: Server | None = None
        self._listeners: list[asyncio.Server] = []
        self._draining = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.port = 0
        """The port bound last, 0 before `start`."""

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> int:
        """Listens, and returns the port that is bound: a free one for port 0. May be called for several addresses."""
        if self._server is None:
            self._server = Server(self._handle, self._limits, self._refuse)
        listener = await asyncio.get_running_loop().create_server(
            self._server, host, port, reuse_port=reuse_port or None, backlog=1024
        )
        self._listeners.append(listener)
        self.port = int(listener.sockets[0].getsockname()[1])
        return self.port

    async def drain(self, grace: float) -> None:
        """Takes no more connections, lets requests finish for `grace` seconds, then closes what is left."""
        self._draining = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        server, self._server = self._server, None
        if server is None:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        # A connection that aiohttp closes hears no more, not even the rest of a body: idle ones alone go now.
        for connection in server.connections:
            if connection._waiter is not None:
                connection.force_close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._idle.wait()
        server.pre_shutdown()
        # It takes this time twice: for answers to be written, and for what is cancelled to end.
        await server.shutdown(max(_CUT_SECONDS, (deadline - loop.time()) / 2))

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._running += 1
        self._idle.clear()
        try:
            response = await self._answer(request)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
        if self._draining:
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        request_id = uuid7()
        path, query = split_target(request.raw_path)
        claimed = unquote(path) if "%" in path else path
        for claims, serving in self._claims:
            if claims(claimed):
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
                break
        else:
            response = await self._unclaimed(request, request_id, path)
        return response

    async def _unclaimed(self, request: web.BaseRequest, request_id: str, path: str) -> web.StreamResponse:
        if not path.startswith("/"):
            failure = failures.bad_request("the request target must be a path")
        elif self._proxy is None:
            failure = failures.route_not_found()
        else:
            try:
                return await self._proxy(request, request_id)
            except ConnectionError:
                raise
            except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets an answer and the log the place
                failure = failure_of(error, request_id, "proxy")
        return refuse(self._default, request, request_id, failure)

    def _refuse(self, request: web.BaseRequest, failure: Failure) -> web.Response:
        return refuse(self._default, request, uuid7(), failure)


def split_target(target: str) -> tuple[str, str]:
    """Returns raw path and query of a request target; of an absolute one, as proxies get, what follows the host."""
    if not target.startswith("/"):
        match = _ABSOLUTE.match(target)
        if match is not None:
            target = target[match.end() :]
            if not target.startswith("/"):
                target = "/" + target
    path, _, query = target.partition("#")[0].partition("?")
    return path, query
