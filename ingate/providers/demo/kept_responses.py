"""The responses that a later request may name, the latest ones, in memory. Knows conversations, no wire format."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from ingate.providers.demo.model import Turn

MOST_BYTES = 16 * 1024 * 1024
"""Of all that is kept, about; what was kept first is forgotten first."""
LARGEST_BYTES = 256 * 1024
"""Of one response and its conversation; a larger one is not kept."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A response as it was answered, and the conversation up to its end, without instructions."""

    response: dict[str, Any]
    turns: tuple[Turn, ...]
    size: int


class KeptResponses:
    """Responses by organisation and id: nobody finds those of another organisation."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._bytes = 0

    def of(self, org: str) -> "Shelf":
        """Returns what one organisation sees."""
        return Shelf(self, org)

    def keep(self, org: str, name: str, kept: Kept) -> None:
        """Keeps a response unless it is too large, and forgets the oldest for it."""
        if kept.size > LARGEST_BYTES:
            return
        self.drop(org, name)
        self._kept[org, name] = kept
        self._bytes += kept.size
        while self._bytes > MOST_BYTES:
            self._bytes -= self._kept.popitem(last=False)[1].size

    def find(self, org: str, name: str) -> Kept | None:
        """Returns a response if it is kept."""
        return self._kept.get((org, name))

    def drop(self, org: str, name: str) -> bool:
        """Forgets a response; tells whether it was kept."""
        kept = self._kept.pop((org, name), None)
        self._bytes -= kept.size if kept is not None else 0
        return kept is not None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The responses of one organisation."""

    all: KeptResponses
    org: str

    def keep(self, name: str, response: dict[str, Any], turns: tuple[Turn, ...], size: int) -> None:
        """Keeps a response that is `size` bytes long, with its conversation."""
        whole = size + sum(len(turn.text) + 64 for turn in turns)
        self.all.keep(self.org, name, Kept(response, turns, whole))

    def find(self, name: str) -> Kept | None:
        """Returns a response if it is kept."""
        return self.all.find(self.org, name)

    def drop(self, name: str) -> bool:
        """Forgets a response; tells whether it was kept."""
        return self.all.drop(self.org, name)
