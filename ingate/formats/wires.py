"""How the answers of every format are read, and how their media type says they are divided. Reads nothing itself."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from ingate.formats import anthropic_messages, gemini, ollama, openai_chat, openai_responses
from ingate.formats.paths import Format
from ingate.formats.tally import Tally
from ingate.formats.usage import Counts, anthropic_usage, gemini_usage, ollama_usage, openai_usage
from ingate.pricing.usage import Usage

_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq"})

Event = Callable[[Tally, bytes], bool]
Whole = Callable[[Tally, bytes | bytearray], bool]
Rule = Callable[[Counts], Usage]


Framing = Literal["events", "lines", "whole", "unknown", "unread"]
"""How a body is divided; `unread` is one of a format that is not read at all."""


class Wire(Struct, frozen=True):
    """How one kind of answer is read. `event` and `whole` tell whether the data was an object."""

    framing: Framing
    event: Event
    whole: Whole
    usage: Rule


_CHAT = (openai_chat.event, openai_chat.whole, openai_usage)
_READ: dict[Format, tuple[Event, Whole, Rule]] = {
    Format.OPENAI_CHAT: _CHAT,
    Format.OPENAI_COMPLETIONS: _CHAT,
    Format.OPENAI_EMBEDDINGS: _CHAT,
    Format.OPENAI_RESPONSES: (openai_responses.event, openai_responses.whole, openai_usage),
    Format.ANTHROPIC_MESSAGES: (anthropic_messages.event, anthropic_messages.whole, anthropic_usage),
    Format.GEMINI: (gemini.event, gemini.event, gemini_usage),
    Format.OLLAMA: (ollama.event, ollama.event, ollama_usage),
}
_UNREAD = Wire("unread", lambda _tally, _data: True, lambda _tally, _data: True, openai_usage)


@lru_cache(maxsize=64)
def wire_of(format: Format, content_type: str) -> Wire:
    """Returns how an answer is read. Cached: there are few kinds."""
    read = _READ.get(format)
    return Wire(_framing(format, content_type), *read) if read else _UNREAD


def _framing(format: Format, content_type: str) -> Framing:
    media = content_type.partition(";")[0].strip().lower()
    if media == "text/event-stream":
        return "events"
    if media in _LINES or (format is Format.OLLAMA and not media):
        return "lines"
    return "whole" if media.endswith("json") else "unknown"
