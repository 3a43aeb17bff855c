"""Amazon Bedrock: the Converse API, and the frames in which answers of other formats are streamed."""

from base64 import b64decode
from binascii import Error as BadBase64

from msgspec import Raw, Struct

from ingate.formats.content import text_of
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts


class _Turn(Struct, gc=False):
    role: str  # required: a large body of empty objects must not become as many structs
    content: Raw = Raw()


class _Request(Struct, gc=False):
    messages: list[_Turn] | None = None


class _Block(Struct, gc=False, rename="camel"):
    text: str | None = None
    tool_use: Raw = Raw()


class _Message(Struct, gc=False):
    content: list[_Block] | None = None


class _Output(Struct, gc=False):
    message: _Message | None = None


class _Written(Struct, gc=False, rename="camel"):
    ttl: str | None = None
    input_tokens: Count | None = None


class _Usage(Struct, gc=False, rename="camel"):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None
    cache_details: list[_Written] | None = None


class _Start(Struct, gc=False, rename="camel"):
    tool_use: Raw = Raw()


class _Tier(Struct, gc=False):
    type: str | None = None


class _Answer(Struct, gc=False, rename="camel"):
    """A whole answer, or one event of a stream, which has some of it."""

    output: _Output | None = None
    start: _Start | None = None
    delta: _Block | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    service_tier: _Tier | None = None


class _Frame(Struct, gc=False):
    bytes: str | None = None


_REQUEST = Shape(_Request)
_ANSWER = Shape(_Answer)
_FRAME = Shape(_Frame)


def prompt(body: bytes) -> str | None:
    """Returns the prompt of a request; `None` when there is none, or the body is not a JSON object."""
    request = _REQUEST.read(body)
    for turn in reversed((request and request.messages) or ()):
        if turn.role == "user" and (said := text_of(turn.content)) is not None:
            return said
    return None


def converse(tally: Tally, data: bytes | bytearray) -> bool:
    """Takes a whole answer or one event of a stream; tells whether it could be read."""
    answer = _ANSWER.read(data)
    if answer is None:
        return False
    for block in (answer.output and answer.output.message and answer.output.message.content) or ():
        _block(tally, block)
    if answer.delta is not None and answer.delta.text:
        tally.say(answer.delta.text)
    if answer.start is not None and answer.start.tool_use:
        tally.tool_calls += 1
    tally.end(answer.stop_reason)
    if answer.service_tier is not None:
        tally.term("service_tier", answer.service_tier.type)
    if answer.usage is not None:
        _usage(tally, answer.usage)
    return True


def _block(tally: Tally, block: _Block) -> None:
    if block.tool_use:
        tally.tool_calls += 1
    elif block.text:
        tally.say(block.text)


def _usage(tally: Tally, usage: _Usage) -> None:
    tally.count(
        Counts(
            prompt=usage.input_tokens,
            cached=usage.cache_read_input_tokens,
            written=usage.cache_write_input_tokens,
            output=usage.output_tokens,
        )
    )
    hour = sum(part.input_tokens or 0 for part in usage.cache_details or () if part.ttl == "1h")
    tally.unit("cache_write_1h_tokens", min(hour, usage.cache_write_input_tokens or 0))


def unwrapped(data: bytes) -> bytes:
    """Returns the event that a frame of an invoked model's stream carries, or the data itself if it carries none."""
    frame = _FRAME.read(data)
    if frame is None or frame.bytes is None:
        return data
    try:
        return b64decode(frame.bytes, validate=True)
    except (BadBase64, ValueError):
        return data
