"""Which paths belong to whom. Knows decoded paths; no dialect."""

from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True, slots=True)
class Claims:
    """Some paths as they are, and some roots with everything below them.

    Paths are decoded; roots do not end in a slash.
    """

    paths: frozenset[str] = frozenset()
    roots: tuple[str, ...] = ()

    def __call__(self, path: str) -> bool:
        """Tells whether a path is among them."""
        return path in self.paths or any(path == root or path.startswith(f"{root}/") for root in self.roots)

    def shared(self, other: "Claims") -> str | None:
        """Returns a path that both claim, None where there is none."""
        # Of two roots that overlap, one is below the other.
        mine, theirs = sorted((*self.paths, *self.roots)), sorted((*other.paths, *other.roots))
        return next(chain(filter(other, mine), filter(self, theirs)), None)
