"""gRPC inside one process: generated stubs call generated servicers without a socket.

An `InProcessServer` takes what generated `add_*_to_server` functions register; its `channel()` is what generated stubs
are built on. Messages are copied, interceptors run, deadlines and cancellation hold, errors arrive as `AioRpcError`, as
between two processes. Nothing here knows a service or a domain error.
"""

from ingate.rpc.inprocess.channel import InProcessChannel
from ingate.rpc.inprocess.server import InProcessServer

__all__ = ["InProcessChannel", "InProcessServer"]
