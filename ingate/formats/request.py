"""Reading a request body by its format. Refuses only what no provider could read.

A request is sent on by its model, and its prompt is wanted only once it is recorded: each can be read alone.
"""

from codecs import utf_8_decode
from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from ingate.formats import anthropic_messages, gemini, ollama, openai_chat, openai_responses
from ingate.formats.malformed import MalformedBody
from ingate.formats.nesting import deeper_than
from ingate.formats.paths import Format, gemini_model
from ingate.formats.scan import MAX_DEPTH
from ingate.formats.shape import BROKEN, Shape

_WINDOW = 1024 * 1024

_PROMPTS: dict[Format, Callable[[bytes], str | None]] = {
    Format.OPENAI_CHAT: openai_chat.chat_prompt,
    Format.OPENAI_COMPLETIONS: openai_chat.text_prompt,
    Format.OPENAI_EMBEDDINGS: openai_chat.text_prompt,
    Format.OPENAI_RESPONSES: openai_responses.prompt,
    Format.ANTHROPIC_MESSAGES: anthropic_messages.prompt,
    Format.GEMINI: gemini.prompt,
    Format.OLLAMA: ollama.prompt,
}


class _Named(Struct, gc=False):
    model: str | None = None


_NAMED = Shape(_Named)


def read_model(format: Format, path: str, body: bytes) -> str | None:
    """Returns the model a request names, `None` when it names none or its format is not read.

    `path` comes without its query. Raises `MalformedBody` when the body is not a JSON object in
    UTF-8, or nests deeper than 64 levels. Fields of the wrong type are the provider's to judge.
    """
    if format not in _PROMPTS:
        return None
    named = _NAMED.read(body)
    if named is None:
        raise MalformedBody(_what_is_wrong(body))
    fault = _fault(body)
    if fault is not None:
        raise MalformedBody(fault)
    return gemini_model(path) if format is Format.GEMINI else named.model


def read_prompt(format: Format, body: bytes) -> str | None:
    """Returns the text of a request's last user message, at most `MAX_TEXT` characters.

    `None` when there is none, when its format is not read, and when `read_model` refuses the body.
    """
    prompt = _PROMPTS.get(format)
    said = prompt(body) if prompt is not None and body else None
    return said if said is not None and _fault(body) is None else None


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
