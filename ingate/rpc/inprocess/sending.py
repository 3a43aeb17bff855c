"""The sending half of a client that streams, and the copying of what any client sends.

Knows the pipe of requests; not what comes back.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any

import grpc.aio

from ingate.rpc.inprocess.call import LOCALLY_CANCELLED, MIXED_STYLES, Call, Deserializer
from ingate.rpc.inprocess.exchange import Exchange
from ingate.rpc.inprocess.pipe import Pipe

Serializer = Callable[[Any], bytes] | None
Requests = AsyncIterable[Any] | Iterable[Any] | None


class StreamRequest(Call):
    """A call with many requests: from the iterator it was given, else by `write` and `done_writing`."""

    def __init__(
        self,
        exchange: Exchange,
        deserializer: Deserializer,
        serializer: Serializer,
        requests: AsyncIterable[Any] | Iterable[Any] | None,
    ) -> None:
        super().__init__(exchange, deserializer)
        self._serializer = serializer
        self._half_closed = False
        self._writes = requests is None
        if requests is not None and exchange.outcome is None:
            exchange.sender = exchange.loop.create_task(_send_all(exchange, requests, serializer))

    async def write(self, request: Any) -> None:
        """Sends a request; waits while the handler is a window behind. Raises AioRpcError when the call failed."""
        self._check_writes()
        exchange = self._exchange
        if exchange.outcome is not None:
            raise asyncio.InvalidStateError("RPC already finished.")
        if self._half_closed:
            raise asyncio.InvalidStateError('RPC is half closed after calling "done_writing".')
        try:
            sent = await _requests(exchange).put(serialize(request, self._serializer))
        except asyncio.CancelledError:
            self.cancel()
            raise
        if not sent:
            self._raise_if_over()

    async def done_writing(self) -> None:
        """No request follows."""
        self._check_writes()
        self._half_closed = True
        _requests(self._exchange).end()

    async def wait_for_connection(self) -> None:
        """Returns at once, or raises when the call has failed already."""
        self._raise_if_over()

    def _check_writes(self) -> None:
        if not self._writes:
            raise grpc.aio.UsageError(MIXED_STYLES)


def serialize(message: Any, serializer: Serializer) -> bytes:
    """Returns the bytes of `message`, itself without a serializer; raises TypeError for anything else."""
    serialized = message if serializer is None else serializer(message)
    if not isinstance(serialized, bytes):
        raise TypeError(f"Expected bytes, got {type(serialized)}")
    return serialized


def _requests(exchange: Exchange) -> Pipe:
    assert isinstance(exchange.request, Pipe)
    return exchange.request


async def _send_all(exchange: Exchange, requests: AsyncIterable[Any] | Iterable[Any], serializer: Serializer) -> None:
    # Holds the exchange and not the call, so that a call its client drops is collected and cancelled.
    pipe = _requests(exchange)
    try:
        if isinstance(requests, AsyncIterable):
            async for request in requests:
                if not await pipe.put(serialize(request, serializer)):
                    return
        else:
            for request in requests:
                if not await pipe.put(serialize(request, serializer)):
                    return
        pipe.end()
    except Exception:  # noqa: BLE001 -- the iterator is the client's: its failure cancels the call, as in grpc.aio
        exchange.cancel(LOCALLY_CANCELLED)
    except asyncio.CancelledError:
        exchange.cancel(LOCALLY_CANCELLED)
        raise
