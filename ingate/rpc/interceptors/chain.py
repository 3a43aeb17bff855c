"""One interceptor out of an ordered tuple of named stages.

A stage wraps a step (request, call → response) in another. Stages are applied to a method once, when it is first
called; a call then only runs the finished function. Every kind of rpc has the same shape here: a streamed response
is written to the context by the innermost step, a streamed request is an async iterator. Knows what no stage does.

Only rpcs in the given table exist. gRPC's health and reflection services pass untouched; any other path, though a
servicer may be registered for it, is unimplemented.
"""

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError, Message

from ingate.errors import BadRequest, DomainError
from ingate.ids import uuid7
from ingate.rpc.services import Rpc

PUBLIC_SERVICES = frozenset({"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"})
"""What gRPC tools ask of any server, open to everyone."""

# It goes into log lines and answers, so a caller's own is taken only when it is plain and short.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

Step = Callable[[Any, "Call"], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """One running call."""

    context: Any
    """gRPC's servicer context."""
    metadata: dict[str, str]
    """The caller's text metadata; a name that was sent twice has both values, joined by a comma."""
    request_id: str
    """Correlates log lines and answers; the caller's own where it is fit to be repeated."""


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


def chain(stages: Sequence[Stage], rpcs: Mapping[str, Rpc]) -> grpc.aio.ServerInterceptor:
    """Returns the interceptor that runs the stages, first one outermost, around the rpcs given by path.

    Raises ValueError for a name that occurs twice, or a stage that stands before one it must follow.
    """
    seen: set[str] = set()
    for stage in stages:
        if stage.name in seen:
            raise ValueError(f"stage {stage.name} occurs twice")
        if missing := set(stage.after) - seen:
            raise ValueError(f"stage {stage.name} must come after {', '.join(sorted(missing))}")
        seen.add(stage.name)
    return _Chain(tuple(stages), rpcs)


class _Chain(grpc.aio.ServerInterceptor):
    """The stages, and every handler they have been put around."""

    def __init__(self, stages: tuple[Stage, ...], rpcs: Mapping[str, Rpc]) -> None:
        self._stages = stages
        self._rpcs = rpcs
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
            return handler
        rpc = self._rpcs.get(path)
        if rpc is None:
            return None
        wrapped = self._wrapped[handler] = _wrap(handler, rpc, self._stages)
        return wrapped


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Stands for a request whose bytes are no message, so that it is refused in its turn, behind authentication."""


def _wrap(handler: Any, rpc: Rpc, stages: tuple[Stage, ...]) -> Any:
    step = _innermost(handler, rpc)
    for stage in reversed(stages):
        step = stage.wrap(rpc, step)

    async def serve(request: Any, context: Any) -> Any:
        metadata = _text_metadata(context)
        return await step(request, Call(context, metadata, _request_id(metadata)))

    def decode(raw: bytes) -> Message | Undecodable:
        try:
            return handler.request_deserializer(raw)  # type: ignore[no-any-return]  # stubs leave it untyped
        except DecodeError:
            return Undecodable()

    if rpc.server_streaming:
        make = grpc.stream_stream_rpc_method_handler if rpc.client_streaming else grpc.unary_stream_rpc_method_handler
    else:
        make = grpc.stream_unary_rpc_method_handler if rpc.client_streaming else grpc.unary_unary_rpc_method_handler
    return make(serve, request_deserializer=decode, response_serializer=handler.response_serializer)


def _text_metadata(context: Any) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            metadata[name] = f"{metadata[name]},{value}" if name in metadata else value
    return metadata


def _request_id(metadata: dict[str, str]) -> str:
    given = metadata.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid7()


def _innermost(handler: Any, rpc: Rpc) -> Step:
    behaviour = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    if inspect.isasyncgenfunction(behaviour):

        async def stream(request: Any, call: Call) -> None:
            # Closed here and now: a generator left to the collector would run its `finally` long after the call.
            async with aclosing(behaviour(request, call.context)) as responses:
                async for response in responses:
                    await call.context.write(_checked(response, rpc))

        return _decoded(stream, rpc)
    if not inspect.iscoroutinefunction(behaviour):

        async def unimplemented(_request: Any, _call: Call) -> None:
            # The generated base classes are the only synchronous handlers: the servicer left this rpc out.
            raise Unimplemented(f"{rpc.name} is not implemented")

        return unimplemented
    if rpc.server_streaming:

        async def writer(request: Any, call: Call) -> None:
            await behaviour(request, call.context)

        return _decoded(writer, rpc)

    async def unary(request: Any, call: Call) -> Any:
        return _checked(await behaviour(request, call.context), rpc)

    return _decoded(unary, rpc)


def _checked(response: Any, rpc: Rpc) -> Any:
    # Here it is a failure like any other; in gRPC's serializer it would be one whose text reaches the caller.
    if not isinstance(response, rpc.response):
        raise TypeError(f"{rpc.path} answered {type(response).__name__}")
    return response


def _decoded(step: Step, rpc: Rpc) -> Step:
    def refuse(request: Any) -> None:
        if isinstance(request, Undecodable):
            raise BadRequest(f"the request is not a valid {rpc.request.DESCRIPTOR.name}")

    if not rpc.client_streaming:

        async def one(request: Any, call: Call) -> Any:
            refuse(request)
            return await step(request, call)

        return one

    async def messages(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            refuse(request)
            yield request

    async def many(requests: AsyncIterator[Any], call: Call) -> Any:
        return await step(messages(requests), call)

    return many
