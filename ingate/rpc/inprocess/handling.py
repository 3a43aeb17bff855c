"""The server's half of a call: through the interceptors to the handler, and its end to a status. Knows no registry."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog

from ingate.rpc.inprocess.context import ServicerContext
from ingate.rpc.inprocess.exchange import Exchange, Outcome
from ingate.rpc.inprocess.metadata import Metadata
from ingate.rpc.inprocess.pipe import Pipe

# Quoted: the class is generic to the type checker only.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Resolve: TypeAlias = "Callable[[grpc.HandlerCallDetails], Handler | None]"
Interceptors = tuple[grpc.aio.ServerInterceptor, ...]

_METHOD_NOT_FOUND = Outcome(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
_WRONG_STYLE = Outcome(grpc.StatusCode.INTERNAL, "Client and server disagree which side of the method streams.")

_log = structlog.get_logger(__name__)


class CallDetails(grpc.HandlerCallDetails):
    """What interceptors and generic handlers are told of a call."""

    __slots__ = ("invocation_metadata", "method")

    def __init__(self, method: str, invocation_metadata: Metadata) -> None:
        self.method = method
        self.invocation_metadata = invocation_metadata


async def serve(exchange: Exchange, resolve: Resolve, interceptors: Interceptors) -> None:
    """Serves one call to its end. Only cancellation and what should end the process is raised."""
    context = ServicerContext(exchange)
    try:
        details = CallDetails(exchange.method, exchange.metadata)
        handler = await _intercept(interceptors, 0, resolve, details) if interceptors else resolve(details)
        if handler is None:
            exchange.finish(_METHOD_NOT_FOUND)
        else:
            await _handle(handler, exchange, context)
    except Exception as error:  # noqa: BLE001 -- whatever a handler raises, its client must learn of the end
        ended = exchange.sent is not None or exchange.outcome is not None
        if not (ended and isinstance(error, grpc.aio.BaseError)):
            _log.exception("unexpected exception in a handler", method=exchange.method)
        if not ended:
            exchange.finish(context.failure(error))


async def _intercept(
    interceptors: Interceptors, index: int, resolve: Resolve, details: grpc.HandlerCallDetails
) -> "Handler | None":
    if index == len(interceptors):
        return resolve(details)
    continuation = partial(_intercept, interceptors, index + 1, resolve)
    return await interceptors[index].intercept_service(continuation, details)


async def _handle(handler: Handler, exchange: Exchange, context: ServicerContext) -> None:
    streams_requests = isinstance(exchange.request, Pipe)
    streams_responses = exchange.responses is not None
    if (handler.request_streaming, handler.response_streaming) != (streams_requests, streams_responses):
        exchange.finish(_WRONG_STYLE)
        return
    context.deserializer = handler.request_deserializer
    context.serializer = handler.response_serializer
    request: Any
    if isinstance(exchange.request, Pipe):
        request = _Requests(context)
    else:
        refusal = exchange.too_large(exchange.request, "SERVER")
        if refusal is not None:
            exchange.finish(refusal)
            return
        request = exchange.request if context.deserializer is None else context.deserializer(exchange.request)
    if streams_responses:
        await _respond_many(handler.stream_stream if streams_requests else handler.unary_stream, request, context)
        context.check()
        exchange.finish(context.outcome())
    else:
        await _respond_once(
            handler.stream_unary if streams_requests else handler.unary_unary, request, exchange, context
        )


async def _respond_once(behaviour: Any, request: Any, exchange: Exchange, context: ServicerContext) -> None:
    response = behaviour(request, context)
    # Plain functions run in place: generated "not implemented" answers are the only ones.
    if inspect.isawaitable(response):
        response = await response
    context.check()
    outcome = context.outcome()
    if outcome.code is grpc.StatusCode.OK:
        serialized = response if context.serializer is None else context.serializer(response)
        outcome = exchange.too_large(serialized, "CLIENT") or outcome
        exchange.response = serialized
    exchange.finish(outcome)


async def _respond_many(behaviour: Any, request: Any, context: ServicerContext) -> None:
    responses = behaviour(request, context)
    if inspect.isawaitable(responses):
        await responses
        return
    try:
        async for response in responses:
            await context.write(response)
    finally:
        # A generator left at a yield by cancellation must run its own cleanup now, not at garbage collection.
        if inspect.isasyncgen(responses):
            await responses.aclose()


class _Requests:
    """The requests of a streaming client, as handlers iterate over them."""

    __slots__ = ("_context",)

    def __init__(self, context: ServicerContext) -> None:
        self._context = context

    def __aiter__(self) -> "_Requests":
        return self

    async def __anext__(self) -> Any:
        message = await self._context.read()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message
