"""A request's body as it arrives on a connection. Knows its framing and its bounds; nothing of what it means."""

import asyncio
from typing import Protocol

from ingate.errors import BadRequest, TooLarge
from rest_facade.failures import REQUEST_TIMEOUT
from rest_facade.http1.chunks import BadChunk, ChunkDecoder

SLOWEST = 8192
"""Bytes per second that a body must bring on average, once the first wait is over."""
UNASKED = 256 * 1024
"""Bytes that are taken before anybody asks for the body."""


class Late(BadRequest):
    """The body does not arrive."""

    reason = REQUEST_TIMEOUT


class Source(Protocol):
    """What a body asks of the connection that fills it."""

    def pause(self) -> None:
        """Stops reading."""

    def resume(self) -> None:
        """Reads on."""

    def continue_(self) -> None:
        """Tells the caller, if it waits for that, that the body is wanted."""


class Body:
    """One body. `complete` when all of it is here; whoever reads it gets it whole."""

    __slots__ = ("_asked", "_chunks", "_failure", "_left", "_pieces", "_source", "_waiter", "complete", "size")

    def __init__(self, source: Source, length: int, *, chunked: bool) -> None:
        self._source = source
        self._left = length
        self._chunks = ChunkDecoder() if chunked else None
        self._pieces: list[bytes] = []
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._asked = False
        self.size = 0
        self.complete = not length and not chunked

    def feed(self, data: bytes) -> bytes:
        """Takes what belongs to the body and returns what follows it."""
        if self.complete or self._failure is not None:
            return data if self.complete else b""
        if self._chunks is not None:
            return self._feed_chunks(self._chunks, data)
        size = len(data)
        left = self._left = self._left - size
        if left < 0:
            rest, data = data[left:], data[:left]
            size += left
        else:
            rest = b""
        self._pieces.append(data)
        self.size += size
        self.complete = left <= 0
        if self._waiter is not None or left > 0:  # mostly all of it comes with the head
            self._arrived()
        return rest

    def _feed_chunks(self, chunks: ChunkDecoder, data: bytes) -> bytes:
        try:
            pieces, rest = chunks.feed(data)
        except BadChunk:
            self.fail(badly_framed())
            return b""
        self._pieces += pieces
        self.size += sum(map(len, pieces))
        self.complete = rest is not None
        self._arrived()
        return rest or b""

    def fail(self, failure: Exception) -> None:
        """Ends the body where it is: whoever reads it gets the failure."""
        if not self.complete and self._failure is None:
            self._failure = failure
            self._wake()

    def _arrived(self) -> None:
        if not self.complete and not self._asked and self.size > UNASKED:
            self._source.pause()
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def read(self, limit: int, patience: float) -> bytes:
        """Returns the whole body.

        Raises TooLarge beyond `limit` bytes, BadRequest for broken framing, `Late` when nothing or too little
        arrives within `patience` seconds (longer in proportion to what did arrive), `ClientGone`. A body that is
        announced as too large is refused unread; `Expect: 100-continue` is answered when the body is wanted.
        """
        if self.size + max(self._left, 0) > limit:
            raise too_large(limit)
        if not self.complete:
            await self._read(limit, patience)
        pieces = self._pieces
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _read(self, limit: int, patience: float) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._asked = True
        self._source.resume()
        self._source.continue_()
        try:
            async with asyncio.timeout_at(started + patience) as deadline:
                while not self.complete:
                    if self._failure is not None:
                        raise self._failure
                    self._waiter = loop.create_future()
                    await self._waiter
                    if self.size > limit:
                        raise too_large(limit)
                    deadline.reschedule(started + patience + self.size / SLOWEST)
        except TimeoutError:
            raise Late("the request did not arrive in time") from None


def badly_framed() -> BadRequest:
    """Returns the refusal of a body whose end cannot be told."""
    return BadRequest("the request body is not framed as HTTP demands")


def too_large(limit: int) -> TooLarge:
    """Returns the refusal of a body with more than `limit` bytes."""
    return TooLarge(f"the request body is larger than {limit} bytes", metadata={"limit": str(limit)})
