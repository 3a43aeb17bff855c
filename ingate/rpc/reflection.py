"""gRPC's reflection as everyone may ask it: public services alone, under both names that the service has had.

What only gateways may call is in no list and in no file that it hands out, by whatever name it is asked for.
"""

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, text_format
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from ingate.rpc.services import Service

V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
HEALTH = "grpc.health.v1.Health"


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
        request_deserializer=lenient(reflection_pb2.ServerReflectionRequest),
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
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
