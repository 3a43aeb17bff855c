"""The event that ends a stream that broke, in the words of its format. Pure."""

from typing import Any

import msgspec

from ingate.formats import Format

_OPENAI = frozenset({Format.OPENAI_CHAT, Format.OPENAI_COMPLETIONS})
_encode = msgspec.json.encode


def error_event(format: Format, timeout: bool) -> bytes | None:
    """Returns the bytes to append, or None where the format has no such event.

    A blank line comes first, since the stream may have broken inside an event.
    """
    message = "the provider stopped answering" if timeout else "the provider broke off its answer"
    code = "provider_timeout" if timeout else "provider_error"
    body: dict[str, Any]
    if format in _OPENAI:
        return b"\n\ndata: " + _encode({"error": {"message": message, "type": "api_error", "code": code}}) + b"\n\n"
    if format is Format.OPENAI_RESPONSES:
        body = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": 0}
        return b"\n\nevent: error\ndata: " + _encode(body) + b"\n\n"
    if format is Format.ANTHROPIC_MESSAGES:
        body = {"type": "error", "error": {"type": "api_error", "message": message}}
        return b"\n\nevent: error\ndata: " + _encode(body) + b"\n\n"
    if format is Format.GEMINI:
        status = "DEADLINE_EXCEEDED" if timeout else "UNAVAILABLE"
        body = {"error": {"code": 504 if timeout else 503, "message": message, "status": status}}
        return b"\n\ndata: " + _encode(body) + b"\n\n"
    if format is Format.OLLAMA:
        return b"\n" + _encode({"error": message}) + b"\n"
    return None
