"""The keep-alive pool over all origins: the `Transport` the engine sends through.

Knows lanes and the environment's proxies; no provider and no retry policy.
"""

import os
import ssl
from collections.abc import Mapping

from ingate.net.addresses import Policy
from ingate.net.outbox import Outbox
from ingate.proxy.ports import ConnectFailed, Origin, OutboundRequest, Transport, UpstreamResponse
from ingate.proxy.upstream.connection import JOIN_LIMIT
from ingate.proxy.upstream.lane import Lane, Limits
from ingate.proxy.upstream.outward import proxy_for
from ingate.proxy.upstream.request import encode
from ingate.proxy.upstream.response import Response
from ingate.proxy.upstream.tls import client_context


class UpstreamPool(Transport):
    """A `Transport` over kept-alive HTTP/1.1 connections. Belongs to one event loop; one is enough for a process.

    The rule of retrying here: a pooled connection known to be closed before the request is written is passed over for
    another; once a byte of the request was handed to a connection, nothing is sent again. A kept-alive connection that
    dies after that without an answer is `ConnectionLost`, and whether to send again is the caller's decision.
    """

    def __init__(
        self,
        *,
        max_idle_per_origin: int = 512,
        idle_ttl: float = 50.0,
        max_connections_per_origin: int = 2048,
        ssl_context: ssl.SSLContext | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Makes a pool; opens nothing.

        `idle_ttl` is in seconds and best below the idle timeout of the load balancers ahead (60 is common).
        `ssl_context` replaces `client_context()`. `environ` is asked for proxies when an origin is first used.
        """
        self._limits = Limits(max_idle_per_origin, idle_ttl, max_connections_per_origin)
        self._ssl_context = ssl_context or client_context()
        self._environ = environ
        self._outbox = Outbox()
        self._lanes: dict[tuple[str, str, int, Policy], Lane] = {}
        self._closed = False

    async def send(self, request: OutboundRequest) -> UpstreamResponse:
        """Returns the response when its head is in.

        Raises ValueError for a request that may not be written (line ends, framing headers, no path), ConnectFailed,
        ConnectTimeout, FirstByteTimeout, ConnectionLost, or BadResponse. Cancelled, it leaves no connection behind.
        """
        origin = request.origin
        lane = self._lanes.get((origin.scheme, origin.host, origin.port, origin.policy)) or self._add_lane(origin)
        try:
            payload = encode(request, lane.prefix, lane.fixed, JOIN_LIMIT)
        except ValueError:
            lane.tidy()
            raise
        connection = lane.borrow() or await lane.obtain(request.timeouts.connect)
        response = Response(connection, request.timeouts.idle)
        try:
            await connection.begin(payload, request, response)
        except BaseException:
            await response.aclose()
            raise
        if response.failure is not None and not response.status:
            raise response.failure
        return response

    def _add_lane(self, origin: Origin) -> Lane:
        if self._closed:
            raise ConnectFailed("the pool is closed")
        if origin.scheme not in {"http", "https"}:
            raise ValueError("the origin's scheme is neither http nor https")
        context = self._ssl_context if origin.scheme == "https" else None
        key = (origin.scheme, origin.host, origin.port, origin.policy)

        def forget(lane: Lane) -> None:
            if self._lanes.get(key) is lane:  # a late farewell must not take the lane that came after
                del self._lanes[key]

        proxy = proxy_for(origin, self._environ)
        lane = Lane(origin, proxy, context, self._limits, outbox=self._outbox, forget=forget)
        self._lanes[key] = lane
        return lane

    @property
    def open(self) -> int:
        """Connections established, idle or in use."""
        return sum(len(lane.connections) for lane in self._lanes.values())

    @property
    def idle(self) -> int:
        """Connections waiting for their next request."""
        return sum(len(lane.idle) for lane in self._lanes.values())

    @property
    def in_use(self) -> int:
        """Exchanges that have a turn: connecting, waiting for a head, or with a body still arriving."""
        return sum(lane.in_use for lane in self._lanes.values())

    async def aclose(self) -> None:
        """Closes every connection and waits until they are gone; exchanges in progress fail. May be called twice."""
        self._closed = True
        for lane in tuple(self._lanes.values()):
            await lane.aclose()
