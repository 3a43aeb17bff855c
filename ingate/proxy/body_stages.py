"""Stages that see the body of an answer go by, beside its way to the caller; they change nothing and delay nothing."""

from typing import Protocol

from ingate.errors import DomainError
from ingate.formats import ResponseReader, Steps
from ingate.net.budget import BodyBudget
from ingate.proxy.open_exchange import OpenExchange

_UNCOUNTED = 16 * 1024
"""Bytes of an answer that are kept for the record in any case."""
_COUNTED = 64 * 1024
"""Bytes by which more of it is counted."""
_LOOSE = 256


class BodyStage(Protocol):
    """What sees each piece of a body once, in order."""

    def takes(self, size: int) -> bool:
        """Tells whether a piece of that many bytes is work of a moment."""

    def feed(self, piece: bytes) -> Steps[None] | None:
        """Takes a piece; returns what work it leaves to be done before the next one, in bounded steps."""

    def finish(self) -> None:
        """There is no more to come, or none that matters. May be called again."""


class Capture:
    """Keeps the body for the record, `limit` bytes of it at most; what is not kept is read as it goes by.

    `answers` counts what is kept.
    """

    def __init__(self, exchange: OpenExchange, limit: int, answers: BodyBudget) -> None:
        self._exchange = exchange
        self._answers = answers
        self._room = min(limit, _UNCOUNTED)  # bytes that are to be kept yet, and that are counted
        self._beyond = limit - self._room  # bytes that are to be kept yet, and are not counted
        self._loose = 0  # pieces that were kept since some were last joined
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
        """Leaves the end of the reading to who records."""
        self._exchange.response_reader = self._reader

    def _keep(self, piece: bytes) -> None:
        kept = self._exchange.response_body
        kept.append(piece)
        self._room -= len(piece)
        self._loose += 1
        if self._loose == _LOOSE:  # a body of tiny pieces is not to take many times its size
            kept[-_LOOSE:] = [b"".join(kept[-_LOOSE:])]
            self._loose = 0

    def _count(self, size: int) -> bool:
        """Makes room for a piece of the body; tells whether there is any. Without, the record has the beginning."""
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
