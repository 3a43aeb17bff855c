"""Bounds for the services that any gRPC server has, health and reflection, which are open to everyone.

They run no stages: what they say is the same for all, and load balancers ask for it every second.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc

from ingate.errors import BadRequest, DomainError
from ingate.rpc.door import SECONDS, Door
from ingate.rpc.peer import peer_address
from ingate.rpc.status import DETAILS_KEY, code_of, to_status

PUBLIC_SERVICES = frozenset(
    {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
)


def guarded(handler: Any, door: Door) -> Any:
    """Returns the handler of a method of these services, with the bounds of strangers."""
    serve: Callable[[Any, str], Awaitable[Any]]
    if handler.stream_stream:
        serve, make = partial(_conversation, handler, door), grpc.stream_stream_rpc_method_handler
    elif handler.unary_stream:
        serve, make = partial(_watch, handler, door), grpc.stream_stream_rpc_method_handler
    else:
        serve, make = partial(_answer, handler, door), grpc.stream_unary_rpc_method_handler

    async def refusing(_requests: Any, context: Any) -> Any:
        try:
            return await serve(context, peer_address(context.peer()))
        except DomainError as error:
            status = to_status(error)
            code = code_of(error)
        return await context.abort(code, status.message, ((DETAILS_KEY, status.SerializeToString()),))

    return make(refusing, handler.request_deserializer, handler.response_serializer)


async def _received(door: Door, context: Any, address: str) -> Any:
    request = await door.tools.read(address, context.read, SECONDS)
    if request is grpc.aio.EOF:
        raise BadRequest("the call has no request")
    return request


async def _answer(handler: Any, door: Door, context: Any, address: str) -> Any:
    # What a watch takes up is no reason to tell a load balancer nothing.
    return await handler.unary_unary(await _received(door, context, address), context)


async def _watch(handler: Any, door: Door, context: Any, address: str) -> None:
    async with door.watches.place(address):
        await handler.unary_stream(await _received(door, context, address), context)


async def _conversation(handler: Any, door: Door, context: Any, address: str) -> None:
    """Holds one of the few turns to its end, since each of its messages may be large."""

    async def requests() -> AsyncIterator[Any]:
        while (request := await context.read()) is not grpc.aio.EOF:
            yield request

    async def converse() -> None:
        async with aclosing(handler.stream_stream(requests(), context)) as answers:
            async for answer in answers:
                await context.write(answer)

    async with door.watches.place(address):
        await door.tools.read(address, converse, SECONDS)
