"""Models invoked at Bedrock: each vendor's own answers, in events of a stream once more in base64.

Amazon counts the tokens for all of them: at the end of a stream in `amazon-bedrock-invocationMetrics`, of a whole
answer in headers. What the answer itself says goes before.
"""

import binascii
from collections.abc import Mapping
from functools import reduce

from msgspec import Raw, Struct, field

from ingate.formats import anthropic_messages, bedrock_converse, conversation, openai_chat
from ingate.formats.content import Strings, strings_of
from ingate.formats.fault import describe_body
from ingate.formats.outline import Outline, union
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts
from ingate.pricing.usage import Usage


class _Request(conversation.Request, gc=False):
    prompt: Strings = Raw()
    text: Strings = field(name="inputText", default=Raw())  # Amazon Titan
    message: str | None = None  # Cohere
    texts: Strings = Raw()  # Cohere, to be embedded


class _Envelope(Struct, gc=False):
    """What an event of a stream holds."""

    bytes: str | None = None


class _Metrics(Struct, gc=False, rename="camel"):
    input_token_count: Count | None = None
    output_token_count: Count | None = None
    cache_read_input_token_count: Count | None = None
    cache_write_input_token_count: Count | None = None


class _Said(Struct, gc=False):
    """One of several answers."""

    text: str | None = None
    stop_reason: str | None = None
    finish_reason: str | None = None
    titan_text: str | None = field(name="outputText", default=None)
    titan_tokens: Count | None = field(name="tokenCount", default=None)
    titan_reason: str | None = field(name="completionReason", default=None)


class _Answer(Struct, gc=False):
    """Enough of every vendor's answer to tell whose it is, and all of the small ones."""

    type: str | None = None
    choices: Raw = Raw()
    generation: str | None = None  # Meta
    prompt_token_count: Count | None = None
    generation_token_count: Count | None = None
    stop_reason: str | None = None
    titan_input: Count | None = field(name="inputTextTokenCount", default=None)
    titan_output: Count | None = field(name="totalOutputTextTokenCount", default=None)
    titan_text: str | None = field(name="outputText", default=None)
    titan_reason: str | None = field(name="completionReason", default=None)
    results: list[_Said] | None = None
    outputs: list[_Said] | None = None  # Mistral
    generations: list[_Said] | None = None  # Cohere
    text: str | None = None
    finish_reason: str | None = None
    metrics: _Metrics | None = field(name="amazon-bedrock-invocationMetrics", default=None)


class _AnyVendors(Shape[_Answer]):
    """An answer of whichever vendor: of a large one, all that one of the readers wants is kept."""

    @property
    def outline(self) -> Outline:
        shapes = (_WRAPPED, anthropic_messages.MESSAGE, openai_chat.RESPONSE)
        return reduce(union, (shape.outline for shape in shapes), super().outline)


REQUEST = Shape(_Request)
ANSWER = _AnyVendors(_Answer)
ENVELOPE = Shape(_Envelope)
_WRAPPED = Shape(bedrock_converse.Wrapped)
HEADERS = {
    "input": "x-amzn-bedrock-input-token-count",
    "cache_read": "x-amzn-bedrock-cache-read-input-token-count",
    "cache_write": "x-amzn-bedrock-cache-write-input-token-count",
    "output": "x-amzn-bedrock-output-token-count",
}
_MOST_DIGITS = 15


def prompt(body: bytes) -> str | None:
    """Returns the prompt of a request; `None` when there is none, or the body is not a JSON object."""
    request = REQUEST.read(body)
    if request is None:
        return None
    said = conversation.last_of_user(request.messages or ())
    return said if said is not None else strings_of(request.prompt or request.text or request.texts) or request.message


def event(tally: Tally, data: bytes) -> bool:
    """Takes one event of a stream; tells whether it could be read."""
    envelope = ENVELOPE.read(data)
    if envelope is None or envelope.bytes is None:
        return False
    try:
        said = binascii.a2b_base64(envelope.bytes)
    except (ValueError, binascii.Error):
        return False
    return _take(tally, said, streamed=True)


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole answer; tells whether it could be read."""
    return _take(tally, data, streamed=False)


def stated(headers: Mapping[str, str]) -> Usage:
    """Returns the tokens that the headers of an answer state, by names in lower case."""
    found = {bucket: headers.get(name, "") for bucket, name in HEADERS.items()}
    return Usage(
        **{
            bucket: int(count)
            for bucket, count in found.items()
            if count.isascii() and count.isdecimal() and len(count) <= _MOST_DIGITS
        }
    )


def _take(tally: Tally, data: bytes, *, streamed: bool) -> bool:
    answer = ANSWER.read(data)
    if answer is None:
        return False
    if answer.type is not None:
        (anthropic_messages.event if streamed else anthropic_messages.whole)(tally, data)
    elif answer.choices:
        openai_chat.whole(tally, data)
    else:
        _small(tally, answer)
        wrapped = _WRAPPED.read(data)
        if wrapped is not None:
            for part in (
                wrapped,
                wrapped.content_block_start,
                wrapped.content_block_delta,
                wrapped.message_stop,
                wrapped.metadata,
            ):
                if part is not None:
                    bedrock_converse.take(tally, part)
        if tally.is_blank():
            tally.error = describe_body(data)
    metrics = answer.metrics
    if metrics is not None:
        tally.complete = True
        if tally.counts is None or tally.counts.prompt is None:
            tally.count(
                Counts(
                    prompt=metrics.input_token_count,
                    cached=metrics.cache_read_input_token_count,
                    written=metrics.cache_write_input_token_count,
                    output=metrics.output_token_count,
                )
            )
    return True


def _small(tally: Tally, answer: _Answer) -> None:
    """Takes an answer of a vendor who has an envelope of its own at Bedrock."""
    several = answer.results or answer.outputs or answer.generations or ()
    first = several[0] if several else _Said()
    tally.say(answer.generation or answer.titan_text or answer.text or first.titan_text or first.text or "")
    reasons = (
        *(answer.stop_reason, answer.titan_reason, answer.finish_reason),
        *(first.titan_reason, first.stop_reason, first.finish_reason),
    )
    tally.end(next((reason for reason in reasons if reason), None))
    asked = answer.titan_input if answer.prompt_token_count is None else answer.prompt_token_count
    said = answer.titan_output if answer.generation_token_count is None else answer.generation_token_count
    if said is None:
        stated = [one.titan_tokens for one in several if one.titan_tokens is not None]
        said = sum(stated) if stated else None
    if asked is not None or said is not None:
        tally.count(Counts(prompt=asked, output=said))
