"""Anthropic Messages: usage starts in `message_start` and is restated, cumulatively, in `message_delta`."""

from msgspec import Raw, Struct

from ingate.formats.content import Content, text_of
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts


class _Turn(Struct, gc=False):
    role: str  # required: a large body of empty objects must not become as many structs
    content: Content = Raw()


class _Request(Struct, gc=False):
    messages: list[_Turn] | None = None


class _Details(Struct, gc=False):
    thinking_tokens: Count | None = None


class _Usage(Struct, gc=False):
    input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    output_tokens: Count | None = None
    output_tokens_details: _Details | None = None


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


REQUEST = Shape(_Request)
MESSAGE = Shape(_Message)
EVENT = Shape(_Event)


def prompt(body: bytes) -> str | None:
    """Returns the prompt of a request; `None` when there is none, or the body is not a JSON object."""
    request = REQUEST.read(body)
    for turn in reversed((request and request.messages) or ()):
        if turn.role == "user":
            return text_of(turn.content)
    return None


def event(tally: Tally, data: bytes) -> bool:
    """Takes one event of a stream; tells whether it could be read."""
    parsed = EVENT.read(data)
    if parsed is None:
        return False
    if parsed.error and tally.fails(parsed.error):
        return True
    delta = parsed.delta
    if delta is not None:
        if delta.text:
            tally.say(delta.text)
        elif delta.stop_reason:
            tally.finish = delta.stop_reason
    elif parsed.content_block is not None:
        _block(tally, parsed.content_block)
    elif parsed.message is not None:
        _message(tally, parsed.message)
    elif parsed.type == "message_stop":
        tally.complete = True
    if parsed.usage is not None:
        _usage(tally, parsed.usage)
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
    tally.finish = message.stop_reason
    for block in message.content or ():
        _block(tally, block)
    if message.usage is not None:
        _usage(tally, message.usage)


def _block(tally: Tally, block: _Block) -> None:
    if block.type == "tool_use":
        tally.tool_calls += 1
    elif block.type == "text" and block.text:
        tally.say(block.text)


def _usage(tally: Tally, usage: _Usage) -> None:
    tally.count(
        Counts(
            prompt=usage.input_tokens,
            cached=usage.cache_read_input_tokens,
            written=usage.cache_creation_input_tokens,
            output=usage.output_tokens,
            reasoning=usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None,
        )
    )
