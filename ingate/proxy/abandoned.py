"""What becomes of answers whose callers have left: read on for the usage at their end, or stopped.

Knows no provider and no connection.
"""

from ingate.proxy.open_exchange import OpenExchange

MOST = 128
"""Abandoned answers of one key that are read on at a time. Each keeps its place among the calls under way."""


class Abandoned:
    """Whether abandoned answers are read on (`drain`), for how many seconds at most, and for how many bytes."""

    def __init__(self, *, drain: bool, seconds: float, size: int) -> None:
        self._seconds = seconds if drain else 0.0
        self.bytes = size if drain else 0
        self._counts: dict[str, int] = {}

    def grace(self, exchange: OpenExchange) -> float:
        """The caller has left after the head of the answer came: returns for how many seconds it may go on.

        What is more than 0 is counted until `ended`. An exchange that is recorded has nothing more to learn.
        """
        key = exchange.grant.key_id
        count = self._counts.get(key, 0)
        if not self._seconds or count >= MOST or exchange.settled:
            return 0.0
        self._counts[key] = count + 1
        exchange.read_on = True
        return self._seconds

    def ended(self, exchange: OpenExchange) -> None:
        """An exchange that is read on has ended."""
        key = exchange.grant.key_id
        count = self._counts[key] - 1
        if count:
            self._counts[key] = count
        else:
            del self._counts[key]
