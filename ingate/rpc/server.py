"""The gRPC server: servicers behind interceptors on a TCP port or a unix socket, with health and reflection.

Knows neither the servicers it is given nor what the interceptors do.
"""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc

from ingate.rpc.connect import KEEPALIVE_MS, KEEPALIVE_TIMEOUT_MS, MAX_MESSAGE_BYTES, METADATA_BYTES
from ingate.rpc.door import Door
from ingate.rpc.services import services

MAX_CONNECTIONS = 1_000

HANDSHAKE_MS = 10_000
"""Milliseconds in which a connection must have said that it speaks HTTP/2."""

IDLE_MS = 5 * 60_000
"""Milliseconds after which a connection without a call is closed; clients make another when they need it."""

_UNIX = "unix:"


class RpcServer:
    """A server that listens. Made by `start`."""

    def __init__(self, server: grpc.aio.Server, door: Door, health: Any, port: int, target: str) -> None:
        self._server = server
        self._door = door
        self._health = health
        self.port = port
        """The TCP port in use; 0 on a unix socket."""
        self.target = target
        """What a client on the same machine passes to `connect`."""

    async def set_serving(self, service: str, *, serving: bool) -> None:
        """Sets what the health service says of a service, by full name; `""` is the server as a whole."""
        from grpc_health.v1 import health_pb2  # noqa: PLC0415 -- loaded by then, kept out of importing this module

        states = health_pb2.HealthCheckResponse
        await self._health.set(service, states.SERVING if serving else states.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        """Reports NOT_SERVING, refuses new calls, lets running ones end for `grace` seconds, then cancels them.

        Calls whose caller showed no accepted credential are ended at once. Other streams that only end with their
        client hold it up for the whole of it: end them first where that matters.
        """
        await self._health.enter_graceful_shutdown()
        self._door.cut()
        await self._server.stop(grace)


async def start(
    address: str,
    servicers: Mapping[str, Any],
    *,
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    door: Door | None = None,
    tls: tuple[bytes, bytes] | None = None,
) -> RpcServer:
    """Serves `servicers`, given by full service name, on `host:port` (port 0 picks one) or `unix:/path`.

    `door` is the one that the interceptors know. `tls` is a private key and its certificate chain, in PEM.

    Raises ValueError for a service that does not exist, and OSError where the address cannot be had.
    """
    # Late: these two take longer to import than the rest of this package, and only a server needs them.
    from grpc_health.v1 import health, health_pb2  # noqa: PLC0415 -- see above

    from ingate.rpc.reflection import add_health, add_reflection  # noqa: PLC0415 -- see above

    known = services()
    if unknown := set(servicers) - set(known):
        raise ValueError(f"no such service: {', '.join(sorted(unknown))}")
    door = door or Door()
    server = grpc.aio.server(interceptors=tuple(interceptors), options=_options(door.max_message_bytes))
    for name, servicer in servicers.items():
        known[name].add_to_server(servicer, server)
    checks = health.aio.HealthServicer()
    add_health(checks, server)
    add_reflection([known[name] for name in servicers], server)
    try:
        if tls is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, grpc.ssl_server_credentials([tls]))
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}") from error
    await server.start()
    for name in servicers:
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    if address.startswith(_UNIX):
        _keep_private(address)
        return RpcServer(server, door, checks, 0, address)
    return RpcServer(server, door, checks, bound, f"{_reachable(address)}:{bound}")


def _keep_private(address: str) -> None:
    """Lets only this user connect to a unix socket, as only this user may read our files."""
    Path(address.removeprefix(_UNIX)).chmod(stat.S_IRUSR | stat.S_IWUSR)


def _reachable(address: str) -> str:
    host = address.rpartition(":")[0]
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104 -- not a binding


def _options(max_request_bytes: int) -> tuple[tuple[str, int], ...]:
    return (
        # Refused as soon as its length is known, before its bytes; one that is compressed, when it grows beyond.
        ("grpc.max_receive_message_length", max_request_bytes),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # No probe of the bandwidth: it would let megabytes of a message in before its caller is judged.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.max_metadata_size", METADATA_BYTES),
        # Two servers on one port would each get some of the calls; the second must fail to start.
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", 1_000),
        ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        ("grpc.max_connection_idle_ms", IDLE_MS),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        # gRPC takes probes more often than every five minutes for an attack; ours come at KEEPALIVE_MS, stream or none.
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 3),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_MS // 3),
        ("grpc.keepalive_permit_without_calls", 1),
    )
