"""Channels to a gRPC server of Ingate. Knows no service and no metadata."""

import grpc

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Bytes of one message at most, either way: a request body of the default size limit and its answer fit."""

METADATA_BYTES = 16 * 1024

KEEPALIVE_MS = 30_000
"""Milliseconds of silence after which either side probes the connection. A server must allow clients this pace."""

KEEPALIVE_TIMEOUT_MS = 10_000


def connect(target: str, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> grpc.aio.Channel:
    """Returns a plain-text channel to `host:port` or `unix:/path`. It connects when first used; close it when done."""
    return grpc.aio.insecure_channel(
        target,
        options=(
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.max_metadata_size", METADATA_BYTES),
            ("grpc.keepalive_time_ms", KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
            # A proxy that the environment names is for the world outside, not for our own servers.
            ("grpc.enable_http_proxy", 0),
            # A core that restarts is back within seconds; the default back-off grows to two minutes.
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.min_reconnect_backoff_ms", 1_000),
            ("grpc.max_reconnect_backoff_ms", 3_000),
            # Otherwise channels of one target share a connection, and closing one does not close it.
            ("grpc.use_local_subchannel_pool", 1),
        ),
    )
