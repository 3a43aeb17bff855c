"""Stages that change the body of an answer on its way to the caller. Knows no particular stage.

Nothing here runs for an answer without a stage.
"""

from collections.abc import Generator, Mapping
from typing import Protocol

import structlog

from ingate.pacing import paced
from ingate.proxy.ports import BadResponse, Headers, Receiver, UpstreamResponse

_log = structlog.get_logger(__name__)

AT_ONCE = 4096
"""Bytes that a stage is fed at a time; between them, other tasks run."""


class Stage(Protocol):
    """Changes a body as it comes. Holds back as little as possible."""

    def feed(self, chunk: bytes) -> bytes:
        """Takes the next bytes of the body and returns those that can be sent now."""

    def finish(self) -> bytes:
        """Returns what is left when the body has ended. May be called again."""


class _Wrapper:
    """A response with the head of another."""

    __slots__ = ("_response", "headers", "length", "named", "status")

    def __init__(self, response: UpstreamResponse, length: int | None) -> None:
        self._response = response
        self.status: int = response.status
        self.headers: Headers = response.headers
        self.named: Mapping[bytes, bytes] = response.named
        self.length = length

    async def aclose(self) -> None:
        """Releases the connection."""
        await self._response.aclose()


class Staged(_Wrapper):
    """A response whose body passes through a stage; implements `UpstreamResponse`.

    If the provider breaks off, the bytes that the stage holds back are lost: they are an incomplete event. If the stage
    fails, the answer is broken off, since the stage may be there to hide something from the caller.
    """

    __slots__ = ("_failed", "_receiver", "_stage")

    def __init__(self, response: UpstreamResponse, stage: Stage) -> None:
        super().__init__(response, None)  # the length is not known before the end
        self._stage = stage
        self._receiver: Receiver | None = None  # of the read that waits
        self._failed: BadResponse | None = None

    async def read(self, receiver: Receiver | None = None) -> bytes:
        """Returns the next piece that has passed, `b""` at the end, or raises an `UpstreamError`."""
        stage = self._stage
        self._receiver = receiver
        while chunk := await self._response.read(self if receiver is not None else None):
            if self._failed is not None:
                raise self._failed
            try:
                passed = stage.feed(chunk) if len(chunk) <= AT_ONCE else await paced(_feeding(stage, chunk))
            except Exception as error:
                raise self._fail(error) from error
            if passed:
                return passed
        if self._failed is not None:
            raise self._failed
        try:
            return stage.finish()
        except Exception as error:
            raise self._fail(error) from error

    def accepts(self, size: int) -> bool:
        """Tells whether a piece can be fed to the stage at once, and what passes handed on."""
        receiver = self._receiver
        return size <= AT_ONCE and self._failed is None and receiver is not None and receiver.accepts(size)

    def accept(self, piece: bytes) -> None:
        """Feeds a piece to the stage and hands on what passes."""
        try:
            passed = self._stage.feed(piece)
        except Exception as error:  # noqa: BLE001 -- the connection cannot handle it; the next read raises it
            self._fail(error)
            return
        if passed and self._receiver is not None:
            self._receiver.accept(passed)

    def take(self) -> None:
        """Returns None: the body is to be read."""

    def _fail(self, error: Exception) -> BadResponse:
        # The message is left out: it may quote the body.
        _log.error("stage_failed", stage=type(self._stage).__name__, error=type(error).__name__)
        self._failed = BadResponse("its answer could not be processed")
        return self._failed


def _feeding(stage: Stage, chunk: bytes) -> Generator[None, None, bytes]:
    """Feeds a stage a large chunk, a piece at a time."""
    passed = []
    for start in range(0, len(chunk), AT_ONCE):
        passed.append(stage.feed(chunk[start : start + AT_ONCE]))
        yield
    return b"".join(passed)


class ReadAhead(_Wrapper):
    """A response whose beginning has been read; implements `UpstreamResponse`."""

    __slots__ = ("_first",)

    def __init__(self, response: UpstreamResponse, first: bytes) -> None:
        super().__init__(response, response.length)
        self._first = first

    async def read(self, receiver: Receiver | None = None) -> bytes:
        """Returns what was read, then the rest piece by piece, or raises an `UpstreamError`."""
        first, self._first = self._first, b""
        return first or await self._response.read(receiver)

    def take(self) -> bytes | None:
        """Returns the whole body if all of it is here, None otherwise."""
        rest = self._response.take()
        if rest is not None:
            rest, self._first = self._first + rest, b""
        return rest

    async def aclose(self) -> None:
        """Releases the connection."""
        self._first = b""
        await super().aclose()
