"""A request's body as it arrives on a connection. Knows its framing and its bounds; nothing of what it means."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from ingate.errors import BadRequest, DomainError, TooLarge, Unavailable
from ingate.net.budget import BodyBudget, Lease
from rest_facade.failures import REQUEST_TIMEOUT
from rest_facade.http1.chunks import BadChunk, ChunkDecoder

SLOWEST = 8192
"""Bytes per second that a body must bring on average, once the first wait is over."""
UNASKED = 256 * 1024
"""Bytes that are taken before anybody asks for the body."""
_COPIED = 1024 * 1024
"""A larger body is handed on in the buffer that it was gathered in: to copy it would take all others' time."""


class Late(BadRequest):
    """The body does not arrive."""

    reason = REQUEST_TIMEOUT


class Source(Protocol):
    """What a body asks of the connection that fills it."""

    def pause(self) -> None:
        """Stops reading."""

    def resume(self) -> None:
        """Reads on."""

    def take_turns(self, number: int | None) -> int:
        """Reads on when others who send much, and have a lower number, have been read. Returns the number."""

    def continue_(self) -> None:
        """Tells the caller, if it waits for that, that the body is wanted."""


class Body(Lease):
    """One body. `complete` when all of it has come; its reader gets it whole, once.

    It is the lease of its own bytes, which count until `discard`. `asked` tells that somebody waits for it.
    """

    __slots__ = ("_chunks", "_failure", "_kept", "_left", "_number", "_source", "_waiter", "asked", "complete", "size")

    def __init__(self, source: Source, length: int, budget: BodyBudget, address: str, *, chunked: bool) -> None:
        super().__init__(budget, address)
        self._source = source
        self._left = length
        self._chunks = ChunkDecoder() if chunked else None
        self._kept: bytes | bytearray = b""
        # What makes the exception: one that was raised holds on to the frames it passed, and with them to all of this.
        self._failure: Callable[[], Exception] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._number: int | None = None  # among large bodies: who began first is read first, and so is complete
        self.asked = False
        self.size = 0
        self.complete = not length and not chunked

    def feed(self, data: bytes) -> bytes:
        """Takes what belongs to the body and returns what follows it."""
        if self.complete or self._failure is not None:
            return data if self.complete else b""
        if self._chunks is not None:
            return self._feed_chunks(self._chunks, data)
        left = self._left = self._left - len(data)
        if left < 0:
            rest, data = data[left:], data[:left]
        else:
            rest = b""
        if self._keep(data):
            self.complete = left <= 0
            if self._waiter is not None or left > 0:  # mostly all of it comes with the head
                self._arrived()
        return rest

    def _feed_chunks(self, chunks: ChunkDecoder, data: bytes) -> bytes:
        try:
            pieces, rest = chunks.feed(data)
        except BadChunk:
            self.fail(badly_framed)
            return b""
        if pieces and not self._keep(pieces[0] if len(pieces) == 1 else b"".join(pieces)):
            return b""
        self.complete = rest is not None
        self._arrived()
        return rest or b""

    def _keep(self, data: bytes) -> bool:
        size = len(data)
        try:
            self.grow(size)
        except DomainError as refused:
            self.fail(partial(type(refused), refused.message, retry_after=refused.retry_after))
            return False
        self.size += size
        kept = self._kept
        if not kept:
            self._kept = data
        elif isinstance(kept, bytearray):
            kept += data
        else:
            self._kept = bytearray(kept)
            self._kept += data
        return True

    def fail(self, failure: Callable[[], Exception]) -> None:
        """Ends the body where it is: its reader gets the failure, and what came is dropped."""
        if not self.complete and self._failure is None:
            self._failure = failure
            self.discard()
            self._wake()

    def can_give_way(self) -> bool:
        """Tells whether some of it is still to come."""
        return not self.complete

    def give_way(self, refusal: Callable[[], Exception]) -> None:
        """Gives its bytes to an older body, and ends with a refusal."""
        self.fail(refusal)

    def discard(self) -> None:
        """Lets go of what is kept."""
        self._kept = b""
        self.release()

    def _arrived(self) -> None:
        if not self.complete and self.size > UNASKED:
            if self.asked:
                self._number = self._source.take_turns(self._number)
            else:
                self._source.pause()
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def read(self, limit: int, patience: float, organisation: str = "") -> bytes | bytearray:
        """Returns the whole body, which nobody may change. It counts for an organisation if one is named.

        Raises TooLarge beyond `limit` bytes, BadRequest for broken framing, `Late` when nothing or too little
        arrives within `patience` seconds (longer in proportion to what did arrive), RateLimited and Unavailable when
        too many bytes are under way, `ClientGone`. A body that is announced as too large is refused unread;
        `Expect: 100-continue` is answered when the body is wanted.
        """
        if self.size + max(self._left, 0) > limit:
            raise too_large(limit)
        if organisation and (self.held or not self.complete):
            self.move(organisation)
        if not self.complete:
            await self._read(limit, patience)
        kept, self._kept = self._kept, b""
        return kept if len(kept) > _COPIED else bytes(kept)

    async def _read(self, limit: int, patience: float) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.asked = True
        self._source.resume()
        self._source.continue_()
        try:
            async with asyncio.timeout_at(started + patience) as deadline:
                while not self.complete:
                    if self._failure is not None:
                        raise self._failure()
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


def stopping() -> Unavailable:
    """Returns the refusal of a request that the end of the gateway comes before."""
    return Unavailable("the gateway is shutting down", retry_after=1)


def too_large(limit: int) -> TooLarge:
    """Returns the refusal of a body with more than `limit` bytes."""
    return TooLarge(f"the request body is larger than {limit} bytes", metadata={"limit": str(limit)})
