"""What every call of a client offers: its status, its metadata, its cancellation. Knows no messages."""

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import grpc.aio

from ingate.rpc.inprocess.exchange import OK, Exchange, Outcome

Deserializer = Callable[[bytes], Any] | None

LOCALLY_CANCELLED = "Locally cancelled by application!"
MIXED_STYLES = "The iterator and read/write APIs may not be mixed on a single RPC."


class Call:
    """What all four kinds of calls share: status, metadata, cancellation."""

    def __init__(self, exchange: Exchange, deserializer: Deserializer) -> None:
        self._exchange = exchange
        self._deserializer = deserializer

    def cancel(self) -> bool:
        """Cancels the call and its handler; returns False when it was over."""
        return self._exchange.cancel(LOCALLY_CANCELLED)

    def cancelled(self) -> bool:
        """Returns whether the call ended with CANCELLED."""
        outcome = self._exchange.outcome
        return outcome is not None and outcome.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        """Returns whether the outcome is known; with a streaming server, after the last message was read."""
        return self._exchange.outcome is not None

    def time_remaining(self) -> float | None:
        """Returns the seconds until the deadline, or None without one."""
        return self._exchange.time_remaining()

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Calls `callback` with this call soon after it is over."""
        self._call_when_done(partial(callback, self))

    def _call_when_done(self, callback: Callable[[], object]) -> None:
        if self._exchange.outcome is not None:
            asyncio.get_running_loop().call_soon(callback)
        else:
            self._exchange.client_callbacks.append((callback, contextvars.copy_context()))

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """Waits for the server's initial metadata."""
        return grpc.aio.Metadata(*await self._exchange.started())

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        """Waits for the end and returns the metadata that came with it."""
        return grpc.aio.Metadata(*(await self._exchange.ended()).trailing)

    async def code(self) -> grpc.StatusCode:
        """Waits for the end and returns its code."""
        return (await self._exchange.ended()).code

    async def details(self) -> str:
        """Waits for the end and returns its text."""
        return (await self._exchange.ended()).details

    async def debug_error_string(self) -> str:
        """Waits for the end and returns code and text, or nothing when all is well."""
        outcome = await self._exchange.ended()
        return "" if outcome is OK else f"{outcome.code.name}:{outcome.details}"

    def _raise_for(self, outcome: Outcome) -> None:
        if self._exchange.locally_cancelled:
            raise asyncio.CancelledError
        if outcome.code is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                outcome.code,
                grpc.aio.Metadata(*(self._exchange.initial or ())),
                grpc.aio.Metadata(*outcome.trailing),
                details=outcome.details,
                debug_error_string=f"{outcome.code.name}:{outcome.details}",
            )

    def _raise_if_over(self) -> None:
        if self._exchange.outcome is not None:
            self._raise_for(self._exchange.outcome)
