"""A server that stands for a vendor and misbehaves on demand. Knows the vendors only through its default answers."""

import asyncio
import socket
import time
from collections import deque
from functools import lru_cache

from tests.support.upstream import vendors
from tests.support.upstream.connection import Connection
from tests.support.upstream.steps import Phase, compose, delay, respond
from tests.support.waiting import PATIENCE

_BACKLOG = 1024


class ScriptedUpstream:
    """An HTTP/1.1 server on a loopback port for the time of an `async with`.

    Without a script it answers as the vendors do (see `vendors`): `deltas` pieces of text in a stream, `every` seconds
    apart (None: in one go), after `think` seconds (None: at once). The last `keep` requests are recorded. Buffer sizes
    (bytes) make back-pressure show early. `ssl` is a server-side SSLContext. Leaving raises what went wrong inside: a
    client that does not speak HTTP, or a step that failed.
    """

    def __init__(
        self,
        *,
        host="127.0.0.1",
        port=0,
        ssl=None,
        keep=1000,
        deltas=vendors.DELTAS,
        every=0.0,
        think=None,
        send_buffer=None,
        receive_buffer=None,
    ):
        self.host = host
        self.port = port
        self.accepted = 0
        self.peak_connections = 0
        self.seen = 0
        self.bytes_sent = 0
        self.errors = deque(maxlen=100)
        self._ssl = ssl
        self._style = (deltas, every, think)
        self._buffers = {socket.SO_SNDBUF: send_buffer, socket.SO_RCVBUF: receive_buffer}
        self._requests = deque(maxlen=keep)
        self._queue = deque()
        self._scripts = []
        self._open = set()
        self._waiters = []
        self._closing = False
        self._server = None

    async def __aenter__(self):
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for option, size in self._buffers.items():
            if size is not None:
                listener.setsockopt(socket.SOL_SOCKET, option, size)
        try:
            listener.bind((self.host, self.port))
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), sock=listener, ssl=self._ssl, backlog=_BACKLOG
        )
        return self

    async def __aexit__(self, _kind, raised, _traceback):
        self._closing = True
        self._server.close()
        for connection in list(self._open):
            connection.transport.abort()
        await self._until(lambda: not self._open, 5.0, "connections close")
        await self._server.wait_closed()
        if self.errors and raised is None:
            raise self.errors[0]
        if self.errors:
            raised.add_note(f"inside the upstream: {self.errors[0]!r}")

    @property
    def url(self):
        """`http://127.0.0.1:40001`, or https."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._ssl else 'http'}://{host}:{self.port}"

    @property
    def requests(self):
        """The recorded requests, oldest first. One answered early is recorded without its body."""
        return list(self._requests)

    @property
    def connections(self):
        """How many connections are open now."""
        return len(self._open)

    def enqueue(self, *parts):
        """Plays these steps and scenarios for the next request that has none yet, whatever its path.

        Parts that start on acceptance (`accept_only`, `on_accept`) are for the next connection instead.
        """
        self._queue.append(compose(*parts))

    def script(self, match, *parts, times=None):
        """Plays these for every request (or the first `times`) that matches: a path, or a predicate of the request.

        The queue goes first; of several scripts the latest wins. Parts that start on acceptance do not belong here.
        """
        scenario = compose(*parts)
        if scenario.phase is Phase.ACCEPT:
            raise ValueError("on acceptance there is no path yet: enqueue it")
        predicate = match if callable(match) else lambda request: request.path == match
        self._scripts.insert(0, [predicate, scenario, times])

    async def wait_for(self, count, timeout=PATIENCE):  # noqa: ASYNC109 - the message names it
        """Waits until `count` requests have come in all and returns the recorded ones. Raises AssertionError."""
        await self._until(lambda: self.seen >= count, timeout, f"{count} requests come")
        return self.requests

    async def wait_connections(self, count, timeout=PATIENCE):  # noqa: ASYNC109 - the message names it
        """Waits until exactly `count` connections are open. Raises AssertionError."""
        await self._until(lambda: len(self._open) == count, timeout, f"{count} connections are open")

    async def wait_closed_connections(self, timeout=PATIENCE):  # noqa: ASYNC109 - the message names it
        """Waits until no connection is open. Raises AssertionError."""
        await self.wait_connections(0, timeout)

    def opened(self, connection):
        """Counts a connection in; returns what to play before any request, if anything."""
        self.accepted += 1
        connection.number = self.accepted
        self._open.add(connection)
        self.peak_connections = max(self.peak_connections, len(self._open))
        self._tell()
        if self._closing:
            connection.transport.abort()
        elif self._queue and self._queue[0].phase is Phase.ACCEPT:
            return self._queue.popleft()
        return None

    def lost(self, connection):
        """Counts a connection out."""
        self._open.discard(connection)
        self._tell()

    def record(self, request):
        """Keeps a request."""
        self.seen += 1
        self._requests.append(request)
        self._tell()

    def choose(self, request):
        """Returns the scenario for a request whose head is in, None for the default."""
        for place, scenario in enumerate(self._queue):
            if scenario.phase is not Phase.ACCEPT:
                del self._queue[place]
                return scenario
        for script in self._scripts:
            predicate, scenario, left = script
            if left != 0 and predicate(request):
                script[2] = None if left is None else left - 1
                return scenario
        return None

    def default(self, request):
        """Returns the vendor's answer as a scenario."""
        return _played(vendors.answer(request, self._style[0]), *self._style[1:])

    def _tell(self):
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _until(self, condition, timeout, what):  # noqa: ASYNC109 - the message names it
        deadline = time.monotonic() + timeout
        while not condition():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await asyncio.wait([waiter], timeout=max(0.0, deadline - time.monotonic()))
            if not waiter.done():
                waiter.cancel()
                state = f"{self.seen} requests, {len(self._open)} connections open, {self.accepted} accepted"
                raise AssertionError(f"not within {timeout:g} s: {what} ({state})")


@lru_cache(maxsize=64)
def _played(answer, every, think):
    framing = "chunked" if answer.streamed else "length"
    headers = [("content-type", answer.content_type), *answer.headers]
    return compose(delay(think), respond(answer.status, headers, answer.pieces, framing=framing, every=every))
