"""Hosts the engine for rpcs: an exchange runs in a task of its own, so that a caller who leaves does not end it."""

import asyncio
from collections.abc import Callable

from gen.ingate.proxy.v1 import proxy_service_pb2 as pb
from ingate.errors import DomainError, Forbidden, TooLarge
from ingate.limits.window import Decision
from ingate.net.budget import Lease
from ingate.proxy.engine import Engine, Inbound
from ingate.proxy.ports import ClientGone, Headers
from ingate.rpc.principal import Principal, principal

QUEUED_EVENTS = 16


class RpcHost:
    """Runs the exchanges of rpcs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: set[asyncio.Task[None]] = set()

    def run(self, inbound: Inbound, lease: Lease) -> "Hosted":
        """Begins an exchange, and releases the lease when it has ended. Whoever calls this calls `Hosted.leave`."""
        sink = _EventSink(inbound.request_id)
        task = asyncio.create_task(self._run(inbound, sink))
        self._running.add(task)
        task.add_done_callback(self._ended)
        task.add_done_callback(lambda _: lease.release())
        return Hosted(task, sink)

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


class Hosted:
    """An exchange under way, as its rpc sees it."""

    __slots__ = ("_sink", "_task")

    def __init__(self, task: asyncio.Task[None], sink: "_EventSink") -> None:
        self._task = task
        self._sink = sink

    async def next(self) -> pb.ForwardResponse | None:
        """Returns the next piece of the answer, None when the exchange has ended and is on record.

        Raises the DomainError that is to be answered instead.
        """
        event = await self._sink.next()
        if event is None:
            await self._task
        return event

    def leave(self) -> None:
        """Lets go of the exchange: one that is still under way goes on for as long as it may without its caller."""
        task, sink = self._task, self._sink
        sink.leave()
        if not task.done():
            if seconds := sink.grace():
                timer = asyncio.get_running_loop().call_later(seconds, task.cancel)
                task.add_done_callback(lambda _: timer.cancel())
            else:
                task.cancel()


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


def key_holder() -> Principal:
    """Returns the caller of the rpc, who has a key. Raises Forbidden for another."""
    caller = principal()
    if caller.kind != "key":
        raise Forbidden("only a key can call providers")
    return caller


def counted(size: int, most: int, lease: Lease) -> DomainError | None:
    """Counts bytes of a body on its lease; returns why they are refused: the engine puts a refusal on record."""
    if size > most:
        return TooLarge(f"the body must have at most {most} bytes")
    try:
        lease.grow(size)
    except DomainError as error:
        return error.with_traceback(None)
    return None
