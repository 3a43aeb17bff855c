"""ProxyService: the engine for callers that speak gRPC."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from gen.ingate.proxy.v1 import proxy_service_pb2 as pb
from gen.ingate.proxy.v1 import proxy_service_pb2_grpc
from ingate.errors import BadRequest, DomainError, Forbidden, TooLarge
from ingate.limits.window import Decision
from ingate.net.budget import BodyBudget, Lease
from ingate.proxy import request_target
from ingate.proxy.engine import Engine, Inbound
from ingate.proxy.ports import ClientGone, Headers
from ingate.proxy.request_head import read_head
from ingate.rpc.interceptors.authenticate import credential
from ingate.rpc.principal import principal

FORWARD = "/ingate.proxy.v1.ProxyService/Forward"
HEAD_BYTES = 1024 * 1024
"""Bytes that a request may have beside its body."""
QUEUED_EVENTS = 16
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")


class ProxyServicer(proxy_service_pb2_grpc.ProxyServiceServicer):
    """Hosts the engine: it runs in a task of its own, so that a caller who leaves does not end it."""

    def __init__(self, engine: Engine, bodies: BodyBudget, *, max_body: int) -> None:
        self._engine = engine
        self._bodies = bodies
        self._max_body = max_body
        self._running: set[asyncio.Task[None]] = set()

    async def Forward(self, request: pb.ForwardRequest, context: Any) -> AsyncIterator[pb.ForwardResponse]:
        """Streams the answer as started, chunks, ended."""
        caller = principal()
        if caller.kind != "key":
            raise Forbidden("only a key can call providers")
        sink = _EventSink(caller.request_id)
        metadata = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
        lease = self._bodies.lease_for(caller.org_id)
        inbound = _inbound(request, metadata, caller.request_id, self._max_body, lease)
        # The body is out of it, and the exchange may last for minutes.
        del request
        task = asyncio.create_task(self._run(inbound, sink))
        self._running.add(task)
        task.add_done_callback(self._ended)
        task.add_done_callback(lambda _: lease.release())
        try:
            while (event := await sink.next()) is not None:
                yield event
            await task
        finally:
            sink.leave()
            if not task.done():
                if seconds := sink.grace():
                    timer = asyncio.get_running_loop().call_later(seconds, task.cancel)
                    task.add_done_callback(lambda _: timer.cancel())
                else:
                    task.cancel()

    async def _run(self, inbound: Inbound, sink: "_EventSink") -> None:
        try:
            await self._engine.forward(inbound, sink)
        finally:
            await sink.finish()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        # Where the caller has left, nobody awaits the failure; it is on record.
        if not task.cancelled():
            task.exception()

    async def drained(self) -> None:
        """Returns when no exchange is under way."""
        if self._running:
            await asyncio.wait(self._running)


class _EventSink:
    """A sink whose events wait in a short queue for the rpc's stream.

    `request_id` is told with the head. `grace` returns for how many seconds the exchange may go on without its caller.
    """

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._events: asyncio.Queue[pb.ForwardResponse | None] = asyncio.Queue(QUEUED_EVENTS)
        self._left = False
        self.grace: Callable[[], float] = float

    async def next(self) -> pb.ForwardResponse | None:
        """Returns the next event, None after the last."""
        return await self._events.get()

    def leave(self) -> None:
        """Tells the engine that nobody listens any more."""
        self._left = True
        while not self._events.empty():
            self._events.get_nowait()

    @property
    def gone(self) -> bool:
        """Whether nobody listens any more."""
        return self._left

    def attend(self, grace: Callable[[], float]) -> None:
        """Notes whom to ask when the caller leaves."""
        self.grace = grace

    async def finish(self) -> None:
        """Marks the end of the events."""
        if not self._left:
            await self._events.put(None)

    def metered(self, decision: Decision) -> None:
        """Has nothing to tell: the quota interceptor has counted the call and told its caller."""

    async def start(self, status: int, headers: Headers) -> None:
        pairs = [pb.Header(name=name.decode("latin-1"), value=value.decode("latin-1")) for name, value in headers]
        started = pb.Started(status=status, headers=pairs, request_id=self._request_id)
        await self._send(pb.ForwardResponse(started=started))

    async def write(self, chunk: bytes) -> None:
        await self._send(pb.ForwardResponse(chunk=chunk))

    @property
    def open(self) -> bool:
        """Whether an event more fits into the queue."""
        return not self._left and not self._events.full()

    def push(self, chunk: bytes) -> None:
        """Puts a piece of the body into the queue."""
        self._events.put_nowait(pb.ForwardResponse(chunk=chunk))

    async def end(self) -> None:
        await self._send(pb.ForwardResponse(ended=pb.Ended(complete=True)))

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        await self.start(status, headers)
        if body:
            await self.write(body)
        await self.end()

    def abort(self) -> None:
        """Lets the stream end without `ended`, which says that the answer is incomplete."""

    async def _send(self, event: pb.ForwardResponse) -> None:
        if self._left:
            raise ClientGone
        await self._events.put(event)


def _inbound(
    request: pb.ForwardRequest, metadata: dict[str, str], request_id: str, max_body: int, lease: Lease
) -> Inbound:
    """Returns what the engine is to forward, its body on the lease. Raises BadRequest."""
    path, _, query = request.target.partition("?")
    request_target.check(request.method, path, query)
    headers = []
    for index, header in enumerate(request.headers):
        try:
            pair = (header.name.lower().encode("ascii"), header.value.encode("latin-1"))
        except UnicodeEncodeError:
            pair = (b"", b"")
        if not _NAME.fullmatch(pair[0]) or not _VALUE.fullmatch(pair[1]):
            raise BadRequest.field(f"headers[{index}]", "is not an HTTP header")
        headers.append(pair)
    head = read_head(request.method, path, query, headers, credential(metadata) or "")
    body, refusal = _held(request.body, max_body, lease)

    async def read(_organisation: str) -> bytes:
        if refusal is not None:
            raise refusal
        return body

    return Inbound(request_id, head, read, metered=True)


def _held(body: bytes, max_body: int, lease: Lease) -> tuple[bytes, DomainError | None]:
    """Returns the body with its bytes on the lease, or nothing and why: the engine puts a refusal on record."""
    if len(body) > max_body:
        return b"", TooLarge(f"the body must have at most {max_body} bytes")
    try:
        lease.grow(len(body))
    except DomainError as error:
        return b"", error.with_traceback(None)
    return body, None
