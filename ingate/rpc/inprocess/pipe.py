"""A bounded pipe of messages, one direction of a streaming call. Knows bytes only."""

import asyncio
from collections import deque

import grpc.aio

WINDOW = 65_535
"""Unread bytes from which a writer waits: HTTP/2's initial flow control window."""

_FRAME = 5
"""Bytes gRPC puts before each message; counting them keeps empty messages bounded too."""


class Pipe:
    """Messages in order, for one writer and one reader at a time; a second raises `grpc.aio.InternalError`."""

    __slots__ = ("_broken", "_ended", "_loop", "_messages", "_reader", "_unread", "_writer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: deque[bytes] = deque()
        self._unread = 0
        self._ended = False
        self._broken = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    @property
    def drained(self) -> bool:
        """Whether nothing is left to read for now."""
        return not self._messages

    async def put(self, message: bytes) -> bool:
        """Appends a message once there is room; returns False when nobody will read it."""
        if self._writer is not None:
            raise grpc.aio.InternalError("A write is already waiting on this RPC.")
        while self._unread >= WINDOW and not self._broken:
            self._writer = self._loop.create_future()
            try:
                await self._writer
            finally:
                self._writer = None
        if self._broken:
            return False
        self._messages.append(message)
        self._unread += len(message) + _FRAME
        _wake(self._reader)
        return True

    async def get(self) -> bytes | None:
        """Returns the next message, or None after the last."""
        if self._reader is not None:
            raise grpc.aio.InternalError("A read is already waiting on this RPC.")
        while not self._messages and not self._ended:
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._unread -= len(message) + _FRAME
        if self._unread < WINDOW:
            _wake(self._writer)
        return message

    def end(self) -> None:
        """No message follows those already written."""
        self._ended = True
        _wake(self._reader)

    def sever(self) -> None:
        """Drops what is unread; readers find the end, writers find nobody."""
        self._ended = self._broken = True
        self._messages.clear()
        self._unread = 0
        _wake(self._reader)
        _wake(self._writer)


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
