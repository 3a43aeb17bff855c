"""The event that ends a stream that broke, in the words of its format. Pure."""

from typing import Any

import msgspec

from ingate.formats import Format

_OPENAI = frozenset({Format.OPENAI_CHAT, Format.OPENAI_COMPLETIONS, Format.VERTEX_CHAT})
_CLAUDE = frozenset({Format.ANTHROPIC_MESSAGES, Format.VERTEX_ANTHROPIC})
_encode = msgspec.json.encode


def error_event(format: Format, timeout: bool) -> bytes | None:
    """Returns the bytes to append to complete events, or None where the format has no such event."""
    message = "the provider stopped answering" if timeout else "the provider broke off its answer"
    code = "provider_timeout" if timeout else "provider_error"
    body: dict[str, Any]
    if format in _OPENAI:
        return b"data: " + _encode({"error": {"message": message, "type": "api_error", "code": code}}) + b"\n\n"
    if format is Format.OPENAI_RESPONSES or format is Format.OPENAI_STORED_RESPONSES:
        # Documented flat; the official SDK raises only for a nested one.
        detail = {"code": code, "message": message, "param": None}
        body = {"type": "error", **detail, "sequence_number": 0, "error": {"type": "api_error", **detail}}
        return b"event: error\ndata: " + _encode(body) + b"\n\n"
    if format in _CLAUDE:
        body = {"type": "error", "error": {"type": "api_error", "message": message}}
        return b"event: error\ndata: " + _encode(body) + b"\n\n"
    if format is Format.GEMINI:
        status = "DEADLINE_EXCEEDED" if timeout else "UNAVAILABLE"
        body = {"error": {"code": 504 if timeout else 503, "message": message, "status": status}}
        return b"data: " + _encode(body) + b"\n\n"
    if format is Format.OLLAMA:
        return _encode({"error": message}) + b"\n"
    return None


def may_follow(tail: bytes, format: Format) -> bool:
    """Tells whether a stream that ends in `tail`, its last four bytes, is between two events.

    What is appended inside an event would make callers parse the half of it.
    """
    return tail.endswith(b"\n" if format is Format.OLLAMA else (b"\n\n", b"\r\r", b"\n\r\n"))
