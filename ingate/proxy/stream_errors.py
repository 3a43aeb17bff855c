"""The event that ends a stream that broke, in the words of its format. Pure."""

from typing import Any

import msgspec

from ingate.formats import Fault, Format, Vendor, error_members

_OPENAI = frozenset({Format.OPENAI_CHAT, Format.OPENAI_COMPLETIONS, Format.VERTEX_CHAT})
_CLAUDE = frozenset({Format.ANTHROPIC_MESSAGES, Format.VERTEX_ANTHROPIC})
_BROKEN = Fault(502, "provider_error", "the provider broke off its answer")
_LATE = Fault(504, "provider_timeout", "the provider stopped answering")
_encode = msgspec.json.encode


def error_event(format: Format, timeout: bool) -> bytes | None:
    """Returns the bytes to append to complete events, or None where the format has no such event."""
    fault = _LATE if timeout else _BROKEN
    if format in _OPENAI:
        return _data(error_members(Vendor.OPENAI, fault))
    if format is Format.OPENAI_RESPONSES or format is Format.OPENAI_STORED_RESPONSES:
        # Documented flat; the official SDK raises only for a nested one.
        members = error_members(Vendor.OPENAI, fault)
        detail = {"code": fault.code, "message": fault.message, "param": None}
        return b"event: error\n" + _data({"type": "error", **detail, "sequence_number": 0, **members})
    if format in _CLAUDE:
        return b"event: error\n" + _data(error_members(Vendor.ANTHROPIC, fault))
    if format is Format.GEMINI:
        return _data(error_members(Vendor.GEMINI, fault))
    if format is Format.OLLAMA:
        return _encode(error_members(Vendor.OLLAMA, fault)) + b"\n"
    return None


def _data(body: dict[str, Any]) -> bytes:
    return b"data: " + _encode(body) + b"\n\n"


def may_follow(tail: bytes, format: Format) -> bool:
    """Tells whether a stream that ends in `tail`, its last four bytes, is between two events.

    What is appended inside an event would make callers parse the half of it.
    """
    return tail.endswith(b"\n" if format is Format.OLLAMA else (b"\n\n", b"\r\r", b"\n\r\n"))
