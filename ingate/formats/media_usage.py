"""Usage as the endpoints for sound, pictures, and ranking state it: tokens by kind, or seconds, under several names.

Knows no endpoint.
"""

from math import ceil
from typing import Annotated

from msgspec import Meta, Struct

from ingate.formats.stated_cost import Charge, take_charge
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts

Seconds = Annotated[float, Meta(ge=0, le=2**31)]
"""The length of a recording as a provider may state it."""


class _Kinds(Struct, gc=False):
    """How many of some tokens are of which kind."""

    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class _Input(_Kinds, gc=False):
    cached_tokens: Count | None = None
    cached_tokens_details: _Kinds | None = None


class _Output(_Kinds, gc=False):
    reasoning_tokens: Count | None = None


class MediaUsage(Charge, gc=False):
    """A usage report. OpenAI names the details of transcriptions in the singular, those of pictures in the plural."""

    seconds: Seconds | None = None
    prompt_audio_seconds: Seconds | None = None  # Mistral
    input_tokens: Count | None = None
    prompt_tokens: Count | None = None
    output_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    num_cached_tokens: Count | None = None
    input_token_details: _Input | None = None
    input_tokens_details: _Input | None = None
    prompt_tokens_details: _Input | None = None
    output_token_details: _Output | None = None
    output_tokens_details: _Output | None = None
    completion_tokens_details: _Output | None = None


_NO_INPUT, _NO_OUTPUT, _NO_KINDS = _Input(), _Output(), _Kinds()


def take_usage(tally: Tally, usage: MediaUsage) -> None:
    """Takes a usage report.

    A total alone is of what was sent, for nothing was generated; so is what a total holds beyond the rest, where a
    recording was sent: its tokens have no name of their own.
    """
    before = usage.input_token_details or usage.input_tokens_details or usage.prompt_tokens_details or _NO_INPUT
    after = usage.output_token_details or usage.output_tokens_details or usage.completion_tokens_details or _NO_OUTPUT
    prompt = usage.prompt_tokens if usage.input_tokens is None else usage.input_tokens
    output = usage.completion_tokens if usage.output_tokens is None else usage.output_tokens
    total = usage.total_tokens
    if total is not None and (prompt is None or usage.prompt_audio_seconds is not None):
        prompt = max(prompt or 0, total - (output or 0))
    tally.count(
        Counts(
            prompt=prompt,
            cached=usage.num_cached_tokens if before.cached_tokens is None else before.cached_tokens,
            output=output,
            reasoning=after.reasoning_tokens,
        )
    )
    cached = before.cached_tokens_details or _NO_KINDS
    tally.unit("input_audio_tokens", before.audio_tokens)
    tally.unit("input_image_tokens", before.image_tokens)
    tally.unit("cache_audio_read_tokens", cached.audio_tokens)
    tally.unit("cache_image_read_tokens", cached.image_tokens)
    tally.unit("output_audio_tokens", after.audio_tokens)
    tally.unit("output_image_tokens", after.image_tokens)
    take_seconds(tally, usage.prompt_audio_seconds if usage.seconds is None else usage.seconds)
    take_charge(tally, usage)


def take_seconds(tally: Tally, seconds: float | None) -> None:
    """Takes the length of a recording, of which a second that has begun counts."""
    if seconds:
        tally.unit("audio_seconds", ceil(seconds))
