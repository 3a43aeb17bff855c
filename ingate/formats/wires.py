"""How the answers of every format are read, and how their media type says they are divided. Reads nothing itself."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from ingate.formats import anthropic_messages, gemini, ollama, openai_chat, openai_responses
from ingate.formats.outline import Outline
from ingate.formats.paths import Format
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Counts, anthropic_usage, gemini_usage, ollama_usage, openai_usage
from ingate.pricing.usage import Usage

_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq"})

Event = Callable[[Tally, bytes], bool]
Whole = Callable[[Tally, bytes], bool]
Rule = Callable[[Counts], Usage]


Framing = Literal["events", "lines", "whole", "unknown", "unread"]
"""How a body is divided; `unread` is one of a format that is not read at all."""


class Wire(Struct, frozen=True):
    """How one kind of answer is read. `event` and `whole` tell whether the data was an object.

    `item` is what they want of an event, `body` of a whole body, which may be an array of events.
    """

    framing: Framing
    event: Event
    whole: Whole
    usage: Rule
    item: Outline = Outline()
    body: Outline = Outline()


_CHAT = (openai_chat.event, openai_chat.whole, openai_usage, openai_chat.RESPONSE, openai_chat.RESPONSE)
_READ: dict[Format, tuple[Event, Whole, Rule, Shape[Any], Shape[Any]]] = {
    Format.OPENAI_CHAT: _CHAT,
    Format.OPENAI_COMPLETIONS: _CHAT,
    Format.OPENAI_EMBEDDINGS: _CHAT,
    Format.OPENAI_RESPONSES: (
        openai_responses.event,
        openai_responses.whole,
        openai_usage,
        openai_responses.EVENT,
        openai_responses.RESPONSE,
    ),
    Format.ANTHROPIC_MESSAGES: (
        anthropic_messages.event,
        anthropic_messages.whole,
        anthropic_usage,
        anthropic_messages.EVENT,
        anthropic_messages.MESSAGE,
    ),
    Format.GEMINI: (gemini.event, gemini.event, gemini_usage, gemini.RESPONSE, gemini.RESPONSE),
    Format.OLLAMA: (ollama.event, ollama.event, ollama_usage, ollama.RESPONSE, ollama.RESPONSE),
}
_UNREAD = Wire("unread", lambda _tally, _data: True, lambda _tally, _data: True, openai_usage)


@lru_cache(maxsize=64)
def wire_of(format: Format, content_type: str) -> Wire:
    """Returns how an answer is read. Cached: there are few kinds."""
    read = _READ.get(format)
    if read is None:
        return _UNREAD
    event, whole, usage, item, body = read
    return Wire(
        _framing(format, content_type), event, whole, usage, item.outline, replace(body.outline, items=item.outline)
    )


def _framing(format: Format, content_type: str) -> Framing:
    media = content_type.partition(";")[0].strip().lower()
    if media == "text/event-stream":
        return "events"
    if media in _LINES or (format is Format.OLLAMA and not media):
        return "lines"
    return "whole" if media.endswith("json") else "unknown"
