"""Results of a pure function, remembered: what providers and callers put into heads repeats. Knows no head."""

from collections.abc import Callable
from typing import TypeVar

CAPACITY = 1024
LONGEST = 512

K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """A dict that asks `function` for what it lacks, and so is read at a dict's speed.

    It keeps up to CAPACITY results, those of arguments of up to LONGEST bytes, as `length` measures them. What the
    function raises is raised again each time.
    """

    __slots__ = ("_function", "_length")

    def __init__(self, function: Callable[[K], V], length: Callable[[K], int]) -> None:
        self._function = function
        self._length = length

    def __missing__(self, key: K) -> V:
        value = self._function(key)
        if self._length(key) <= LONGEST:
            if len(self) >= CAPACITY:
                self.clear()  # what repeats is back at once, and a hit need not say when it was
            self[key] = value
        return value
