"""The four kinds of calls a stub returns, to be awaited, iterated, read and written as grpc.aio's are.

Knows the call's exchange; not who serves it.
"""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Callable, Generator
from functools import partial
from typing import Any

import grpc
import grpc.aio

from ingate.rpc.inprocess.call import MIXED_STYLES, Call
from ingate.rpc.inprocess.exchange import UNSENDABLE_REQUEST, Outcome
from ingate.rpc.inprocess.sending import StreamRequest

_DROPPED = "Cancelled upon garbage collection!"


class _UnaryResponse(Call):
    """A call with one response, to be awaited."""

    _response: Any = None
    _parsed = False

    def __await__(self) -> Generator[Any, None, Any]:
        exchange = self._exchange
        try:
            while exchange.outcome is None:
                yield from exchange.change().__await__()
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._raise_for(exchange.outcome)
        if not self._parsed:
            response = exchange.response
            self._response = response if self._deserializer is None else self._deserializer(response or b"")
            self._parsed = True
        return self._response


class _StreamResponse(Call):
    """A call with many responses: iterate over it or read from it, not both. Dropping it cancels it."""

    _iterates: bool | None = None

    def __del__(self) -> None:
        if self._exchange.outcome is None:
            # The collector may run in any thread, or after the loop.
            with contextlib.suppress(RuntimeError):
                self._exchange.loop.call_soon_threadsafe(self._exchange.cancel, _DROPPED)

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Calls `callback` with this call soon after it is over; does not keep a dropped call alive."""
        self._call_when_done(partial(_call_if_alive, callback, weakref.ref(self)))

    def __aiter__(self) -> AsyncIterator[Any]:
        self._use(iterates=True)
        return self

    async def __anext__(self) -> Any:
        message = await self._next()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message

    async def read(self) -> Any:
        """Returns the next response, or `grpc.aio.EOF` after the last; raises AioRpcError when the call failed."""
        if self._exchange.outcome is None:
            self._use(iterates=False)
        return await self._next()

    def _use(self, *, iterates: bool) -> None:
        if self._iterates is None:
            self._iterates = iterates
        elif self._iterates is not iterates:
            raise grpc.aio.UsageError(MIXED_STYLES)

    async def _next(self) -> Any:
        exchange = self._exchange
        if exchange.outcome is None and exchange.responses is not None:
            try:
                message = await exchange.responses.get()
            except asyncio.CancelledError:
                self.cancel()
                raise
            exchange.settle()
            if message is not None:
                refusal = exchange.too_large(message, "CLIENT")
                if refusal is None:
                    return message if self._deserializer is None else self._deserializer(message)
                exchange.abandon(refusal)
        self._raise_for(await exchange.ended())
        return grpc.aio.EOF


def _call_if_alive(callback: Callable[[Any], object], reference: "weakref.ref[_StreamResponse]") -> None:
    call = reference()
    if call is not None:
        callback(call)


class UnaryUnaryCall(_UnaryResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """One request, one response."""

    async def wait_for_connection(self) -> None:
        """Waits for the end and raises AioRpcError unless it is a good one."""
        self._raise_for(await self._exchange.ended())

    def _raise_for(self, outcome: Outcome) -> None:
        # grpc.aio tells of metadata that cannot be sent in this way for unary calls only.
        if outcome is UNSENDABLE_REQUEST:
            raise grpc.aio.InternalError(outcome.details)
        super()._raise_for(outcome)


class UnaryStreamCall(_StreamResponse, grpc.aio.UnaryStreamCall[Any, Any]):
    """One request, many responses."""

    async def wait_for_connection(self) -> None:
        """Waits for the initial metadata and raises AioRpcError when the call has failed by then."""
        await self._exchange.started()
        self._raise_if_over()


class StreamUnaryCall(StreamRequest, _UnaryResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """Many requests, one response."""


class StreamStreamCall(StreamRequest, _StreamResponse, grpc.aio.StreamStreamCall[Any, Any]):
    """Many requests, many responses."""
