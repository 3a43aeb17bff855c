"""What is learned from the response of one exchange. Knows nothing of how.

A struct rather than a dataclass, because one is made for every response and it costs a fifth.
"""

from msgspec import Struct

from ingate.formats.usage import Usage
from ingate.remembered import Remembered

MAX_TEXT = 64 * 1024
"""Characters of prompt and of completion that are kept; the rest is left out."""

Pairs = tuple[tuple[str, str], ...]
"""Names and values."""

_Ended = tuple[str | None, str | None, int]


class ResponseFacts(Struct, frozen=True, gc=False):
    """What a response says of itself. `None` where it does not say, or says it with the wrong type.

    `completion` is the text answered, at most `MAX_TEXT` characters, `None` when there was none.
    `finish_reason` is the provider's own word. `complete` says that a stream reached its terminal
    marker, or that a whole body could be parsed. `error` is what the provider reported as an
    error, at most 500 characters; or why the body could not be read, and then starts with
    `unreadable: `. `tool_calls` counts calls the caller is asked to make.
    """

    model: str | None
    usage: Usage
    completion: str | None
    finish_reason: str | None
    complete: bool
    error: str | None
    tool_calls: int

    @property
    def metadata(self) -> Pairs:
        """What an exchange has no field of its own for, as names and values."""
        return _metadata[self.finish_reason, self.error, self.tool_calls]


def _pairs(ended: _Ended) -> Pairs:
    finish_reason, error, tool_calls = ended
    stated = {"finish_reason": finish_reason, "provider_error": error, "tool_calls": tool_calls or None}
    return tuple((name, str(value)) for name, value in stated.items() if value is not None)


_metadata: Remembered[_Ended, Pairs] = Remembered(_pairs, lambda ended: len(ended[0] or "") + len(ended[1] or ""))
"""Remembered: nearly all answers end alike."""
