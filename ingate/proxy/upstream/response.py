"""One provider's answer as the caller holds it: head, pieces of body not yet read, and how it ended.

Knows nothing of sockets or parsing. It is an object of its own, one a request, because its connection goes back to the
pool when the last byte is in: a caller that still reads, or closes late, must not touch the next request's connection.
"""

from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from ingate.proxy.ports import Headers, Receiver, UpstreamError

_PIECE_COST = 64  # bytes a piece costs beside its content: a body in one-byte pieces must not escape the bound


class Feed(Protocol):
    """What a response asks of the connection that fills it."""

    def wait(self, seconds: float) -> Awaitable[None]:
        """Begins to wait until something arrives or the response ends; an ended wait says so in the response."""

    def resume(self) -> None:
        """Reads on if reading was paused because nobody took the pieces."""

    def drop(self) -> None:
        """Closes the connection and ends the response where it is."""


class Response(Struct, eq=False):
    """An `UpstreamResponse`. `status` is 0 until the head is in; `feed` is None once nothing more will arrive."""

    feed: Feed | None
    idle_timeout: float
    status: int = 0
    headers: Headers = []
    named: Mapping[bytes, bytes] = MappingProxyType({})
    length: int | None = None
    failure: UpstreamError | None = None
    buffered: int = 0
    pieces: list[bytes] = []
    receiver: Receiver | None = None

    def put(self, piece: bytes) -> None:
        """Takes a piece of the body in. `buffered` counts its bytes and what keeping it costs."""
        receiver = self.receiver
        if receiver is not None and not self.pieces and receiver.accepts(len(piece)):
            receiver.accept(piece)
            return
        self.pieces.append(piece)
        self.buffered += len(piece) + _PIECE_COST

    def end(self, failure: UpstreamError | None = None) -> None:
        """Nothing more will arrive: the body is complete, or `failure` follows the pieces already here."""
        self.feed = None
        self.failure = failure

    async def read(self, receiver: Receiver | None = None) -> bytes:
        """Returns what has arrived since the last read, `b""` at the end; raises what cut the body short."""
        pieces = self.pieces
        if not pieces and self.feed is not None:
            self.receiver = receiver
            try:
                await self._arrival()
            finally:
                self.receiver = None
        if not pieces:
            if self.failure is not None:
                raise self.broken(self.failure)
            return b""
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.buffered = 0
        if self.feed is not None:
            self.feed.resume()
        return piece

    async def _arrival(self) -> None:
        """Waits for something to read, or the end."""
        try:
            while not self.pieces and self.feed is not None:
                await self.feed.wait(self.idle_timeout)
        except BaseException:
            await self.aclose()
            raise

    def take(self) -> bytes | None:
        """Returns the rest of the body if all of it is here, None otherwise."""
        if self.feed is not None or self.failure is not None:
            return None
        pieces = self.pieces
        rest = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return rest

    @staticmethod
    def broken(failure: UpstreamError) -> UpstreamError:
        """Returns a failure to be raised: raised itself, it would hold the frames that hold what holds it."""
        return type(failure)(*failure.args)

    async def aclose(self) -> None:
        """Drops the connection unless the body is complete, and what was not read with it. May be called twice."""
        self.pieces.clear()
        if self.feed is not None:
            self.feed.drop()
