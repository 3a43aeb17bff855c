"""The facade: every HTTP request is answered by the dialect that claims its path, or by the proxy.

Takes a channel, dialects and a proxy handler, and learns of none where it leads. Knows no feature.
"""

import asyncio
import contextlib
import math
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from urllib.parse import unquote

import grpc
import structlog
from multidict import CIMultiDict, CIMultiDictProxy

from ingate.errors import DomainError, Unauthenticated
from ingate.ids import uuid7
from ingate.net.budget import BodyBudget
from ingate.net.forwarded import TrustedProxies
from ingate.net.outbox import Outbox
from ingate.net.turns import Turns
from ingate.proxy.ports import ClientGone, Headers
from ingate.rpc.status import Failure
from rest_facade import failures, welcome
from rest_facade.answers import failure_of, response, written
from rest_facade.cors import cors_headers, is_preflight
from rest_facade.dialects.base import Answer, Dialect
from rest_facade.failures import Refused
from rest_facade.http1 import Body, Connection, Head, Heads, Limits
from rest_facade.middleware import REQUEST_ID, common_lines
from rest_facade.request import Request
from rest_facade.serving import Calls, Serving
from rest_facade.sink import HttpSink

_log = structlog.get_logger(__name__)

ProxyHandler = Callable[[str, Head, Body, HttpSink], Awaitable[None]]
"""Answers a request that no dialect claims, given its id. Raises only while nothing is sent."""
RefusalNote = Callable[[str, Headers, str, str], None]
"""Takes the reason, headers, address and answer of a proxied request that was refused and is not on record."""

_CUT_SECONDS = 0.5
_HANDSHAKE_SECONDS = 10.0
_COMMON = common_lines() + REQUEST_ID.encode() + b": "
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_CLOSE = b"Connection: close\r\n"
_LINGERING = 1, 0.005
"""How many connections are read, and how often, of those that send on after they were refused."""
_RECEIVING = 1, 0.001
"""The same of those whose large bodies are read: up to 256 KiB a time each, which takes a fifth of a millisecond."""
_CROWDED_SECONDS = 60.0
"""Between two log lines that say so."""


class NoCredential(Unauthenticated):
    """A proxied request shows no key at all."""


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
        budget: BodyBudget | None = None,
        proxies: TrustedProxies | None = None,
    ) -> None:
        self._refused = refused
        self.servings = tuple(Serving(dialect, channel, calls or Calls()) for dialect in dialects)
        self._claims = tuple((serving.dialect.claims, serving) for serving in self.servings)
        self._default = self.servings[0].dialect
        self._proxy = proxy or _nowhere
        self.limits = limits or Limits()
        self.budget = budget or BodyBudget()
        self.proxies = proxies
        self.heads = Heads(lambda path: self._serving(path) is not None, max_target=self.limits.target)
        self.outbox = Outbox()
        self.lingering = Turns(*_LINGERING)
        self.receiving = Turns(*_RECEIVING)
        self._listeners: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self.draining = False
        self._told_crowded = -math.inf
        self.port = 0
        """The port bound last, 0 before `start`."""

    async def start(self, host: str, port: int, *, reuse_port: bool = False, tls: ssl.SSLContext | None = None) -> int:
        """Listens, and returns the port that is bound: a free one for port 0. May be called for several addresses."""
        listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            host,
            port,
            reuse_port=reuse_port or None,
            backlog=1024,
            ssl=tls,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if tls else None,
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

    def crowded(self) -> Failure:
        """Returns the refusal of a connection that there is no descriptor to spare for, and logs it once a minute."""
        now = time.monotonic()
        if now - self._told_crowded >= _CROWDED_SECONDS:
            self._told_crowded = now
            _log.warning("connections_refused", connections=len(self._connections), descriptors=self.limits.crowded)
        return failures.crowded()

    def refusal(self, failure: Failure) -> bytes:
        """Returns the answer to what is no request."""
        request_id = uuid7()
        answer = self._default.error(failure, None, request_id)
        return written(self._default, "GET", _NO_HEADERS, request_id, answer, lines=_CLOSE)

    def answer(self, connection: Connection, head: Head, body: Body) -> Awaitable[bool]:
        """Answers a request; tells whether the connection may take another one."""
        return (self._claimed if head.claimed else self._proxied)(connection, head, body)

    async def _claimed(self, connection: Connection, head: Head, body: Body) -> bool:
        started = time.perf_counter()
        request = Request(connection, head, body, uuid7())
        serving = self._serving(head.path)
        assert serving is not None
        keep_alive = False
        with contextlib.suppress(ClientGone, ConnectionError):
            said, more = await serving.answer(request)
            answer = response(serving.dialect, request, said, more)
            if not body.complete or self.draining:
                answer.force_close()
            await answer.prepare(request)
            await answer.write_eof()
            keep_alive = bool(answer.keep_alive)
            _log.debug(
                "answered",
                request_id=request.id,
                dialect=serving.dialect.name,
                method=head.method,
                status=answer.status,
                ms=round((time.perf_counter() - started) * 1000, 3),
            )
        return keep_alive

    async def _proxied(self, connection: Connection, head: Head, body: Body) -> bool:
        request_id = uuid7()
        common = b"%b%b\r\n" % (_COMMON, request_id.encode())
        own: Answer | None = None
        cors = self._default.cors
        if cors is not None:
            if is_preflight(head.method, head.fields()):
                own = Answer(HTTPStatus.NO_CONTENT, b"")
            common += b"".join(map(_line, cors_headers(cors, head.fields(), preflight=False)))
        sink = HttpSink(connection, head, common)
        if own is None:
            try:
                await self._proxy(request_id, head, body, sink)
            except Exception as error:  # noqa: BLE001 -- every failure is answered, and logged where it is ours
                own = self._told(error, connection, head, request_id)
        # Out here nothing holds on to the frames of what failed, and to the body in them, while the answer is taken.
        if own is not None:
            if sink.started:
                sink.abort()
            else:
                await self._say(own, sink, head, body, request_id)
        return sink.keep_alive

    def _told(self, error: Exception, connection: Connection, head: Head, request_id: str) -> Answer:
        """Returns the answer to a proxied request that failed, and notes it where it is not on record."""
        if isinstance(error, NoCredential):
            page = welcome.page(head.method, head.path, ", ".join(head.fields().getall("Accept", ())))
            if page is not None:
                return page
        failure = failure_of(error, request_id, "proxy")
        if self._refused is not None and isinstance(error, DomainError) and not error.recorded:
            self._refused(failure.reason, head.headers, connection.caller, failure.message)
        if self._default.proxy_error is not None:
            return self._default.proxy_error(failure, head.path, head.headers, request_id)
        return self._default.error(failure, None, request_id)

    async def _say(self, answer: Answer, sink: HttpSink, head: Head, body: Body, request_id: str) -> None:
        """Answers a proxied request with an answer of the gateway's own."""
        sink.keep_alive = sink.keep_alive and body.complete
        lines = sink.rate_lines if sink.keep_alive else sink.rate_lines + _CLOSE
        with contextlib.suppress(ClientGone):
            await sink.send(written(self._default, head.method, head.fields(), request_id, answer, lines=lines))

    def _serving(self, path: str) -> Serving | None:
        """Returns who answers a raw path, None for the proxy."""
        claimed = unquote(path) if "%" in path else path
        return next((serving for claims, serving in self._claims if claims(claimed)), None)


def _line(header: tuple[str, str]) -> bytes:
    return f"{header[0]}: {header[1]}\r\n".encode("latin-1")


async def _nowhere(_request_id: str, _head: Head, _body: Body, _sink: HttpSink) -> None:
    """What answers unclaimed requests where there is no proxy."""
    raise Refused(failures.route_not_found())
