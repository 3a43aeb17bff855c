"""The keep-alive pool over all origins: the `Transport` the engine sends through.

Knows lanes and the environment's proxies; no provider and no retry policy.
"""

import os
import ssl
from collections.abc import Mapping

from ingate.net.outbox import Outbox
from ingate.net.turns import Turns
from ingate.proxy.ports import Account, ConnectFailed, OutboundRequest, StaleConnection, Transport, UpstreamResponse
from ingate.proxy.upstream.connection import JOIN_LIMIT
from ingate.proxy.upstream.lane import Idle, Lane, Limits
from ingate.proxy.upstream.outward import proxy_for
from ingate.proxy.upstream.request import encode, is_last
from ingate.proxy.upstream.response import Response
from ingate.proxy.upstream.shares import Seat, Shares
from ingate.proxy.upstream.tls import client_context

_SEATS_REMEMBERED = 1024
_TURNS = 2, 0.001
"""How many connections are read, and how often, of those that had more than anybody took."""


class UpstreamPool(Transport):
    """A `Transport` over kept-alive HTTP/1.1 connections. Belongs to one event loop; one is enough for a process.

    What an origin answers reaches the account that asked: connections are shared within a lane alone (see `Account`).
    There are no more lanes than connections and calls, no more connections than calls may be under way.

    The rule of retrying here: a pooled connection known to be closed before the request is written is passed over for
    another; once a byte of the request was handed to a connection, nothing is sent again. A kept-alive connection that
    dies after that without an answer is `ConnectionLost`, and whether to send again is the caller's decision.
    """

    def __init__(
        self,
        *,
        max_calls: int = 4096,
        max_calls_per_origin: int = 2048,
        max_idle: int = 1024,
        idle_ttl: float = 50.0,
        ssl_context: ssl.SSLContext | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Makes a pool; opens nothing.

        `max_calls` may be under way at a time, of which an account has a share: see `Shares`. `max_idle` connections
        are kept, those used last. `idle_ttl` is in seconds and best below the idle timeout of the load balancers ahead
        (60 is common). `ssl_context` replaces `client_context()`. `environ` is asked for proxies when a lane is made.
        """
        self._limits = Limits(max_idle, idle_ttl)
        self._shares = Shares(max_calls, max_calls_per_origin)
        self._idle = Idle()
        self._ssl_context = ssl_context or client_context()
        self._environ = environ
        self._outbox = Outbox()
        self._turns = Turns(*_TURNS)
        self._lanes: dict[bytes, Lane] = {}
        self._closed = False

    async def send(self, request: OutboundRequest) -> UpstreamResponse:
        """Returns the response when its head is in.

        Raises ValueError for a request that may not be written (line ends, framing headers, no path), ConnectFailed,
        ConnectTimeout, ShareUsedUp, NoRoom, FirstByteTimeout, ConnectionLost, or BadResponse. Cancelled, it leaves no
        connection behind.
        """
        account = request.account
        lane = self._lanes.get(account.lane) or self._add_lane(account)
        seat = lane.seats.get(request.key) or self._add_seat(lane, request)
        try:
            last = is_last(request)
            payload = encode(request, lane.prefix, lane.last if last else lane.fixed, JOIN_LIMIT)
        except ValueError:
            lane.tidy()
            raise
        connection = lane.borrow(seat) or await lane.obtain(seat, request.timeouts.connect)
        response = Response(connection, request.timeouts.idle)
        try:
            await connection.begin(payload, request, response, last=last)
        except BaseException:
            await response.aclose()
            raise
        if response.failure is not None and not response.status:
            if isinstance(response.failure, StaleConnection):
                # The others have been idle for longer.
                lane.close_idle()
            raise response.broken(response.failure)
        return response

    def _add_lane(self, account: Account) -> Lane:
        origin, key = account.origin, account.lane
        if self._closed:
            raise ConnectFailed("the pool is closed")
        if origin.scheme not in {"http", "https"}:
            raise ValueError("the origin's scheme is neither http nor https")
        context = self._ssl_context if origin.scheme == "https" else None

        def forget(lane: Lane) -> None:
            if self._lanes.get(key) is lane:  # a late farewell must not take the lane that came after
                del self._lanes[key]

        proxy = proxy_for(origin, self._environ)
        lane = Lane(
            origin, proxy, context, self._limits, self._idle, outbox=self._outbox, turns=self._turns, forget=forget
        )
        self._lanes[key] = lane
        return lane

    def _add_seat(self, lane: Lane, request: OutboundRequest) -> Seat:
        if len(lane.seats) >= _SEATS_REMEMBERED:
            lane.seats.clear()  # calls under way hold theirs
        seat = lane.seats[request.key] = self._shares.seat(request.account, request.key)
        return seat

    @property
    def open(self) -> int:
        """Connections established, idle or in use."""
        return sum(len(lane.connections) for lane in self._lanes.values())

    @property
    def idle(self) -> int:
        """Connections waiting for their next request."""
        return len(self._idle)

    @property
    def in_use(self) -> int:
        """Exchanges that have a seat: connecting, waiting for a head, or with a body still arriving."""
        return self._shares.all.limit - self._shares.all.free

    async def aclose(self) -> None:
        """Closes every connection and waits until they are gone; exchanges in progress fail. May be called twice."""
        self._closed = True
        for lane in tuple(self._lanes.values()):
            await lane.aclose()
