"""What is learned from the response of one exchange. Knows nothing of how.

A struct rather than a dataclass, because one is made for every response and it costs a fifth.
"""

from msgspec import Struct

from ingate.pricing.usage import Pairs, Units, Usage
from ingate.remembered import Remembered

MAX_TEXT = 64 * 1024
"""Characters of prompt and of completion that are kept; the rest is left out."""

UNREADABLE = "unreadable: "
BROKEN = "broken: "
"""What begins an error that is ours: the answer may have been good, and could not be read."""
FAILED_REASONS = frozenset(
    {
        "error",
        "failed",
        "abort",  # vLLM
        "insufficient_system_resource",  # DeepSeek
        "network_error",  # Zhipu
        "MALFORMED_FUNCTION_CALL",  # Gemini
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
    }
)

_Ended = tuple[str | None, str | None, int, Pairs]


class ResponseFacts(Struct, frozen=True, gc=False):
    """What a response says of itself. `None` where it does not say, or says it with the wrong type.

    `completion` is the text answered, at most `MAX_TEXT` characters, `None` when there was none.
    `finish_reason` is the provider's own word. `complete` says that a stream reached its terminal
    marker, or that a whole body could be parsed. `error` is what the provider reported as an
    error, at most 500 characters; or why the body was not read, and then starts with `unreadable: `;
    or why nobody can read it, and then starts with `broken: `. `tool_calls` counts calls the caller is
    asked to make. `units` are what else was used and may have a price, `terms` what prices depend on
    beside, such as `service_tier`, and the cost that the provider states itself.
    `unkept` are characters that were answered and are not in `completion`. `estimated`: nobody stated the usage.
    """

    model: str | None
    usage: Usage
    completion: str | None
    finish_reason: str | None
    complete: bool
    error: str | None
    tool_calls: int
    units: Units = ()
    terms: Pairs = ()
    unkept: int = 0
    estimated: bool = False

    def failure(self, *, stream: bool) -> str | None:
        """Returns what failed in an answer whose status says that all is well, None where it says so too."""
        if self.error is not None:
            return None if self.error.startswith(UNREADABLE) else self.error
        if self.finish_reason in FAILED_REASONS:
            return f"the answer ended with {self.finish_reason}"
        return "the stream ended without its last event" if stream and not self.complete else None

    @property
    def metadata(self) -> Pairs:
        """What an exchange has no field of its own for, as names and values."""
        return _metadata[self.finish_reason, self.error, self.tool_calls, self.terms]


def _pairs(ended: _Ended) -> Pairs:
    finish_reason, error, tool_calls, terms = ended
    stated = {"finish_reason": finish_reason, "provider_error": error, "tool_calls": tool_calls or None}
    return (*((name, str(value)) for name, value in stated.items() if value is not None), *terms)


_metadata: Remembered[_Ended, Pairs] = Remembered(_pairs, lambda ended: len(ended[0] or "") + len(ended[1] or ""))
"""Remembered: nearly all answers end alike."""
