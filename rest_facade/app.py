"""The facade: every HTTP request is answered by the dialect or the ingress that claims its path.

Takes a channel, dialects and a proxy handler, and learns of none where it leads. Knows no feature.
"""

import asyncio
import contextlib
import math
import ssl
import time
from collections.abc import Sequence
from functools import partial

import grpc
import structlog

from ingate.ids import uuid7
from ingate.net.budget import BodyBudget
from ingate.net.forwarded import TrustedProxies
from ingate.net.outbox import Outbox
from ingate.net.turns import Turns
from ingate.rpc.status import Failure
from rest_facade import failures
from rest_facade.answers import written
from rest_facade.asked import nothing
from rest_facade.dialects.base import Dialect
from rest_facade.failures import Refused
from rest_facade.http1 import Body, Connection, Head, Heads, Limits
from rest_facade.proxying import ProxyHandler, Proxying, RefusalNote
from rest_facade.serving import Serving
from rest_facade.sink import HttpSink
from rest_facade.table import OwnerTable, owner_table
from rest_facade.transcoder import Calls

_log = structlog.get_logger(__name__)

_CUT_SECONDS = 0.5
_HANDSHAKE_SECONDS = 10.0
_CLOSE = b"Connection: close\r\n"
_LINGERING = 1, 0.005
"""How many connections are read, and how often, of those that send on after they were refused."""
_RECEIVING = 1, 0.001
"""The same of those whose large bodies are read: up to 256 KiB a time each, which takes a fifth of a millisecond."""
_CROWDED_SECONDS = 60.0
"""Between two log lines that say so."""


class Facade:
    """An HTTP server for some dialects and the proxy. One for each process and event loop.

    The first dialect speaks where no path is claimed, and for requests that are not HTTP. `proxy` answers the requests
    of ingresses. Raises `RouteConflict` for dialects that claim one path, and what `Serving` does.
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
        self._serve = partial(Serving, channel=channel, calls=calls or Calls())
        self._forward = partial(Proxying, handler=proxy or _nowhere, refused=refused)
        self.limits = limits or Limits()
        self.budget = budget or BodyBudget()
        self.proxies = proxies
        self._first = dialects[0]
        self.heads = Heads(self._table(dialects, 0), max_target=self.limits.target)
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

    async def start(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> int:
        """Listens, and returns the port that is bound: a free one for port 0. May be called for several addresses."""
        listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            host,
            port,
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

    def mount(self, dialects: Sequence[Dialect]) -> None:
        """Has these dialects answer instead, from the next request on. What is under way is answered as it began.

        Raises what the constructor does; nothing has changed then.
        """
        self.heads.follow(self._table(dialects, self.heads.epoch + 1))
        self._first = dialects[0]

    def _table(self, dialects: Sequence[Dialect], epoch: int) -> OwnerTable:
        return owner_table(dialects, epoch, serve=self._serve, proxy=self._forward)

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
        asked = nothing(uuid7())
        return written(self._first, asked, self._first.error(failure, None, asked), lines=_CLOSE)


async def _nowhere(_request_id: str, _head: Head, _body: Body, _sink: HttpSink) -> None:
    """What answers the requests of ingresses where there is no proxy."""
    raise Refused(failures.route_not_found())
