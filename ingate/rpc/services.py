"""Every service and rpc of Ingate, read from the generated descriptors.

The options of each rpc are resolved here once, so no one else touches descriptors to learn who may call what.
Knows nothing of servicers, transports or callers.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gen import ingate as generated
from gen.ingate.options.v1 import options_pb2

_SUFFIX = "_service_pb2"


@dataclass(frozen=True, slots=True)
class Rpc:
    """One rpc and what its options say."""

    path: str
    """As on the wire: `/ingate.keys.v1.KeyService/CreateKey`."""
    service: str
    """The full name of its service."""
    name: str
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool
    access: options_pb2.Access
    """Who may call it; empty where the rpc states nothing, which refuses everyone."""
    tenancy: options_pb2.Tenancy
    """Which organisation a call acts in; empty where the rpc states nothing, which refuses everyone."""
    idempotency: int
    """A number of `google.protobuf.MethodOptions.IdempotencyLevel`."""
    success_status: int
    """The HTTP status of success."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its full name, the generated function that registers a servicer, and its rpcs."""

    name: str
    add_to_server: Callable[[Any, Any], None]
    rpcs: tuple[Rpc, ...]
    file: FileDescriptor
    """Where it is defined."""

    @property
    def internal(self) -> bool:
        """Whether only gateways may call it."""
        return all(rpc.access.gateway for rpc in self.rpcs)


def _rpc(service: ServiceDescriptor, method: MethodDescriptor) -> Rpc:
    options = method.GetOptions()
    return Rpc(
        path=f"/{service.full_name}/{method.name}",
        service=service.full_name,
        name=method.name,
        request=GetMessageClass(method.input_type),
        response=GetMessageClass(method.output_type),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        access=options.Extensions[options_pb2.access],
        tenancy=options.Extensions[options_pb2.tenancy],
        idempotency=options.idempotency_level,
        success_status=options.Extensions[options_pb2.success_status] or 200,
    )


@cache
def services() -> Mapping[str, Service]:
    """Returns the services by full name. The first call imports all generated service modules."""
    found: dict[str, Service] = {}
    for module in pkgutil.walk_packages(generated.__path__, f"{generated.__name__}."):
        if not module.name.endswith(_SUFFIX):
            continue
        descriptor = importlib.import_module(module.name).DESCRIPTOR
        stubs = importlib.import_module(f"{module.name}_grpc")
        for service in descriptor.services_by_name.values():
            found[service.full_name] = Service(
                name=service.full_name,
                add_to_server=getattr(stubs, f"add_{service.name}Servicer_to_server"),
                rpcs=tuple(_rpc(service, method) for method in service.methods),
                file=service.file,
            )
    return MappingProxyType(dict(sorted(found.items())))


@cache
def rpcs() -> Mapping[str, Rpc]:
    """Returns every rpc by path."""
    return MappingProxyType({rpc.path: rpc for service in services().values() for rpc in service.rpcs})
