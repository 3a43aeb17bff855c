"""Which wire format a path speaks.

Knows the paths of the providers' public APIs; knows nothing of hosts, methods or bodies.
"""

from enum import StrEnum
from urllib.parse import unquote


class Format(StrEnum):
    """A family of request and response bodies. `OTHER` is forwarded and not read."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_COMPLETIONS = "openai_completions"
    OPENAI_RESPONSES = "openai_responses"
    OPENAI_EMBEDDINGS = "openai_embeddings"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    GEMINI = "gemini"
    OLLAMA = "ollama"
    OTHER = "other"


_BY_LAST_TWO = {
    "chat/completions": Format.OPENAI_CHAT,
    "api/chat": Format.OLLAMA,
    "api/generate": Format.OLLAMA,
    "api/embed": Format.OLLAMA,
    "api/embeddings": Format.OLLAMA,
}
_BY_LAST = {
    "completions": Format.OPENAI_COMPLETIONS,
    "responses": Format.OPENAI_RESPONSES,
    "embeddings": Format.OPENAI_EMBEDDINGS,
    "messages": Format.ANTHROPIC_MESSAGES,
}
# `/threads/ID/messages` and `/chat/completions/ID/messages` list stored messages; they are no Messages API.
_OWNS_MESSAGES = frozenset({"threads", "completions"})
_GEMINI_METHODS = frozenset({"generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents"})


def detect(path: str) -> Format:
    """Returns the format of a path without its query; segments before the API's own are ignored."""
    rest, _, last = path.rpartition("/")
    if last.endswith(("Content", "Contents")):
        return Format.GEMINI if gemini_method(path) in _GEMINI_METHODS else Format.OTHER
    found = _BY_LAST.get(last)
    owner, _, parent = rest.rpartition("/")
    if found is Format.ANTHROPIC_MESSAGES and owner.rpartition("/")[2] in _OWNS_MESSAGES:
        return Format.OTHER
    return _BY_LAST_TWO.get(f"{parent}/{last}") or found or Format.OTHER


def gemini_method(path: str) -> str:
    """Returns the verb behind the last colon, `""` when there is none or no model before it."""
    model, _, method = _last_colon(path.rpartition("/")[2])
    return method if model else ""


def gemini_model(path: str) -> str | None:
    """Returns the model a Gemini path names: what lies between `models/` and the verb, or else the last segment."""
    _, found, name = path.partition("/models/")
    return _last_colon(name if found else path.rpartition("/")[2])[0] or None


def _last_colon(text: str) -> tuple[str, str, str]:
    return unquote(text).rpartition(":") if "%" in text else text.rpartition(":")
