"""Token usage in buckets that never overlap.

Providers count differently: some totals include cached or reasoning tokens, some do not.
Each format module says which; this module does the arithmetic. It knows no prices and no JSON.
"""

from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0, le=2**53)]
"""A token count as a provider may state it. Booleans, fractions, negative and absurd numbers do not fit."""


class Usage(Struct, frozen=True, gc=False):
    """Tokens by bucket, disjoint; `None` means the provider did not say, which is not zero.

    `input` excludes both cache buckets, `output` excludes `reasoning`. A struct, as one is made for every answer and a
    frozen dataclass takes eight times as long to make.
    """

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None

    @property
    def total(self) -> int | None:
        """The sum of the buckets the provider stated, `None` when it stated none."""
        if self == _UNSTATED:
            return None
        return (
            (self.input or 0)
            + (self.cache_read or 0)
            + (self.cache_write or 0)
            + (self.output or 0)
            + (self.reasoning or 0)
        )


_UNSTATED = Usage()


class Counts(Struct, gc=False):
    """The provider's own numbers, under the names they have in common."""

    prompt: int | None = None
    cached: int | None = None
    written: int | None = None
    tools: int | None = None
    output: int | None = None
    reasoning: int | None = None
    total: int | None = None

    def update(self, later: "Counts") -> None:
        """Takes every number that is stated later. Reports are cumulative: nothing is added."""
        for name in self.__struct_fields__:
            value = getattr(later, name)
            if value is not None:
                setattr(self, name, value)


def openai_usage(counts: Counts) -> Usage:
    """Prompt includes both cache buckets, output includes reasoning."""
    prompt, cached, written = counts.prompt, counts.cached, counts.written
    output, reasoning = counts.output, counts.reasoning
    if prompt and (cached or written):
        prompt = max(0, prompt - (cached or 0) - (written or 0))
    # A total that is the sum of all three says that output does not include reasoning (xAI reports so).
    if output and reasoning and counts.total != (counts.prompt or 0) + output + reasoning:
        output = max(0, output - reasoning)
    return Usage(prompt, cached, written, output, reasoning)


def anthropic_usage(counts: Counts) -> Usage:
    """Input excludes both cache buckets, output includes thinking."""
    output = counts.output
    if output and counts.reasoning:
        output = max(0, output - counts.reasoning)
    return Usage(counts.prompt, counts.cached, counts.written, output, counts.reasoning)


def gemini_usage(counts: Counts) -> Usage:
    """Prompt includes cached content and excludes tool results; candidates exclude thoughts."""
    prompt = counts.prompt
    if prompt is not None:
        prompt = max(0, prompt - (counts.cached or 0))
    if counts.tools is not None:
        prompt = (prompt or 0) + counts.tools
    return Usage(prompt, counts.cached, None, counts.output, counts.reasoning)


def ollama_usage(counts: Counts) -> Usage:
    """Two plain numbers."""
    return Usage(input=counts.prompt, output=counts.output)
