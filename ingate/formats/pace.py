"""Work that is done a piece at a time, and what one body may cost. Counts work, not time; knows no event loop.

One unit is what takes about a microsecond: a token, 32 bytes of structure, 1 KiB of a long string. Work is written as a
generator that yields between pieces: on an event loop others run there, elsewhere the work continues.
"""

from collections.abc import Generator
from typing import TypeVar

from ingate.formats.malformed import TooLarge

LARGE = 128 * 1024
"""Bytes of the longest body that is read in one piece."""
SLICE = 32 * 1024
"""Bytes that are looked at in one piece: at most about a millisecond, whatever they hold."""
MOST = 2_000_000
"""Units that one body may cost."""

_PIECE = 700

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Work that yields between its pieces and returns its result."""


class Pace:
    """How much has been done since others had their turn. Shared by all that is done in one go."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _PIECE

    def spend(self, units: int) -> bool:
        """Counts units of work; tells whether it is time to let others run."""
        self._left -= units
        if self._left > 0:
            return False
        self._left = _PIECE
        return True


class Budget:
    """What is left for one body, at the pace of all work around it."""

    __slots__ = ("_left", "_pace")

    def __init__(self, pace: Pace, most: int = MOST) -> None:
        self._pace = pace
        self._left = most

    def spend(self, units: int) -> bool:
        """Counts units of work; tells whether it is time to let others run. Raises `TooLarge` when none are left."""
        self._left -= units
        if self._left < 0:
            raise TooLarge
        return self._pace.spend(units)


def at_once(steps: Steps[T]) -> T:
    """Returns the result of work that nobody waits beside."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            result: T = ended.value
            return result
