"""Reading a request body by its format. Refuses only what no provider could read.

A request is sent on by its model, and its prompt is wanted only once it is recorded: each can be read alone.
"""

from codecs import utf_8_decode
from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from ingate.formats import anthropic_messages, gemini, ollama, openai_chat, openai_responses
from ingate.formats.facts import RequestFacts
from ingate.formats.malformed import MalformedBody
from ingate.formats.nesting import deeper_than
from ingate.formats.paths import Format, gemini_model
from ingate.formats.scan import MAX_DEPTH
from ingate.formats.shape import BROKEN, Shape

_WINDOW = 1024 * 1024

_READERS: dict[Format, Callable[[str, bytes], RequestFacts | None]] = {
    Format.OPENAI_CHAT: openai_chat.chat_request,
    Format.OPENAI_COMPLETIONS: openai_chat.text_request,
    Format.OPENAI_EMBEDDINGS: openai_chat.text_request,
    Format.OPENAI_RESPONSES: openai_responses.request,
    Format.ANTHROPIC_MESSAGES: anthropic_messages.request,
    Format.GEMINI: gemini.request,
    Format.OLLAMA: ollama.request,
}
_UNREAD = RequestFacts(None, False, None)


class _Named(Struct, gc=False):
    model: str | None = None


_NAMED = Shape(_Named)


def read_request(format: Format, path: str, body: bytes) -> RequestFacts:
    """Returns what the request says of itself; of a format that is not read, nothing.

    `path` comes without its query. Raises `MalformedBody` when the body is not a JSON object in
    UTF-8, or nests deeper than 64 levels. Fields of the wrong type are the provider's to judge.
    """
    reader = _READERS.get(format)
    if reader is None:
        return _UNREAD
    facts = reader(path, body)
    if facts is None:
        raise MalformedBody(_what_is_wrong(body))
    fault = _fault(body)
    if fault is not None:
        raise MalformedBody(fault)
    return facts


def read_model(format: Format, path: str, body: bytes) -> str | None:
    """Returns the model of `read_request`, and refuses what that refuses, at half its cost."""
    if format not in _READERS:
        return None
    named = _NAMED.read(body)
    if named is None:
        raise MalformedBody(_what_is_wrong(body))
    fault = _fault(body)
    if fault is not None:
        raise MalformedBody(fault)
    return gemini_model(path) if format is Format.GEMINI else named.model


def read_prompt(format: Format, path: str, body: bytes) -> str | None:
    """Returns the prompt of `read_request`, `None` where that refuses the body."""
    reader = _READERS.get(format)
    facts = reader(path, body) if reader is not None and body else None
    return facts.prompt if facts is not None and _fault(body) is None else None


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
