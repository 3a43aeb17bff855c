"""Bedrock's Converse: one shape for the models of all vendors. Usage comes at the end; input excludes the cache."""

from msgspec import Raw, Struct

from ingate.formats.fault import describe_body
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts


class _Kept(Struct, gc=False, rename="camel"):
    ttl: str | None = None
    input_tokens: Count | None = None


class _Usage(Struct, gc=False, rename="camel"):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None
    cache_read_input_token_count: Count | None = None  # Nova, invoked
    cache_write_input_token_count: Count | None = None
    cache_details: list[_Kept] | None = None


class _Block(Struct, gc=False, rename="camel"):
    text: str | None = None
    tool_use: Raw = Raw()


class _Message(Struct, gc=False):
    content: list[_Block] | None = None


class _Output(Struct, gc=False):
    message: _Message | None = None


class _Tier(Struct, gc=False):
    type: str | None = None


class _Answer(Struct, gc=False, rename="camel"):
    """A whole answer, or one event of a stream; each kind of event has a member of its own."""

    output: _Output | None = None
    start: _Block | None = None
    delta: _Block | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    service_tier: _Tier | None = None


class Wrapped(_Answer, gc=False, rename="camel"):
    """An event as an invoked model of Amazon's own streams it: under its type."""

    content_block_start: _Answer | None = None
    content_block_delta: _Answer | None = None
    message_stop: _Answer | None = None
    metadata: _Answer | None = None


ANSWER = Shape(_Answer)
_HOUR = "1h"


def event(tally: Tally, data: bytes) -> bool:
    """Takes a whole answer or one event of a stream; tells whether it could be read."""
    answer = ANSWER.read(data)
    if answer is None:
        return False
    take(tally, answer)
    return True


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole answer; tells whether it could be read. What is none is an error."""
    answer = ANSWER.read(data)
    if answer is None:
        return False
    if answer.output is None and answer.usage is None:
        tally.error = describe_body(data)
    take(tally, answer)
    return True


def take(tally: Tally, answer: _Answer) -> None:
    """Takes what an answer or an event says."""
    blocks = (answer.output.message.content or ()) if answer.output is not None and answer.output.message else ()
    for block in (*blocks, answer.start, answer.delta):
        if block is None:
            continue
        if block.text:
            tally.say(block.text)
        # The pieces of its arguments come as a delta of the same name.
        tally.tool_calls += bool(block.tool_use) and block is not answer.delta
    tally.end(answer.stop_reason)
    if answer.service_tier is not None:
        tally.term("service_tier", answer.service_tier.type)
    if answer.usage is not None:
        _usage(tally, answer.usage)


def _usage(tally: Tally, usage: _Usage) -> None:
    read, written = usage.cache_read_input_tokens, usage.cache_write_input_tokens
    tally.count(
        Counts(
            prompt=usage.input_tokens,
            cached=usage.cache_read_input_token_count if read is None else read,
            written=usage.cache_write_input_token_count if written is None else written,
            output=usage.output_tokens,
        )
    )
    kept = (part.input_tokens or 0 for part in usage.cache_details or () if part.ttl == _HOUR)
    tally.unit("cache_write_1h_tokens", sum(kept))
