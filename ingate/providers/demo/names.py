"""The demo provider's models: their names, and how each behaves. Knows no request and no conversation."""

from dataclasses import dataclass
from typing import Self

MODELS = {
    "demo": "Ingate demo",
    "demo-embed": "Ingate demo embeddings",
    "demo-slow": "Ingate demo, at a human pace",
    "demo-refusal": "Ingate demo that refuses",
    "demo-429": "Ingate demo that is rate limited",
    "demo-500": "Ingate demo that fails",
    "demo-timeout": "Ingate demo that never answers",
    "demo-cut": "Ingate demo that breaks off",
}
"""The models that are listed, with their display names. Every name that begins with `demo` is answered."""

ALL = "all"
LEAST_STATUS, MOST_STATUS = 400, 599
FIRST_SECONDS = 0.4
PIECE_SECONDS = 0.04
"""Until `demo-slow` begins, and between its tokens: about five words a second, as fast as people read."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a model behaves beside what it says.

    `status`: it answers nothing but this HTTP error. `first_seconds`, `piece_seconds`: it waits before its first piece
    and before each further one. `refuses`: it says that it will not. `silent`: it never answers. `cut`: it breaks off.
    """

    status: int | None = None
    first_seconds: float = 0.0
    piece_seconds: float = 0.0
    refuses: bool = False
    silent: bool = False
    cut: bool = False


_PLAIN = Manner()
_MANNERS = {
    "demo-slow": Manner(first_seconds=FIRST_SECONDS, piece_seconds=PIECE_SECONDS),
    "demo-refusal": Manner(refuses=True),
    "demo-timeout": Manner(silent=True),
    "demo-cut": Manner(cut=True),
}


def manner(model: str) -> Manner:
    """Returns how the model behaves; a tag (`demo-slow:latest`) changes nothing. `demo-NNN` answers status NNN."""
    base = model.partition(":")[0]
    found = _MANNERS.get(base)
    if found is not None:
        return found
    number = base.removeprefix("demo-")
    if number != base and len(number) == 3 and number.isascii() and number.isdigit():
        status = int(number)
        if LEAST_STATUS <= status <= MOST_STATUS:
            return Manner(status=status)
    return _PLAIN


@dataclass(frozen=True, slots=True)
class Roster:
    """The names that the provider answers for: its own, and `others`, such as vendors' models; or all there are."""

    others: tuple[str, ...] = ()
    everything: bool = False

    @classmethod
    def of(cls, setting: str) -> Self:
        """Returns the roster of the setting `demo_models`: names separated by commas, or `all`."""
        words = [word for word in (part.strip() for part in setting.split(",")) if word]
        return cls(tuple(dict.fromkeys(word for word in words if word != ALL)), ALL in words)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are listed."""
        return (*MODELS, *(name for name in self.others if name not in MODELS))

    def has(self, model: str) -> bool:
        """Tells whether a model of this name is answered for."""
        return self.everything or model.startswith("demo") or model in self.others
