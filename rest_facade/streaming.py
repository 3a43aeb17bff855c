"""Streams: the messages of an rpc, written as events to one connection until the rpc or the connection ends.

A caller who does not read delays only its own rpc; a caller who leaves cancels it. When the process stops, streams end
normally, and their readers reconnect with the id of the last event.
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
"""Returns the body of a dialect's answer for an error that ends a stream."""


class Streaming:
    """A call of an rpc. `frame` makes events of messages; a comment is sent after `heartbeat` seconds of silence."""

    def __init__(self, call: Stream, frame: Callable[[bytes], bytes], heartbeat: float) -> None:
        self._call = call
        self._frame = frame
        self._heartbeat = heartbeat
        self._first = asyncio.ensure_future(call.read())
        self._initial = asyncio.ensure_future(call.initial_metadata())
        self._ending = False

    async def begun(self) -> Metadata:
        """Waits for the first message, at most `heartbeat` seconds, and returns the initial metadata received by then.

        Raises AioRpcError for a call that is refused.
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

    async def write(self, connection: Connection, sink: HttpSink, failed: Failed) -> None:
        """Writes head and events, and returns when the stream has ended. Raises `ClientGone`."""
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
            except Exception as error:  # noqa: BLE001 -- whatever it is, an event tells the caller
                await sink.write(events.failed(failed(error)))
            await sink.end()
        finally:
            beat.stop()
            self.cancel()

    def _end(self, sink: HttpSink) -> None:
        """Ends the call because the process stops, which is not a failure. A caller who does not read is cut off."""
        self._ending = True
        self._call.cancel()
        if sink.started and not sink.open:
            sink.abort()


class _Heartbeat:
    """Writes a comment whenever nothing else was written for some seconds."""

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
        # A caller that has not read what was written needs no heartbeat.
        if self.quiet and self._sink.open:
            self._sink.push(events.HEARTBEAT)
        self.quiet = True
        self.start()
