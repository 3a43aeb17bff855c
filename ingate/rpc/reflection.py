"""gRPC's own services as everyone may ask them: health checking, and reflection under both names that it has had.

Reflection shows public services alone: what only gateways may call is in no list and in no file that it hands out, by
whatever name it is asked for. Bytes that are no request are the caller's fault, and no error of the server.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, text_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from ingate.rpc.services import Service

V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
HEALTH = "grpc.health.v1.Health"


def add_health(checks: Any, server: Any) -> None:
    """Registers a servicer of health checks: `Check` and `Watch`, which are all that it has."""
    how = {"request_deserializer": _check_request, "response_serializer": _serialized}
    methods = {
        "Check": grpc.unary_unary_rpc_method_handler(_valid(checks.Check), **how),
        "Watch": grpc.unary_stream_rpc_method_handler(_valid(checks.Watch), **how),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(HEALTH, methods),))


def _valid(method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def valid(request: Any, context: Any) -> Any:
        if request is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the request is not a valid HealthCheckRequest")
        return await method(request, context)

    return valid


def _check_request(raw: bytes) -> Any:
    try:
        return health_pb2.HealthCheckRequest.FromString(raw)
    except DecodeError:
        return None


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _reflection_request(raw: bytes) -> Any:
    """Returns a request; one that asks for nothing, which is answered as an invalid argument, for what is none."""
    try:
        return reflection_pb2.ServerReflectionRequest.FromString(raw)
    except DecodeError:
        return reflection_pb2.ServerReflectionRequest()


def add_reflection(services: Iterable[Service], server: Any) -> None:
    """Registers both versions at a server that runs `services` and health checking."""
    public = [service for service in services if not service.internal]
    pool = DescriptorPool()
    seen: set[str] = set()
    for file in (*(service.file for service in public), health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        _add(pool, file, seen)
    pool.Add(_as_v1(reflection_pb2.DESCRIPTOR))
    names = (*(service.name for service in public), HEALTH, V1, V1ALPHA)
    handler = grpc.stream_stream_rpc_method_handler(
        aio.ReflectionServicer(names, pool=pool).ServerReflectionInfo,
        request_deserializer=_reflection_request,
        response_serializer=_serialized,
    )
    # The messages of both are the same but for their package, which is not on the wire.
    server.add_generic_rpc_handlers(
        tuple(
            grpc.method_handlers_generic_handler(version, {"ServerReflectionInfo": handler})
            for version in (V1, V1ALPHA)
        )
    )


def _add(pool: DescriptorPool, file: Any, seen: set[str]) -> None:
    """Puts a file into the pool, behind those that it imports."""
    if file.name not in seen:
        seen.add(file.name)
        for imported in file.dependencies:
            _add(pool, imported, seen)
        pool.AddSerializedFile(file.serialized_pb)


def _as_v1(alpha: Any) -> descriptor_pb2.FileDescriptorProto:
    """Returns the file of v1, of which the library has no module: it is v1alpha's under another package."""
    proto = descriptor_pb2.FileDescriptorProto()
    alpha.CopyToProto(proto)
    return text_format.Parse(
        text_format.MessageToString(proto).replace("v1alpha", "v1"), descriptor_pb2.FileDescriptorProto()
    )
