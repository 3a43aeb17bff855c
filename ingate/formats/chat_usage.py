"""Usage as OpenAI Chat Completions states it, and under all the names that compatible providers have for its counts."""

from msgspec import Struct

from ingate.formats.stated_cost import Charge, take_charge
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts


class _PromptDetails(Struct, gc=False):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    cache_creation_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None  # Alibaba
    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    video_tokens: Count | None = None


class _OutputDetails(Struct, gc=False):
    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class _ServerTools(Struct, gc=False):
    web_search_requests: Count | None = None


class ChatUsage(Charge, gc=False):
    """Usage as OpenAI states it, and what compatible providers put beside."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: Count | None = None  # DeepSeek
    cached_tokens: Count | None = None  # Moonshot
    num_cached_tokens: Count | None = None  # Mistral
    cached_prompt_text_tokens: Count | None = None  # xAI
    cache_read_input_tokens: Count | None = None  # Anthropic's counts, behind others' gateways
    cache_creation_input_tokens: Count | None = None
    reasoning_tokens: Count | None = None  # Databricks, Perplexity, xAI
    citation_tokens: Count | None = None  # Perplexity
    num_search_queries: Count | None = None
    num_sources_used: Count | None = None  # xAI
    prompt_audio_seconds: Count | None = None  # Mistral
    server_tool_use: _ServerTools | None = None  # OpenRouter


_NO_PROMPT_DETAILS, _NO_OUTPUT_DETAILS = _PromptDetails(), _OutputDetails()


def take_usage(tally: Tally, usage: ChatUsage) -> None:
    """Takes a usage report.

    Of its many counts an answer states a few. What calls and conditions it takes to leave out the others is most of
    what a report costs, so there are as few as can be.
    """
    before = usage.prompt_tokens_details or _NO_PROMPT_DETAILS
    after = usage.completion_tokens_details or _NO_OUTPUT_DETAILS
    # What is paid by the second is not paid by the token, and Mistral has those tokens in the total alone.
    heard = usage.prompt_audio_seconds
    cached, reasoning = before.cached_tokens, after.reasoning_tokens
    if cached is None:
        cached = _first(
            usage.prompt_cache_hit_tokens,
            usage.cached_tokens,
            usage.num_cached_tokens,
            usage.cached_prompt_text_tokens,
            usage.cache_read_input_tokens,
        )
    written = _first(
        before.cache_write_tokens,
        before.cache_creation_tokens,
        before.cache_creation_input_tokens,
        usage.cache_creation_input_tokens,
    )
    tally.count(
        Counts(
            prompt=usage.prompt_tokens,
            cached=cached,
            written=written,
            output=usage.completion_tokens,
            reasoning=usage.reasoning_tokens if reasoning is None else reasoning,
            cited=usage.citation_tokens,
            total=None if heard else usage.total_tokens,
        )
    )
    if heard:
        tally.unit("audio_seconds", heard)
    elif before.audio_tokens:
        tally.unit("input_audio_tokens", before.audio_tokens)
    _take_units(tally, usage, before, after)
    take_charge(tally, usage)


def _take_units(tally: Tally, usage: ChatUsage, before: _PromptDetails, after: _OutputDetails) -> None:
    if count := before.image_tokens:
        tally.unit("input_image_tokens", count)
    if count := before.video_tokens:
        tally.unit("input_video_tokens", count)
    if count := after.audio_tokens:
        tally.unit("output_audio_tokens", count)
    if count := after.image_tokens:
        tally.unit("output_image_tokens", count)
    if count := usage.citation_tokens:
        tally.unit("output_citation_tokens", count)
    searched = usage.server_tool_use
    if count := usage.num_search_queries if searched is None else searched.web_search_requests:
        tally.unit("web_searches", count)
    if count := usage.num_sources_used:
        tally.unit("search_sources", count)


def _first(*counts: int | None) -> int | None:
    """Returns the first count that is stated."""
    for count in counts:
        if count is not None:
            return count
    return None
