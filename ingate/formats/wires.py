"""How the answers of every format are read, and how their media type says they are divided. Reads nothing itself."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from ingate.formats import (
    anthropic_messages,
    bedrock_converse,
    bedrock_invoke,
    gemini,
    kept_work,
    ollama,
    openai_audio,
    openai_chat,
    openai_images,
    openai_responses,
    ranking,
    token_count,
)
from ingate.formats.outline import Outline
from ingate.formats.paths import Format
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Counts, anthropic_usage, gemini_usage, ollama_usage, openai_usage
from ingate.pricing.usage import Usage

_MEDIA = ("audio/", "image/", "video/")
_TEXTS = frozenset({"text/plain", "text/vtt", "text/srt", "application/x-subrip", "application/srt"})
"""How a transcription may be written: as text, or as subtitles."""

EVENT_STREAM = "application/vnd.amazon.eventstream"

Take = Callable[[Tally, bytes], bool]
"""Takes an event or a whole body; tells whether it could be read."""
Rule = Callable[[Counts], Usage]


Framing = Literal["events", "lines", "frames", "whole", "text", "unknown", "unread"]
"""How a body is divided; `unread` is one of a format that is not read at all, or sound or pictures."""
_FRAMINGS: dict[str, Framing] = {
    "text/event-stream": "events",
    EVENT_STREAM: "frames",
    "application/x-ndjson": "lines",
    "application/ndjson": "lines",
    "application/jsonl": "lines",
    "application/json-seq": "lines",
}


class Wire(Struct, frozen=True):
    """How one kind of answer is read. `event` and `whole` tell whether the data was an object.

    `item` is what they want of an event, `body` of a whole body, which may be an array of events.
    """

    framing: Framing
    event: Take
    whole: Take
    usage: Rule
    item: Outline = Outline()
    body: Outline = Outline()


_Read = tuple[Take, Take, Rule, Shape[Any], Shape[Any]]

_CHAT: _Read = (openai_chat.event, openai_chat.whole, openai_usage, openai_chat.RESPONSE, openai_chat.RESPONSE)
_CLAUDE: _Read = (
    anthropic_messages.event,
    anthropic_messages.whole,
    anthropic_usage,
    anthropic_messages.EVENT,
    anthropic_messages.MESSAGE,
)
_SOUND: _Read = (openai_audio.event, openai_audio.whole, openai_usage, openai_audio.ANSWER, openai_audio.ANSWER)


def _of_objects(whole: Take, shape: Shape[Any]) -> _Read:
    """Returns how a format is read that has no streams."""
    return (whole, whole, openai_usage, shape, shape)


_READ: dict[Format, _Read] = {
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
    Format.OPENAI_STORED_RESPONSES: (
        openai_responses.stored_event,
        openai_responses.stored_whole,
        openai_usage,
        openai_responses.EVENT,
        openai_responses.RESPONSE,
    ),
    Format.OPENAI_TRANSCRIPTIONS: _SOUND,
    Format.OPENAI_SPEECH: _SOUND,
    Format.OPENAI_IMAGES: (
        openai_images.event,
        openai_images.whole,
        openai_usage,
        openai_images.ANSWER,
        openai_images.ANSWER,
    ),
    Format.OPENAI_MODERATIONS: _of_objects(ranking.moderation, ranking.MODERATION),
    Format.RERANK: _of_objects(ranking.ranking, ranking.RANKING),
    Format.ANTHROPIC_MESSAGES: _CLAUDE,
    Format.VERTEX_ANTHROPIC: _CLAUDE,
    Format.VERTEX_CHAT: _CHAT,
    Format.BEDROCK_CONVERSE: (
        bedrock_converse.event,
        bedrock_converse.whole,
        anthropic_usage,
        bedrock_converse.ANSWER,
        bedrock_converse.ANSWER,
    ),
    Format.BEDROCK_INVOKE: (
        bedrock_invoke.event,
        bedrock_invoke.whole,
        anthropic_usage,
        bedrock_invoke.ENVELOPE,
        bedrock_invoke.ANSWER,
    ),
    Format.TOKEN_COUNT: _of_objects(token_count.whole, token_count.ANSWER),
    Format.BATCHES: _of_objects(kept_work.whole, kept_work.WORK),
    Format.FILES: _of_objects(kept_work.whole, kept_work.WORK),
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
    framing = _framing(format, content_type)
    if framing == "text":
        whole = openai_audio.text
    return Wire(framing, event, whole, usage, item.outline, replace(body.outline, items=item.outline))


def _framing(format: Format, content_type: str) -> Framing:
    media = content_type.partition(";")[0].strip().lower()
    known = _FRAMINGS.get(media)
    if known is not None:
        return known
    if media.endswith("json"):
        return "whole"
    if format is Format.OPENAI_TRANSCRIPTIONS and media in _TEXTS:
        return "text"
    if media.startswith(_MEDIA) or (format is Format.OPENAI_SPEECH and media):  # sound has many names
        return "unread"
    return "lines" if format is Format.OLLAMA and not media else "unknown"
