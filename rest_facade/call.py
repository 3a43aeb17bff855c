"""Calls rpcs over a channel by their full names. Knows descriptors and metadata; nothing of HTTP or of servicers."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor

from gen.ingate.options.v1 import options_pb2
from rest_facade import services

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Rpc:
    """One unary rpc on one channel: makes its request messages and calls it. `public`: without a credential, too."""

    name: str
    new_request: Callable[[], Any]
    request_type: Descriptor
    response_type: Descriptor
    public: bool
    call: Callable[[Any, Metadata], Awaitable[tuple[Any, Metadata]]]
    """Request and metadata → response and trailing metadata. Raises `grpc.aio.AioRpcError`."""


def resolve(channel: grpc.aio.Channel, full_name: str, timeout: float) -> Rpc:
    """Returns the rpc; each call gets `timeout` seconds. Raises ValueError for one that does not exist or streams."""
    method = services.method(full_name)
    if method.client_streaming or method.server_streaming:
        raise ValueError(f"{full_name} streams and cannot be transcoded")
    request_class = message_factory.GetMessageClass(method.input_type)
    response_class = message_factory.GetMessageClass(method.output_type)
    service, _, name = full_name.rpartition(".")
    stub: Any = channel.unary_unary(
        f"/{service}/{name}",
        request_serializer=request_class.SerializeToString,
        response_deserializer=response_class.FromString,
    )

    async def call(request: Any, metadata: Metadata) -> tuple[Any, Metadata]:
        running = stub(request, metadata=metadata, timeout=timeout)
        response = await running
        return response, tuple(await running.trailing_metadata() or ())

    public = bool(method.GetOptions().Extensions[options_pb2.access].public)
    return Rpc(full_name, request_class, method.input_type, method.output_type, public, call)
