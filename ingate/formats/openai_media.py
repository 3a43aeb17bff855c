"""OpenAI's audio and images, and rerankers: answers that state their usage alike, whatever else they hold."""

from msgspec import Raw, Struct

from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts

_ENDS = (".done", ".completed")


class _Kinds(Struct, gc=False):
    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    cached_tokens: Count | None = None


class _Usage(Struct, gc=False):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    prompt_tokens: Count | None = None  # Voyage, Jina
    total_tokens: Count | None = None
    input_tokens_details: _Kinds | None = None
    input_token_details: _Kinds | None = None
    output_tokens_details: _Kinds | None = None
    seconds: float | None = None


class _Billed(Struct, gc=False):
    search_units: float | None = None
    input_tokens: float | None = None


class _Meta(Struct, gc=False):
    billed_units: _Billed | None = None


class _Answer(Struct, gc=False):
    type: str | None = None
    model: str | None = None
    text: str | None = None
    delta: str | None = None
    usage: _Usage | None = None
    meta: _Meta | None = None
    error: Raw = Raw()


_ANSWER = Shape(_Answer)


def event(tally: Tally, data: bytes | bytearray) -> bool:
    """Takes one event of a stream; tells whether it could be read."""
    answer = _ANSWER.read(data)
    if answer is None:
        return False
    kind = answer.type or ""
    if kind.endswith(_ENDS):
        tally.complete = True
        answer.text = None if tally.texts else answer.text
    elif kind.endswith(".delta") and answer.delta and not kind.startswith("speech"):
        tally.say(answer.delta)
    _take(tally, answer)
    return True


def whole(tally: Tally, data: bytes | bytearray) -> bool:
    """Takes a whole answer; tells whether it could be read."""
    answer = _ANSWER.read(data)
    if answer is None:
        return False
    _take(tally, answer)
    return True


def _take(tally: Tally, answer: _Answer) -> None:
    if answer.error:
        tally.fails(answer.error)
    tally.name(answer.model)
    if answer.text:
        tally.say(answer.text)
    if answer.usage is not None:
        _usage(tally, answer.usage)
    billed = answer.meta and answer.meta.billed_units
    if billed:
        tally.unit("rerank_searches", _whole_number(billed.search_units))
        if billed.input_tokens is not None:
            tally.count(Counts(prompt=_whole_number(billed.input_tokens)))


def _usage(tally: Tally, usage: _Usage) -> None:
    before = usage.input_tokens_details or usage.input_token_details
    prompt = usage.input_tokens if usage.input_tokens is not None else usage.prompt_tokens
    if prompt is None and usage.output_tokens is None:
        prompt = usage.total_tokens  # of a reranker, which writes nothing
    tally.count(
        Counts(
            prompt=prompt,
            cached=before.cached_tokens if before else None,
            output=usage.output_tokens,
            total=usage.total_tokens,
        )
    )
    if before is not None:
        tally.unit("input_audio_tokens", before.audio_tokens)
        tally.unit("input_image_tokens", before.image_tokens)
    after = usage.output_tokens_details
    if after is not None:
        tally.unit("output_audio_tokens", after.audio_tokens)
        tally.unit("output_image_tokens", after.image_tokens)
    # Paid to the nearest second.
    tally.unit("audio_seconds", _whole_number(usage.seconds))


def _whole_number(amount: float | None) -> int | None:
    return round(amount) if amount is not None and 0 <= amount <= _MOST else None


_MOST = 2**53
