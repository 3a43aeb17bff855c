"""An answer that goes on: the messages of an rpc to one connection, as events, until one of them ends.

A caller who does not read holds up the rpc of its own alone; one who leaves cancels it. When the process ends, the
stream ends like any other, and its reader comes back elsewhere with the id of the last event.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from ingate.proxy.ports import ClientGone
from rest_facade import events
from rest_facade.call import Metadata, Stream
from rest_facade.http1 import Connection
from rest_facade.sink import HttpSink

Failed = Callable[[Exception], bytes]
"""What a dialect says of an error that ends a stream: the body of an answer."""


class Streaming:
    """The call of an rpc whose messages become events by `frame`. After `heartbeat` seconds of silence there is one."""

    def __init__(self, call: Stream, frame: Callable[[bytes], bytes], heartbeat: float) -> None:
        self._call = call
        self._frame = frame
        self._heartbeat = heartbeat
        self._first = asyncio.ensure_future(call.read())
        self._initial = asyncio.ensure_future(call.initial_metadata())
        self._ending = False

    async def begun(self) -> Metadata:
        """Returns when there is something to tell, or there has not been for as long as a heartbeat.

        The metadata is what the rpc has said by then. Raises AioRpcError for a call that is refused.
        """
        await asyncio.wait({self._first}, timeout=self._heartbeat)
        if self._first.done():
            self._first.result()
            await self._initial
        return tuple(self._initial.result() or ()) if self._initial.done() else ()

    def cancel(self) -> None:
        """Ends the call."""
        self._first.cancel()
        self._initial.cancel()
        self._call.cancel()

    async def tell(self, connection: Connection, sink: HttpSink, failed: Failed) -> None:
        """Writes head and events, and returns when the stream has ended whole. Raises `ClientGone`."""
        connection.ending = partial(self._end, sink)
        if connection.draining:
            self._end(sink)
        beat = _Heartbeat(sink, self._heartbeat)
        try:
            await sink.start(200, [])
            beat.start()
            try:
                message = await self._first
                while isinstance(message, bytes):  # at the end it is EOF
                    beat.quiet = False
                    await sink.write(self._frame(message))
                    message = await self._call.read()
            except ClientGone:
                raise
            except asyncio.CancelledError:
                if not self._ending:
                    raise
            except Exception as error:  # noqa: BLE001 -- whatever it is, the caller is told in the dialect's words
                await sink.write(events.failed(failed(error)))
            await sink.end()
        finally:
            beat.stop()
            self.cancel()

    def _end(self, sink: HttpSink) -> None:
        """The process ends: so does the call, which is no failure. Who does not read is not waited for."""
        self._ending = True
        self._call.cancel()
        if sink.started and not sink.open:
            sink.abort()


class _Heartbeat:
    """Writes a comment where there was nothing else since the last time."""

    def __init__(self, sink: HttpSink, seconds: float) -> None:
        self._sink = sink
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self.quiet = True

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._beat)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        # Who has not taken what is there needs no sign of life.
        if self.quiet and self._sink.open:
            self._sink.push(events.HEARTBEAT)
        self.quiet = True
        self.start()
