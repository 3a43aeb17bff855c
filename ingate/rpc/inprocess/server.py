"""The registry that in-process channels call. Knows handlers by method name, and the tasks that run them."""

import asyncio
import contextvars
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio

from ingate.rpc.inprocess.channel import InProcessChannel
from ingate.rpc.inprocess.exchange import Exchange, Outcome
from ingate.rpc.inprocess.handling import Handler, serve

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""gRPC's own default limit for a received message."""

_STOPPED = Outcome(grpc.StatusCode.UNAVAILABLE, "The server is stopped.")
_STOPPING = Outcome(grpc.StatusCode.UNAVAILABLE, "Cancelling all calls")
_UNLIMITED = 1 << 62


class InProcessServer(grpc.aio.Server):
    """A gRPC server without ports, to which generated `add_*_to_server` functions add servicers.

    It serves from construction on and runs handlers in tasks of its own, whose context is a copy of the one it was
    constructed in. `interceptors` run first to last. `max_message_bytes` bounds a message either way; None or -1 is no
    bound. All its channels belong to one event loop.
    """

    def __init__(
        self,
        *,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        max_message_bytes: int | None = MAX_MESSAGE_BYTES,
    ) -> None:
        wrong = [one for one in interceptors if not isinstance(one, grpc.aio.ServerInterceptor)]
        if wrong:
            raise ValueError(f"Interceptor must be ServerInterceptor, the following are invalid: {wrong}")
        self._interceptors = tuple(interceptors)
        self._limit = _UNLIMITED if max_message_bytes is None or max_message_bytes < 0 else max_message_bytes
        self._generic: list[grpc.GenericRpcHandler] = []
        self._registered: dict[str, Handler] = {}
        self._context = contextvars.copy_context()
        self._serving: dict[asyncio.Task[None], Exchange] = {}
        self._stopped = asyncio.Event()

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Adds handlers that are asked, in order, for each method nobody registered."""
        self._generic.extend(generic_rpc_handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Adds the handlers of a service by method name; they go before generic ones."""
        for name, handler in method_handlers.items():
            self._registered[f"/{service_name}/{name}"] = handler

    def channel(self) -> InProcessChannel:
        """Returns a new channel to this server."""
        return InProcessChannel(self._accept, self._limit)

    def add_insecure_port(self, address: str) -> int:
        """Raises RuntimeError: this server has no ports."""
        raise RuntimeError(f"An in-process server cannot listen on {address}.")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Raises RuntimeError: this server has no ports."""
        del server_credentials
        return self.add_insecure_port(address)

    async def start(self) -> None:
        """Does nothing: a registry serves from its construction on."""

    async def stop(self, grace: float | None) -> None:
        """Refuses new calls, waits `grace` seconds for those running, then cancels them and waits for their end."""
        self._stopped.set()
        if self._serving and grace:
            await asyncio.wait(list(self._serving), timeout=grace)
        for exchange in list(self._serving.values()):
            exchange.abandon(_STOPPING)
        if self._serving:
            await asyncio.wait(list(self._serving))

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 -- grpc.aio's own
        """Waits until the server is stopped; returns True when `timeout` seconds passed first."""
        try:
            await asyncio.wait_for(self._stopped.wait(), timeout)
        except TimeoutError:
            return True
        return False

    def _accept(self, exchange: Exchange, loop: asyncio.AbstractEventLoop) -> None:
        if self._stopped.is_set():
            exchange.conclude(_STOPPED)
            return
        context = self._context.copy()
        task = loop.create_task(serve(exchange, self._resolve, self._interceptors), context=context)
        exchange.task = task
        self._serving[task] = exchange
        task.add_done_callback(self._ended, context=context)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._serving.pop(task).task_ended()
        if not task.cancelled():
            task.exception()  # what ends the process was raised through the loop already

    def _resolve(self, details: Any) -> "Handler | None":
        handler = self._registered.get(details.method)
        if handler is not None:
            return handler
        for generic in self._generic:
            handler = generic.service(details)
            if handler is not None:
                return handler
        return None
