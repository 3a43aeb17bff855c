"""The connections of one origin: which are idle, how many exchanges may run, who waits for a turn.

Knows neither HTTP nor the other lanes.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ingate.net.outbox import Outbox
from ingate.proxy.ports import ConnectFailed, ConnectTimeout, Origin
from ingate.proxy.upstream.connection import Connection
from ingate.proxy.upstream.dial import dial
from ingate.proxy.upstream.outward import Proxy
from ingate.proxy.upstream.request import authority


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a lane: idle connections kept, seconds one is kept, exchanges at a time."""

    idle: int
    idle_seconds: float
    connections: int


def head_parts(origin: Origin, proxy: Proxy | None) -> tuple[str, bytes]:
    """Returns what every request to an origin has in its head: the prefix of the target, and the header lines."""
    host = authority(origin)
    prefix = ""
    lines = f"host: {host}\r\nconnection: keep-alive".encode("ascii")
    if proxy is not None and origin.scheme == "http":
        prefix = f"http://{host}"
        if proxy.authorization is not None:
            lines += b"\r\nproxy-authorization: " + proxy.authorization
    return prefix, lines


class Lane:
    """The pool of one origin. Every exchange holds one of `limits.connections` turns, passed on in order of arrival.

    A connection is opened only by the holder of a turn that finds none idle, so there are never more than turns.
    Waiting callers are bounded by the callers there are, and each waits no longer than its connect timeout.
    """

    __slots__ = (
        "_closed",
        "_context",
        "_empty",
        "_forget",
        "_limits",
        "_origin",
        "_proxy",
        "connections",
        "fixed",
        "idle",
        "in_use",
        "outbox",
        "prefix",
        "waiting",
    )

    def __init__(
        self,
        origin: Origin,
        proxy: Proxy | None,
        context: ssl.SSLContext | None,
        limits: Limits,
        *,
        outbox: Outbox,
        forget: Callable[["Lane"], None],
    ) -> None:
        self._origin = origin
        self._proxy = proxy
        self._context = context
        self._limits = limits
        self._forget = forget
        self._closed = False
        self._empty = asyncio.Event()
        self.outbox = outbox
        self.prefix, self.fixed = head_parts(origin, proxy)
        self.connections: set[Connection] = set()
        self.idle: list[Connection] = []
        self.in_use = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    def borrow(self) -> Connection | None:
        """Returns the idle connection used last, or None: then `obtain` one."""
        while self.idle and self.in_use < self._limits.connections:
            connection = self.idle.pop()
            if not connection.transport.is_closing():
                self.in_use += 1
                return connection
        return None

    async def obtain(self, seconds: float) -> Connection:
        """Returns a connection within `seconds`, idle or new. Raises ConnectFailed or ConnectTimeout."""
        try:
            async with asyncio.timeout(seconds):
                await self._turn()
                try:
                    return self._pop() or await self._open()
                except BaseException:
                    self._pass_turn()
                    raise
        except TimeoutError:
            raise ConnectTimeout("no connection in time") from None

    async def _open(self) -> Connection:
        if self._closed:
            raise ConnectFailed("the pool is closed")
        connection = Connection(asyncio.get_running_loop(), self)
        await dial(self._origin, self._proxy, self._context, connection)
        if self._closed or connection.transport.is_closing():
            connection.transport.abort()
            raise ConnectFailed("the connection was closed as soon as it was made")
        # Counted only now: uvloop, cancelled while dialling, closes a connection it has made and never says so.
        self.connections.add(connection)
        self._empty.clear()
        return connection

    def _pop(self) -> Connection | None:
        while self.idle:
            connection = self.idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def _turn(self) -> None:
        if self.in_use < self._limits.connections:
            self.in_use += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self.waiting.remove(turn)
            else:
                self._pass_turn()  # it came while the caller was being cancelled
            raise

    def _pass_turn(self) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.in_use -= 1
        self.tidy()

    def tidy(self) -> None:
        """Lets the pool forget the lane when nothing is left of it."""
        if not self.in_use and not self.connections:
            self._forget(self)

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """An exchange is over: its connection is kept if there is room, its turn goes to the next."""
        if reusable:
            if len(self.idle) < self._limits.idle and not self._closed:
                self.idle.append(connection)
                connection.rest(self._limits.idle_seconds)
            else:
                connection.transport.abort()
        if reusable and not self.waiting:
            self.in_use -= 1
        else:
            self._pass_turn()

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()
        if connection in self.idle:
            self.idle.remove(connection)
        self.tidy()

    async def aclose(self) -> None:
        """Closes every connection, in use or not, opens no more, and returns when all are gone."""
        self._closed = True
        for connection in tuple(self.connections):
            connection.drop()
        if self.connections:
            await self._empty.wait()
