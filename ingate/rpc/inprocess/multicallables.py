"""What a stub's methods are: each begins calls of one method. Knows serialisers; not how a call is begun."""

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import grpc.aio

from ingate.rpc.inprocess.call import Deserializer
from ingate.rpc.inprocess.calls import StreamStreamCall, StreamUnaryCall, UnaryStreamCall, UnaryUnaryCall
from ingate.rpc.inprocess.exchange import Exchange
from ingate.rpc.inprocess.sending import Requests, Serializer, serialize


class Terms(NamedTuple):
    """How a call is made: whether it has many responses, its timeout in seconds, metadata and credentials."""

    responds_many: bool
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None


Begin = Callable[[str, bytes | None, Terms], Exchange]
"""Begins a call of a method, with its serialised request or, for None, with a pipe of them."""


class _MultiCallable:
    """One method of a channel with its serialisers."""

    def __init__(self, begin: Begin, method: str, serializer: Serializer, deserializer: Deserializer) -> None:
        self._begin = begin
        self._method = method
        self._serializer = serializer
        self._deserializer = deserializer


class UnaryUnaryMultiCallable(_MultiCallable, grpc.aio.UnaryUnaryMultiCallable[Any, Any]):
    """Begins calls with one request and one response."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> UnaryUnaryCall:
        """Begins a call; `timeout` is in seconds. There is nothing to wait for and nothing to compress."""
        del wait_for_ready, compression
        message = serialize(request, self._serializer)
        exchange = self._begin(self._method, message, Terms(False, timeout, metadata, credentials))
        return UnaryUnaryCall(exchange, self._deserializer)


class UnaryStreamMultiCallable(_MultiCallable, grpc.aio.UnaryStreamMultiCallable[Any, Any]):
    """Begins calls with one request and many responses."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> UnaryStreamCall:
        """Begins a call; `timeout` is in seconds. There is nothing to wait for and nothing to compress."""
        del wait_for_ready, compression
        message = serialize(request, self._serializer)
        exchange = self._begin(self._method, message, Terms(True, timeout, metadata, credentials))
        return UnaryStreamCall(exchange, self._deserializer)


class StreamUnaryMultiCallable(_MultiCallable, grpc.aio.StreamUnaryMultiCallable[Any, Any]):
    """Begins calls with many requests and one response."""

    def __call__(  # noqa: PLR0917 -- grpc.aio's signature
        self,
        request_iterator: Requests = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> StreamUnaryCall:
        """Begins a call; `timeout` is in seconds. There is nothing to wait for and nothing to compress."""
        del wait_for_ready, compression
        exchange = self._begin(self._method, None, Terms(False, timeout, metadata, credentials))
        return StreamUnaryCall(exchange, self._deserializer, self._serializer, request_iterator)


class StreamStreamMultiCallable(_MultiCallable, grpc.aio.StreamStreamMultiCallable[Any, Any]):
    """Begins calls with many requests and many responses."""

    def __call__(  # noqa: PLR0917 -- grpc.aio's signature
        self,
        request_iterator: Requests = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> StreamStreamCall:
        """Begins a call; `timeout` is in seconds. There is nothing to wait for and nothing to compress."""
        del wait_for_ready, compression
        exchange = self._begin(self._method, None, Terms(True, timeout, metadata, credentials))
        return StreamStreamCall(exchange, self._deserializer, self._serializer, request_iterator)
