"""Anthropic Messages: usage starts in `message_start` and is restated, cumulatively, in `message_delta`."""

from msgspec import Raw, Struct

from ingate.formats.shape import Shape
from ingate.formats.stated_cost import Charge, take_charge
from ingate.formats.tally import MAX_NAME, Tally
from ingate.formats.usage import Count, Counts, anthropic_usage
from ingate.pricing.usage import COMPACTION, NO_UNITS, UNCHARGED, Units, passed


class _Details(Struct, gc=False):
    thinking_tokens: Count | None = None


class _Written(Struct, gc=False):
    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class _Tools(Struct, gc=False):
    web_search_requests: Count | None = None


class _Pass(Charge, gc=False):
    """Tokens of one pass: of the answer, or of another that took part in its turn."""

    type: str | None = None
    model: str | None = None
    input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: _Written | None = None
    output_tokens: Count | None = None
    output_tokens_details: _Details | None = None


class _Usage(_Pass, gc=False):
    server_tool_use: _Tools | None = None
    service_tier: str | None = None
    speed: str | None = None
    iterations: list[_Pass] | None = None


class _Block(Struct, gc=False):
    type: str | None = None
    text: str | None = None


class _Message(Struct, gc=False):
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    error: Raw = Raw()


class _Delta(Struct, gc=False):
    text: str | None = None
    stop_reason: str | None = None


class _Event(Struct, gc=False):
    type: str | None = None
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: _Usage | None = None
    error: Raw = Raw()


_HOUR = "cache_write_1h_tokens"
_MAX_PASSES = 100
_ATTEMPTS = frozenset({"message", "fallback_message"})

MESSAGE = Shape(_Message)
EVENT = Shape(_Event)


def event(tally: Tally, data: bytes) -> bool:
    """Takes one event of a stream; tells whether it could be read."""
    parsed = EVENT.read(data)
    if parsed is None:
        return False
    if parsed.usage is not None:
        _usage(tally, parsed.usage)
    if parsed.error and tally.fails(parsed.error):
        return True
    delta = parsed.delta
    if delta is not None:
        if delta.text:
            tally.say(delta.text)
        elif delta.stop_reason:
            _stop(tally, delta.stop_reason)
    elif parsed.content_block is not None:
        _block(tally, parsed.content_block)
    elif parsed.message is not None:
        _message(tally, parsed.message)
    elif parsed.type == "message_stop":
        tally.complete = True
    return True


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole response; tells whether it could be read."""
    message = MESSAGE.read(data)
    if message is None:
        return False
    if not (message.error and tally.fails(message.error)):
        _message(tally, message)
    return True


def _message(tally: Tally, message: _Message) -> None:
    tally.name(message.model)
    for block in message.content or ():
        _block(tally, block)
    _stop(tally, message.stop_reason)
    if message.usage is not None:
        _usage(tally, message.usage)


def _stop(tally: Tally, reason: str | None) -> None:
    tally.finish = reason
    if reason == "refusal" and not tally.begun:
        tally.term(UNCHARGED, "refused before any output")


def _block(tally: Tally, block: _Block) -> None:
    tally.begun = True
    if block.type == "tool_use":
        tally.tool_calls += 1
    elif block.type == "text" and block.text:
        tally.say(block.text)


def _usage(tally: Tally, usage: _Usage) -> None:
    tally.count(_counts(usage))
    if usage.cache_creation is not None:
        tally.unit(_HOUR, _written(usage)[1])
    if usage.server_tool_use is not None:
        tally.unit("web_searches", usage.server_tool_use.web_search_requests)
    if usage.service_tier == "batch":
        tally.term("processing", "batch")
    else:
        tally.term("service_tier", usage.service_tier)
    tally.term("speed", usage.speed)
    take_charge(tally, usage)
    if usage.iterations:
        last = usage.iterations[-1]
        if last.type == "fallback_message" and last.model:
            # A stream begins with the name of the model that refused.
            tally.model = last.model[:MAX_NAME]
        tally.others = _others(usage.iterations, last.model)


def _counts(one: _Pass) -> Counts:
    return Counts(
        prompt=one.input_tokens,
        cached=one.cache_read_input_tokens,
        written=_written(one)[0],
        output=one.output_tokens,
        reasoning=one.output_tokens_details.thinking_tokens if one.output_tokens_details else None,
    )


def _written(one: _Pass) -> tuple[int | None, int]:
    """Returns the tokens written to the cache, and how many of them are kept for an hour."""
    total, parts = one.cache_creation_input_tokens, one.cache_creation
    if parts is None:
        return total, 0
    hour = parts.ephemeral_1h_input_tokens or 0
    if total is None:
        total = hour + (parts.ephemeral_5m_input_tokens or 0)
    return total, min(hour, total)


def _others(several: list[_Pass], answered: str | None) -> Units:
    """Returns the passes that the other counts leave out: compactions, advice by another model, and refused attempts.

    Where a model refused, and another then answered, the attempt is paid for as far as it had begun to answer.
    """
    others: Units = ()
    for one in several[:_MAX_PASSES]:
        label = None
        if one.type == "compaction":
            label = COMPACTION
        elif one.type == "advisor_message" or (one.type in _ATTEMPTS and one.model != answered and one.output_tokens):
            label = one.model
        if label:
            hour = _written(one)[1]
            units = ((_HOUR, hour),) if hour else NO_UNITS
            others += passed(label, anthropic_usage(_counts(one)), units, (name for name, _ in others))
    return others
