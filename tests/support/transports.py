"""One small service over either transport: in this process, or over a real socket. Knows no service of the product.

`transport(kind)` gives a `connect`; `async with connect(Ask=handler) as stub` serves `handler` and calls it.
"""

from contextlib import asynccontextmanager

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from ingate.rpc.inprocess import InProcessServer

SERVICE = "parity.v1.Parity"
_KINDS = {
    "Ask": grpc.unary_unary_rpc_method_handler,
    "List": grpc.unary_stream_rpc_method_handler,
    "Collect": grpc.stream_unary_rpc_method_handler,
    "Chat": grpc.stream_stream_rpc_method_handler,
}


class Stub:
    """What a generated stub looks like, with one method of each kind and one that no server has."""

    def __init__(self, channel):
        def method(factory, name):
            return factory(
                f"/{SERVICE}/{name}",
                request_serializer=StringValue.SerializeToString,
                response_deserializer=StringValue.FromString,
                _registered_method=True,
            )

        self.channel = channel
        self.Ask = method(channel.unary_unary, "Ask")
        self.List = method(channel.unary_stream, "List")
        self.Collect = method(channel.stream_unary, "Collect")
        self.Chat = method(channel.stream_stream, "Chat")
        self.Nowhere = method(channel.unary_unary, "Nowhere")


def add_to_server(behaviours, server):
    """Registers handlers by method name, with both calls that generated code makes."""
    handlers = {
        name: _KINDS[name](
            behaviour,
            request_deserializer=StringValue.FromString,
            response_serializer=StringValue.SerializeToString,
        )
        for name, behaviour in behaviours.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_registered_method_handlers(SERVICE, handlers)


@asynccontextmanager
async def _in_process(interceptors=(), max_message_bytes=None, **behaviours):
    limit = {} if max_message_bytes is None else {"max_message_bytes": max_message_bytes}
    server = InProcessServer(interceptors=interceptors, **limit)
    add_to_server(behaviours, server)
    try:
        async with server.channel() as channel:
            yield Stub(channel)
    finally:
        await server.stop(None)


@asynccontextmanager
async def _socket(interceptors=(), max_message_bytes=None, **behaviours):
    options = [] if max_message_bytes is None else [("grpc.max_receive_message_length", max_message_bytes)]
    server = grpc.aio.server(interceptors=interceptors, options=[*options, ("grpc.so_reuseport", 0)])
    add_to_server(behaviours, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            yield Stub(channel)
    finally:
        await server.stop(None)


TRANSPORTS = {"inprocess": _in_process, "socket": _socket}


def text(value):
    """A message."""
    return StringValue(value=value)


async def values(messages):
    """The texts of a stream of messages."""
    return [message.value async for message in messages]


async def failure(awaitable):
    """The AioRpcError that awaiting raises."""
    try:
        result = await awaitable
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError(f"no error but {result!r}")
