"""Calls rpcs over a channel by their full names. Knows descriptors and metadata; nothing of HTTP or of servicers."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor

from gen.ingate.options.v1 import options_pb2
from rest_facade import services

Metadata = Sequence[tuple[str, str | bytes]]
Stream: TypeAlias = "grpc.aio.UnaryStreamCall[Any, bytes]"
# Quoted: the class is generic to the type checker only.


@dataclass(frozen=True, slots=True)
class Rpc:
    """One rpc on one channel: makes its request messages and calls it.

    `public`: it needs no credential. `person`: it needs a session.
    """

    name: str
    new_request: Callable[[], Any]
    request_type: Descriptor
    response_type: Descriptor
    public: bool
    person: bool
    parse: Callable[[bytes], Any]
    call: Callable[[Any, Metadata], Awaitable[tuple[Any, Metadata]]]
    """Request and metadata → response and trailing metadata; of an rpc that streams, the first response and initial
    metadata. Raises `grpc.aio.AioRpcError`."""
    stream: Callable[[Any, Metadata], Stream] | None = None
    """Begins a call of an rpc that streams, whose responses are bytes; None for one that answers once."""


def resolve(channel: grpc.aio.Channel, full_name: str, timeout: float) -> Rpc:
    """Returns the rpc; each call gets `timeout` seconds, or as long as it streams.

    Raises ValueError for one that does not exist or takes a stream.
    """
    method = services.method(full_name)
    if method.client_streaming:
        raise ValueError(f"{full_name} takes a stream and cannot be transcoded")
    request_class = message_factory.GetMessageClass(method.input_type)
    response_class = message_factory.GetMessageClass(method.output_type)
    service, _, name = full_name.rpartition(".")
    path = f"/{service}/{name}"
    access = method.GetOptions().Extensions[options_pb2.access]
    types = request_class, method.input_type, method.output_type
    described = (full_name, *types, access.public, access.person, response_class.FromString)
    if method.server_streaming:
        streaming: Any = channel.unary_stream(path, request_serializer=request_class.SerializeToString)

        def stream(request: Any, metadata: Metadata) -> Stream:
            begun: Stream = streaming(request, metadata=metadata)
            return begun

        async def first(request: Any, metadata: Metadata) -> tuple[Any, Metadata]:
            begun = streaming(request, metadata=metadata, timeout=timeout)
            try:
                response = await begun.read()
                return response, tuple(await begun.initial_metadata() or ())
            finally:
                begun.cancel()

        return Rpc(*described, first, stream)
    stub: Any = channel.unary_unary(
        path, request_serializer=request_class.SerializeToString, response_deserializer=described[-1]
    )

    async def call(request: Any, metadata: Metadata) -> tuple[Any, Metadata]:
        running = stub(request, metadata=metadata, timeout=timeout)
        response = await running
        return response, tuple(await running.trailing_metadata() or ())

    return Rpc(*described, call)
