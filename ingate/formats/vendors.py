"""Whose API a wire format is. Knows no provider and no path."""

from enum import StrEnum

from ingate.formats.paths import Format


class Vendor(StrEnum):
    """A vendor whose API callers speak."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    OLLAMA = "ollama"


VENDORS = {
    Format.OPENAI_CHAT: Vendor.OPENAI,
    Format.OPENAI_COMPLETIONS: Vendor.OPENAI,
    Format.OPENAI_RESPONSES: Vendor.OPENAI,
    Format.OPENAI_STORED_RESPONSES: Vendor.OPENAI,
    Format.OPENAI_EMBEDDINGS: Vendor.OPENAI,
    Format.OPENAI_TRANSCRIPTIONS: Vendor.OPENAI,
    Format.OPENAI_SPEECH: Vendor.OPENAI,
    Format.OPENAI_IMAGES: Vendor.OPENAI,
    Format.OPENAI_MODERATIONS: Vendor.OPENAI,
    Format.ANTHROPIC_MESSAGES: Vendor.ANTHROPIC,
    Format.VERTEX_ANTHROPIC: Vendor.ANTHROPIC,
    Format.VERTEX_CHAT: Vendor.OPENAI,
    Format.GEMINI: Vendor.GEMINI,
    Format.OLLAMA: Vendor.OLLAMA,
}
"""The vendor of each format that is one vendor's."""
CHAT_FORMATS = {
    Vendor.OPENAI: Format.OPENAI_CHAT,
    Vendor.ANTHROPIC: Format.ANTHROPIC_MESSAGES,
    Vendor.GEMINI: Format.GEMINI,
    Vendor.OLLAMA: Format.OLLAMA,
}
"""The format in which each vendor's clients call a model."""
