"""One interceptor out of an ordered tuple of named stages.

A stage wraps a step (request, call → response) in another. Stages are applied to a method once, when it is first
called; a call then only runs the finished function. Every kind of rpc has the same shape here: a streamed response
is written to the context by the innermost step. Knows what no stage does.

Only rpcs in the given table exist. gRPC's health and reflection services run no stages; any other path, though a
servicer may be registered for it, is unimplemented.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from ingate.errors import DomainError
from ingate.rpc.door import Door
from ingate.rpc.incoming import Decoder, Incoming
from ingate.rpc.interceptors.tools import PUBLIC_SERVICES, guarded
from ingate.rpc.request_ids import Pairs, request_ids
from ingate.rpc.services import Rpc

Step = Callable[[Incoming, "Call"], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """One running call."""

    context: Any
    """gRPC's servicer context."""
    metadata: dict[str, str]
    """The caller's text metadata; a name that was sent twice has both values, joined by a comma."""
    request_id: str
    """Correlates log lines, answers and records."""
    client_request_id: str = ""
    """What the caller calls the request; empty where that is nothing, or not fit to be repeated."""
    told: Pairs = ()
    """The metadata by which the caller finds the call again; it is in the trailing metadata already."""


class Wrap(Protocol):
    """Puts a stage around the steps behind it, for one rpc."""

    def __call__(self, rpc: Rpc, step: Step, /) -> Step: ...  # noqa: D102 -- the class says it


@dataclass(frozen=True, slots=True)
class Stage:
    """A named stage, and the names of those that must stand before it."""

    name: str
    wrap: Wrap
    after: tuple[str, ...] = ()


class Unimplemented(DomainError):
    """The rpc exists and this server does not serve it."""

    reason = "UNIMPLEMENTED"


def chain(
    stages: Sequence[Stage],
    rpcs: Mapping[str, Rpc],
    *,
    gateway_token: str,
    limits: Mapping[str, int] | None = None,
    door: Door | None = None,
) -> grpc.aio.ServerInterceptor:
    """Returns the interceptor that runs the stages, first one outermost, around the rpcs given by path.

    `limits` are the largest requests in bytes of rpcs that take more than others. With a door, which a server that
    listens has, no request is received before a stage receives it.
    Raises ValueError for a name that occurs twice, or a stage that stands before one it must follow.
    """
    seen: set[str] = set()
    for stage in stages:
        if stage.name in seen:
            raise ValueError(f"stage {stage.name} occurs twice")
        if missing := set(stage.after) - seen:
            raise ValueError(f"stage {stage.name} must come after {', '.join(sorted(missing))}")
        seen.add(stage.name)
    return _Chain(tuple(stages), rpcs, gateway_token.encode(), limits or {}, door)


class _Chain(grpc.aio.ServerInterceptor):
    """The stages, and every handler they have been put around."""

    def __init__(
        self,
        stages: tuple[Stage, ...],
        rpcs: Mapping[str, Rpc],
        gateway_token: bytes,
        limits: Mapping[str, int],
        door: Door | None,
    ) -> None:
        self._stages = stages
        self._rpcs = rpcs
        self._gateway_token = gateway_token
        self._limits = limits
        self._door = door
        # By handler rather than by path, since one chain may stand before several servers. Bounded by what they serve.
        self._wrapped: dict[Any, Any] = {}

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Returns the wrapped handler of the rpc, or None where there is none."""
        handler = await continuation(handler_call_details)
        wrapped = self._wrapped.get(handler)
        if wrapped is not None or handler is None:
            return wrapped
        path = handler_call_details.method
        if path[1:].partition("/")[0] in PUBLIC_SERVICES:
            wrapped = handler if self._door is None else guarded(handler, self._door)
        elif path in self._rpcs:
            wrapped = self._wrap(handler, self._rpcs[path])
        else:
            return None
        self._wrapped[handler] = wrapped
        return wrapped

    def _wrap(self, handler: Any, rpc: Rpc) -> Any:
        if rpc.client_streaming:
            raise TypeError(f"{rpc.path}: requests are single messages here")
        step = _innermost(handler, rpc)
        for stage in reversed(self._stages):
            step = stage.wrap(rpc, step)
        decoder = Decoder(rpc, self._limits.get(rpc.path))
        gateway_token = self._gateway_token
        late = self._door is not None

        async def serve(request: Any, context: Any) -> Any:
            metadata = _text_metadata(context)
            request_id, reference, told = request_ids(metadata, gateway_token)
            if told:
                context.set_trailing_metadata(told)
            incoming = Incoming(None if late else request, decoder)
            return await step(incoming, Call(context, metadata, request_id, reference, told))

        serializer = handler.response_serializer
        if not late:
            make = grpc.unary_stream_rpc_method_handler if rpc.server_streaming else grpc.unary_unary_rpc_method_handler
            return make(serve, request_deserializer=decoder, response_serializer=serializer)
        # gRPC receives the request of a handler that streams requests only when the handler asks for it.
        if rpc.server_streaming:
            return grpc.stream_stream_rpc_method_handler(serve, response_serializer=serializer)
        return grpc.stream_unary_rpc_method_handler(serve, response_serializer=serializer)


def _text_metadata(context: Any) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            metadata[name] = f"{metadata[name]},{value}" if name in metadata else value
    return metadata


def _innermost(handler: Any, rpc: Rpc) -> Step:
    behaviour = handler.unary_unary or handler.unary_stream
    if inspect.isasyncgenfunction(behaviour):

        async def stream(request: Incoming, call: Call) -> None:
            # Closed here and now: a generator left to the collector would run its `finally` long after the call.
            async with aclosing(behaviour(request.take(), call.context)) as responses:
                async for response in responses:
                    await call.context.write(_checked(response, rpc))

        return stream
    if not inspect.iscoroutinefunction(behaviour):

        async def unimplemented(_request: Incoming, _call: Call) -> None:
            # The generated base classes are the only synchronous handlers: the servicer left this rpc out.
            raise Unimplemented(f"{rpc.name} is not implemented")

        return unimplemented
    if rpc.server_streaming:

        async def writer(request: Incoming, call: Call) -> None:
            await behaviour(request.take(), call.context)

        return writer

    async def unary(request: Incoming, call: Call) -> Any:
        return _checked(await behaviour(request.take(), call.context), rpc)

    return unary


def _checked(response: Any, rpc: Rpc) -> Any:
    # Here it is a failure like any other; in gRPC's serializer it would be one whose text reaches the caller.
    if not isinstance(response, rpc.response):
        raise TypeError(f"{rpc.path} answered {type(response).__name__}")
    return response
