"""Stages that see the pieces of an answer's body as they are sent. They change and delay nothing."""

from typing import Protocol

from ingate.errors import DomainError
from ingate.formats import ResponseReader, Steps
from ingate.net.budget import BodyBudget
from ingate.proxy.open_exchange import OpenExchange

_UNCOUNTED = 16 * 1024
"""Bytes of an answer that are kept for the record without being counted."""
_COUNTED = 64 * 1024
"""Further bytes are counted in steps of so many."""
_LOOSE = 256


class BodyStage(Protocol):
    """Is shown each piece of a body once, in order."""

    def takes(self, size: int) -> bool:
        """Tells whether a piece of so many bytes can be taken without a pause."""

    def feed(self, piece: bytes) -> Steps[None] | None:
        """Takes a piece; returns the work that must be done before the next piece, in bounded steps, None for none."""

    def finish(self) -> None:
        """Ends the body: no piece follows, or none that matters. May be called again."""


class Capture:
    """Keeps at most `limit` bytes of the body for the record. A body that is longer is read as it is sent.

    `answers` counts the bytes that are kept.
    """

    def __init__(self, exchange: OpenExchange, limit: int, answers: BodyBudget) -> None:
        self._exchange = exchange
        self._answers = answers
        self._room = min(limit, _UNCOUNTED)  # bytes that may still be kept, and are counted already
        self._beyond = limit - self._room  # bytes that may still be kept, and are not counted yet
        self._loose = 0  # pieces kept since they were last joined
        self._reader: ResponseReader | None = None

    def takes(self, size: int) -> bool:
        """Tells whether there is room to keep a piece."""
        return size <= self._room or self._count(size)

    def feed(self, piece: bytes) -> Steps[None] | None:
        """Keeps a piece, or returns the reading of it."""
        if len(piece) <= self._room or self._count(len(piece)):
            self._keep(piece)
            return None
        return self._reading(piece)

    def finish(self) -> None:
        """Leaves the reader to the recorder, which finishes it."""
        self._exchange.response_reader = self._reader

    def _keep(self, piece: bytes) -> None:
        kept = self._exchange.response_body
        kept.append(piece)
        self._room -= len(piece)
        self._loose += 1
        if self._loose == _LOOSE:  # else a body of tiny pieces would take many times its size
            kept[-_LOOSE:] = [b"".join(kept[-_LOOSE:])]
            self._loose = 0

    def _count(self, size: int) -> bool:
        """Makes room for a piece and tells whether there is any. Without room, the record has only the beginning."""
        exchange = self._exchange
        if exchange.settled or self._room + self._beyond <= 0:
            return False
        if exchange.kept is None:
            exchange.kept = self._answers.lease_for(exchange.grant.org_id)
        more = max(min(_COUNTED, self._beyond), size - self._room)
        try:
            exchange.kept.grow(more)
        except DomainError:
            self._room = self._beyond = 0
            return False
        self._room += more
        self._beyond -= more
        return True

    def _reading(self, piece: bytes) -> Steps[None]:
        exchange, reader = self._exchange, self._reader
        if reader is None:
            exchange.truncated = True
            reader = ResponseReader(exchange.head.format, exchange.media_type, exchange.response_encoding)
            self._reader = reader
            for kept in exchange.response_body:
                if reader.gather(kept):
                    yield from reader.reading()
        if reader.gather(piece):
            yield from reader.reading()
