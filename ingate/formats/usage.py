"""Providers' own counts as token usage in buckets that never overlap.

Providers count differently: some totals include cached or reasoning tokens, some do not.
Each format module says which; this module does the arithmetic. It knows no prices and no JSON.
"""

from typing import Annotated

from msgspec import Meta, Struct

from ingate.pricing.usage import Usage

Count = Annotated[int, Meta(ge=0, le=2**53)]
"""A token count as a provider may state it. Booleans, fractions, negative and absurd numbers do not fit."""


class Counts(Struct, gc=False):
    """The provider's own numbers, under the names they have in common."""

    prompt: int | None = None
    cached: int | None = None
    written: int | None = None
    tools: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cited: int | None = None
    total: int | None = None

    def update(self, later: "Counts") -> None:
        """Takes every number that is stated later. Reports are cumulative: nothing is added."""
        for name in self.__struct_fields__:
            value = getattr(later, name)
            if value is not None:
                setattr(self, name, value)


def openai_usage(counts: Counts) -> Usage:
    """Prompt includes both cache buckets and output includes reasoning, unless the stated total says otherwise.

    Providers that are compatible with OpenAI differ here; a total that is the sum of the parts tells which it is. What
    a total holds beyond prompt and output is reasoning, where none is stated (Google's compatible API reports so).
    Who counts citations (Perplexity) counts reasoning beside the output too, and neither in the total.
    """
    prompt, cached, written = counts.prompt, counts.cached, counts.written
    output, reasoning, total = counts.output, counts.reasoning, counts.total
    aside = (cached or 0) + (written or 0)
    outside = counts.cited or 0
    both = (prompt or 0) + (output or 0) + outside
    if prompt is not None and aside:
        if total == both and aside > prompt:
            cached = min(cached or 0, prompt)
            written = prompt - cached
            prompt = 0
        elif aside <= prompt and total != both + aside:
            prompt -= aside
    if counts.cited:
        output = (output or 0) + counts.cited
    if reasoning is None:
        if total is not None and output is not None and total > both + aside:
            reasoning = total - both
    elif output and counts.cited is None and total not in {both + reasoning, both + aside + reasoning}:
        if total == both:
            reasoning = min(reasoning, output)
        output = max(0, output - reasoning)
    return Usage(prompt, cached, written, output, reasoning)


def anthropic_usage(counts: Counts) -> Usage:
    """Input excludes both cache buckets, output includes thinking."""
    output = counts.output
    if output and counts.reasoning:
        output = max(0, output - counts.reasoning)
    return Usage(counts.prompt, counts.cached, counts.written, output, counts.reasoning)


def gemini_usage(counts: Counts) -> Usage:
    """Prompt includes cached content and excludes tool results; candidates exclude thoughts.

    Thoughts that are not stated are what the total holds beyond the rest.
    """
    prompt, reasoning = counts.prompt, counts.reasoning
    if reasoning is None and counts.total is not None and prompt is not None:
        beyond = counts.total - prompt - (counts.tools or 0) - (counts.output or 0)
        reasoning = beyond if beyond > 0 else None
    if prompt is not None:
        prompt = max(0, prompt - (counts.cached or 0))
    if counts.tools is not None:
        prompt = (prompt or 0) + counts.tools
    return Usage(prompt, counts.cached, None, counts.output, reasoning)


def ollama_usage(counts: Counts) -> Usage:
    """Two plain numbers."""
    return Usage(input=counts.prompt, output=counts.output)
