"""Whose API a proxied path belongs to, so that what the gateway refuses is told in its words. Pure."""

from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_ANTHROPIC, PROVIDER_TYPE_GEMINI, PROVIDER_TYPE_OPENAI
from ingate.formats import Format, Vendor, detect
from ingate.proxy import plan
from ingate.proxy.ports import Headers

_BY_FORMAT = {
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
_BY_TYPE: dict[int, Vendor] = {
    PROVIDER_TYPE_OPENAI: Vendor.OPENAI,
    PROVIDER_TYPE_ANTHROPIC: Vendor.ANTHROPIC,
    PROVIDER_TYPE_GEMINI: Vendor.GEMINI,
}
_OLLAMA_ROOT = "/api/"


def vendor(path: str, headers: Headers) -> Vendor | None:
    """Returns whose API a raw path belongs to, as it and the headers tell; None for one that is nobody's."""
    found = _BY_FORMAT.get(detect(path)) or _BY_TYPE.get(plan.vendor(path, headers))
    return found or (Vendor.OLLAMA if path.startswith(_OLLAMA_ROOT) else None)
