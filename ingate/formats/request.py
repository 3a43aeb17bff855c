"""Reading a request body by its format. Refuses only what no provider could read.

A request is sent on by what it asks for, and its prompt is wanted only once it is recorded: each can be read alone.
"""

from codecs import utf_8_decode
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from ingate.formats import (
    bedrock_invoke,
    conversation,
    gemini,
    ollama,
    openai_audio,
    openai_chat,
    openai_images,
    openai_responses,
    ranking,
    token_count,
)
from ingate.formats.condenser import ESCAPED, Condenser
from ingate.formats.facts import MAX_TEXT
from ingate.formats.malformed import MalformedBody, TooLarge
from ingate.formats.multipart import finding, opening_boundary
from ingate.formats.nesting import deeper_than
from ingate.formats.oddities import BOM
from ingate.formats.pace import LARGE, MOST, SLICE, Budget, Pace, Steps, at_once
from ingate.formats.paths import Format, gemini_model
from ingate.formats.scan import MAX_DEPTH
from ingate.formats.shallow import members
from ingate.formats.shape import BROKEN, Shape

_WINDOW = 1024 * 1024
_SHORT = 2048
"""Bytes up to which looking twice costs less than making objects of the members."""

T = TypeVar("T")

PROMPTS: dict[Format, tuple[Callable[[bytes], str | None], Shape[Any]]] = {
    Format.OPENAI_CHAT: (conversation.prompt, conversation.REQUEST),
    Format.OPENAI_COMPLETIONS: (openai_chat.text_prompt, openai_chat.TEXT_REQUEST),
    Format.OPENAI_EMBEDDINGS: (openai_chat.text_prompt, openai_chat.TEXT_REQUEST),
    Format.OPENAI_RESPONSES: (openai_responses.prompt, openai_responses.REQUEST),
    Format.ANTHROPIC_MESSAGES: (conversation.prompt, conversation.REQUEST),
    Format.GEMINI: (gemini.prompt, gemini.REQUEST),
    Format.OLLAMA: (ollama.prompt, ollama.REQUEST),
    Format.OPENAI_TRANSCRIPTIONS: (openai_images.prompt, openai_images.REQUEST),
    Format.OPENAI_SPEECH: (openai_audio.speech_prompt, openai_audio.SPEECH_REQUEST),
    Format.OPENAI_IMAGES: (openai_images.prompt, openai_images.REQUEST),
    Format.OPENAI_MODERATIONS: (ranking.moderation_prompt, ranking.MODERATION_REQUEST),
    Format.RERANK: (ranking.rank_prompt, ranking.RANK_REQUEST),
    Format.VERTEX_ANTHROPIC: (conversation.prompt, conversation.REQUEST),
    Format.VERTEX_CHAT: (conversation.prompt, conversation.REQUEST),
    Format.BEDROCK_CONVERSE: (conversation.prompt, conversation.REQUEST),
    Format.BEDROCK_INVOKE: (bedrock_invoke.prompt, bedrock_invoke.REQUEST),
    Format.TOKEN_COUNT: (token_count.prompt, token_count.REQUEST),
}
"""How the prompt of a request is read, and what of it that takes."""
_SIZES: dict[Format, tuple[Callable[[bytes], int | None], Shape[Any]]] = {
    Format.OPENAI_CHAT: (conversation.size, conversation.COUNTED),
    Format.OPENAI_COMPLETIONS: (openai_chat.text_size, openai_chat.TEXT_REQUEST),
    Format.OPENAI_RESPONSES: (openai_responses.size, openai_responses.REQUEST),
    Format.ANTHROPIC_MESSAGES: (conversation.size, conversation.COUNTED),
    Format.GEMINI: (gemini.size, gemini.REQUEST),
    Format.OLLAMA: (ollama.size, ollama.REQUEST),
    Format.VERTEX_ANTHROPIC: (conversation.size, conversation.COUNTED),
    Format.VERTEX_CHAT: (conversation.size, conversation.COUNTED),
    Format.BEDROCK_CONVERSE: (conversation.size, conversation.COUNTED),
    Format.BEDROCK_INVOKE: (conversation.size, conversation.COUNTED),
}
JUDGED = frozenset(
    {
        Format.OPENAI_CHAT,
        Format.OPENAI_COMPLETIONS,
        Format.OPENAI_EMBEDDINGS,
        Format.OPENAI_RESPONSES,
        Format.ANTHROPIC_MESSAGES,
        Format.GEMINI,
        Format.OLLAMA,
    }
)
"""Formats of which every body is a JSON object. Others may be forms, or what else their provider takes."""
FORMS = frozenset({Format.OPENAI_TRANSCRIPTIONS, Format.OPENAI_IMAGES})
"""Formats of which the prompt may be a field of a form."""


class Call(Struct, gc=False):
    """What a request asks for, as far as it says where the request goes and what its answer is like.

    `model` is `None` when none is named.
    """

    model: str | None = None
    stream: bool | None = None


_CALL = Shape(Call)


def read_call(format: Format, path: str, body: bytes) -> Call:
    """Returns what a request asks for, nothing when its format is not judged.

    `path` comes without its query. Raises `MalformedBody` when the body is not a JSON object in
    UTF-8, or nests deeper than 64 levels. Fields of the wrong type are the provider's to judge.
    """
    if format not in JUDGED:
        return Call()
    call = _long_call(body) if len(body) > _SHORT else None
    if call is None:
        call = _CALL.read(body)
        if call is None:
            raise MalformedBody(_what_is_wrong(body))
        fault = _fault(body)
        if fault is not None:
            raise MalformedBody(fault)
    if format is Format.GEMINI:
        call.model = gemini_model(path)
    return call


def read_prompt(format: Format, body: bytes) -> str | None:
    """Returns the text of a request's last user message, at most `MAX_TEXT` characters.

    `None` when there is none, and when its format is not read.
    """
    return at_once(reading_prompt(format, body, Pace()))


def read_small_prompt(format: Format, body: bytes) -> str | None:
    """Returns the same of a body of up to `LARGE` bytes, at once."""
    known = PROMPTS.get(format)
    if known is None or not body:
        return None
    if format in FORMS and (boundary := opening_boundary(body)):
        return at_once(_field(body, boundary, Budget(Pace())))
    return known[0](body)


def reading_prompt(format: Format, body: bytes | bytearray, pace: Pace, *, most: int = MOST) -> Steps[str | None]:
    """Returns the same in bounded pieces of work, `most` units of it.

    A large body that costs more, or that cannot be followed, has no prompt.
    """
    if len(body) <= LARGE:
        if pace.spend(len(body) >> 6):
            yield
        return read_small_prompt(format, bytes(body))
    if format in FORMS and (boundary := opening_boundary(body)):
        return (yield from _field(body, boundary, Budget(pace, most)))
    known = PROMPTS.get(format)
    return None if known is None else (yield from _reading(*known, body, pace, most))


def reading_size(format: Format, body: bytes | bytearray, pace: Pace) -> Steps[int | None]:
    """Returns about how many bytes of UTF-8 the text of a request has, the whole conversation.

    `None` where its format is not counted, and as for `reading_prompt`. Of a large body, a text counts up to 384 KiB,
    all of them together up to 768 KiB.
    """
    known = _SIZES.get(format)
    if known is None or not body:
        return None
    if len(body) <= LARGE:
        if pace.spend(len(body) >> 6):
            yield
        return known[0](bytes(body))
    # The length of a text counts, not only what is kept of it.
    return (yield from _reading(*known, body, pace, MOST, plain=1))


def _reading(
    read: Callable[[bytes], T | None],
    shape: Shape[Any],
    body: bytes | bytearray,
    pace: Pace,
    most: int,
    *,
    plain: int = ESCAPED,
) -> Steps[T | None]:
    """Returns what is read of a large body, made small first."""
    view = memoryview(body)
    condenser = Condenser(shape.outline, Budget(pace, most), plain=plain)
    try:
        for start in range(0, len(body), SLICE):
            some = bytes(view[start : start + SLICE])
            yield from condenser.feed(some if start else some.removeprefix(BOM))
    except TooLarge:
        return None
    return read(condenser.close()) if condenser.ended and not condenser.broken else None


def _field(body: bytes | bytearray, boundary: bytes, budget: Budget) -> Steps[str | None]:
    """Returns the prompt of a form."""
    try:
        spans = yield from finding(body, boundary, b"prompt", budget)
    except MalformedBody:
        return None
    if not spans:
        return None
    start, end = spans[-1]
    return body[start : min(end, start + 4 * MAX_TEXT)].decode("utf-8", "replace")[:MAX_TEXT] or None


def _long_call(body: bytes) -> Call | None:
    """Returns what a body asks for that nothing is wrong with, `None` where that takes a closer look."""
    stated = members(body, MAX_DEPTH)
    if stated is None or not (body.isascii() or _is_utf8(body)):
        return None
    model, stream = stated.get("model"), stated.get("stream")
    fits = (model is None or type(model) is str) and (stream is None or type(stream) is bool)
    return Call(model, stream) if fits else None


def _fault(body: bytes) -> str | None:
    """Returns what is wrong with a JSON object all the same."""
    if not body.isascii() and not _is_utf8(body):
        return "the body is not valid UTF-8"
    return f"the body nests deeper than {MAX_DEPTH} levels" if deeper_than(body, MAX_DEPTH) else None


def _is_utf8(body: bytes) -> bool:
    """Decodes piece by piece, so that a large body is not held a second time as text."""
    view = memoryview(body)
    at = 0
    try:
        while at < len(view):
            at += utf_8_decode(view[at : at + _WINDOW], "strict", at + _WINDOW >= len(view))[1]
    except UnicodeDecodeError:
        return False
    return True


def _what_is_wrong(body: bytes) -> str:
    if not body.strip():
        return "the body is empty"
    try:
        msgspec.json.decode(body, type=Raw)
    except RecursionError:
        return f"the body nests deeper than {MAX_DEPTH} levels"
    except BROKEN:
        return "the body is not valid JSON"
    return "the body is not a JSON object"
