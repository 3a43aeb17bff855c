"""The client's end: a channel that generated stubs are built on. Knows how to begin a call; not who serves it."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from ingate.rpc.inprocess.call import LOCALLY_CANCELLED, Deserializer
from ingate.rpc.inprocess.exchange import UNSENDABLE_REQUEST, Exchange
from ingate.rpc.inprocess.metadata import InvalidMetadataError, outgoing
from ingate.rpc.inprocess.multicallables import (
    StreamStreamMultiCallable,
    StreamUnaryMultiCallable,
    Terms,
    UnaryStreamMultiCallable,
    UnaryUnaryMultiCallable,
)
from ingate.rpc.inprocess.pipe import Pipe
from ingate.rpc.inprocess.sending import Serializer

Accept = Callable[[Exchange, asyncio.AbstractEventLoop], None]


class InProcessChannel(grpc.aio.Channel):
    """A channel to an `InProcessServer`. Closing it cancels its calls; once closed it raises `grpc.aio.UsageError`."""

    def __init__(self, accept: Accept, limit: int) -> None:
        self._accept = accept
        self._limit = limit
        self._live: set[Exchange] = set()
        self._closed = asyncio.Event()

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool = False,
    ) -> UnaryUnaryMultiCallable:
        """Returns what calls a method with one request and one response."""
        return UnaryUnaryMultiCallable(self._begin, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool = False,
    ) -> UnaryStreamMultiCallable:
        """Returns what calls a method with one request and many responses."""
        return UnaryStreamMultiCallable(self._begin, method, request_serializer, response_deserializer)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool = False,
    ) -> StreamUnaryMultiCallable:
        """Returns what calls a method with many requests and one response."""
        return StreamUnaryMultiCallable(self._begin, method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer = None,
        response_deserializer: Deserializer = None,
        _registered_method: bool = False,
    ) -> StreamStreamMultiCallable:
        """Returns what calls a method with many requests and many responses."""
        return StreamStreamMultiCallable(self._begin, method, request_serializer, response_deserializer)

    def _begin(self, method: str, request: bytes | None, terms: Terms) -> Exchange:
        if self._closed.is_set():
            raise grpc.aio.UsageError("Channel is closed.")
        if terms.credentials is not None:
            raise grpc.aio.UsageError("Call credentials are only valid on secure channels")
        loop = asyncio.get_running_loop()
        invalid = False
        try:
            pairs = outgoing(terms.metadata)
        except InvalidMetadataError:
            pairs, invalid = (), True
        exchange = Exchange(
            method=method,
            metadata=pairs,
            request=Pipe(loop) if request is None else request,
            responses=Pipe(loop) if terms.responds_many else None,
            limit=self._limit,
            live=self._live,
            loop=loop,
        )
        if invalid:
            exchange.conclude(UNSENDABLE_REQUEST)
        elif terms.timeout is not None:
            exchange.expire_after(terms.timeout)
        if exchange.outcome is None:
            self._accept(exchange, loop)
        return exchange

    async def close(self, grace: float | None = None) -> None:
        """Refuses new calls, waits `grace` seconds for those running and cancels the rest."""
        self._closed.set()
        if grace and self._live:
            waiting = [asyncio.ensure_future(exchange.ended()) for exchange in self._live]
            _, late = await asyncio.wait(waiting, timeout=grace)
            for waiter in late:
                waiter.cancel()
        for exchange in list(self._live):
            exchange.cancel(LOCALLY_CANCELLED)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Returns READY, or SHUTDOWN once closed."""
        del try_to_connect
        return grpc.ChannelConnectivity.SHUTDOWN if self._closed.is_set() else grpc.ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits until the state is another one: the only change is closing."""
        if self.get_state() is last_observed_state:
            await self._closed.wait()

    async def channel_ready(self) -> None:
        """Returns at once: there is nothing to connect."""
