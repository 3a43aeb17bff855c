"""The connections of one organisation, with one credential, to one origin: which are in use, which are idle.

Knows no HTTP.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from ingate.net.outbox import Outbox
from ingate.net.turns import Turns
from ingate.proxy.ports import ConnectFailed, ConnectTimeout, Origin
from ingate.proxy.upstream.connection import Connection
from ingate.proxy.upstream.dial import dial
from ingate.proxy.upstream.outward import Proxy
from ingate.proxy.upstream.request import authority
from ingate.proxy.upstream.shares import Seat


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of idle connections: how many are kept of all lanes together, and for how many seconds each."""

    idle: int
    idle_seconds: float


class Idle(dict[Connection, "Lane"]):
    """The idle connections of all lanes, the one that has been idle longest first."""

    __slots__ = ()

    def shrink(self, most: int) -> None:
        """Closes those that have been idle longest, until there are `most`."""
        while len(self) > most:
            connection = next(iter(self))
            lane = self.pop(connection)
            lane.idle.remove(connection)
            connection.transport.abort()


def head_parts(origin: Origin, proxy: Proxy | None) -> tuple[str, bytes]:
    """Returns what every request to an origin has in its head: the prefix of the target, and the header lines."""
    host = authority(origin)
    prefix = ""
    lines = f"host: {host}\r\n".encode("ascii")
    if proxy is not None and origin.scheme == "http":
        prefix = f"http://{host}"
        if proxy.authorization is not None:
            lines += b"proxy-authorization: " + proxy.authorization + b"\r\n"
    return prefix, lines


class Lane:
    """The connections that one account's requests may follow one another on.

    A connection is opened only by a call that has its seat and finds none idle.
    """

    __slots__ = (
        "_closed",
        "_context",
        "_empty",
        "_forget",
        "_idle",
        "_limits",
        "_obtaining",
        "_origin",
        "_proxy",
        "connections",
        "fixed",
        "idle",
        "last",
        "outbox",
        "prefix",
        "seats",
        "turns",
    )

    def __init__(
        self,
        origin: Origin,
        proxy: Proxy | None,
        context: ssl.SSLContext | None,
        limits: Limits,
        idle: Idle,
        *,
        outbox: Outbox,
        turns: Turns,
        forget: Callable[["Lane"], None],
    ) -> None:
        self._origin = origin
        self._proxy = proxy
        self._context = context
        self._limits = limits
        self._idle = idle
        self._forget = forget
        self._closed = False
        self._empty = asyncio.Event()
        self._obtaining = 0  # calls that have no connection yet
        self.outbox = outbox
        self.turns = turns
        self.prefix, lines = head_parts(origin, proxy)
        self.fixed = lines + b"connection: keep-alive"
        self.last = lines + b"connection: close"  # of a request that ends its connection
        self.connections: set[Connection] = set()
        self.idle: list[Connection] = []
        self.seats: dict[str, Seat] = {}

    def borrow(self, seat: Seat) -> Connection | None:
        """Returns the idle connection used last, or None: then `obtain` one."""
        idle = self.idle
        if not idle:
            return None
        key, org, everywhere, origin, all_ = seat
        if not (key.free and org.free and everywhere.free and origin.free and all_.free):
            return None
        connection = idle.pop()
        del self._idle[connection]
        if not connection.silent():
            connection.transport.abort()
            return None
        key.free -= 1
        org.free -= 1
        everywhere.free -= 1
        origin.free -= 1
        all_.free -= 1
        connection.seat = seat
        return connection

    async def obtain(self, seat: Seat, seconds: float) -> Connection:
        """Returns a connection within `seconds`, idle or new.

        Raises ConnectFailed or ConnectTimeout; ShareUsedUp or NoRoom when other calls keep the seat.
        """
        held = 0
        self._obtaining += 1
        try:
            async with asyncio.timeout(seconds):
                for share in seat:
                    await share.take()
                    held += 1
                connection = self._pop() or await self._open(seat)
            connection.seat = seat
        except BaseException as error:
            for share in seat[:held]:
                share.give_back()
            if not isinstance(error, TimeoutError):
                raise
            late = ConnectTimeout("no connection in time") if held == len(seat) else seat[held].refused()
            raise late from None
        else:
            return connection
        finally:
            self._obtaining -= 1
            self.tidy()

    async def _open(self, seat: Seat) -> Connection:
        if self._closed:
            raise ConnectFailed("the pool is closed")
        # Those that are idle make room, so that connections are never more than the calls that may be under way.
        calls = seat[-1]
        self._idle.shrink(calls.free)
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
            del self._idle[connection]
            if connection.silent():
                return connection
            connection.transport.abort()
        return None

    def close_idle(self) -> None:
        """Closes the connections that wait unused."""
        while self.idle:
            connection = self.idle.pop()
            del self._idle[connection]
            connection.transport.abort()

    def tidy(self) -> None:
        """Lets the pool forget the lane when nothing is left of it."""
        if not self._obtaining and not self.connections:
            self._forget(self)

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """An exchange is over: its connection is kept if it can be, its seat goes to the next."""
        if reusable:
            if self._closed:
                connection.transport.abort()
            else:
                self.idle.append(connection)
                self._idle[connection] = self
                connection.rest(self._limits.idle_seconds)
                if len(self._idle) > self._limits.idle:
                    self._idle.shrink(self._limits.idle)
        key, org, everywhere, origin, all_ = connection.seat
        if key.free and org.free and everywhere.free and origin.free and all_.free:
            # Nobody waits for a share of which something is free.
            key.free += 1
            org.free += 1
            everywhere.free += 1
            origin.free += 1
            all_.free += 1
        else:
            for share in connection.seat:
                share.give_back()

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()
        if self._idle.pop(connection, None) is not None:
            self.idle.remove(connection)
        self.tidy()

    async def aclose(self) -> None:
        """Closes every connection, in use or not, opens no more, and returns when all are gone."""
        self._closed = True
        for connection in tuple(self.connections):
            connection.drop()
        if self.connections:
            await self._empty.wait()
