"""Models in each vendor's list shape. Knows names; no request and no conversation."""

from collections.abc import Sequence
from typing import Any

from ingate.providers.demo.model import CONTEXT_TOKENS
from ingate.providers.demo.names import MODELS

RELEASED = 1_767_225_600
RELEASED_TEXT = "2026-01-01T00:00:00Z"

_GENERATES = ["generateContent", "streamGenerateContent", "countTokens"]
_EMBEDS = ["embedContent", "batchEmbedContents", "countTokens"]


def openai_list(names: Sequence[str]) -> Any:
    """Returns OpenAI's list of models."""
    return {"object": "list", "data": [openai_model(name) for name in names]}


def openai_model(name: str) -> Any:
    """Returns OpenAI's description of one model."""
    return {"id": name, "object": "model", "created": RELEASED, "owned_by": "ingate"}


def anthropic_list(names: Sequence[str]) -> Any:
    """Returns Anthropic's list of models."""
    listed = [anthropic_model(name) for name in names]
    return {"data": listed, "has_more": False, "first_id": names[0], "last_id": names[-1]}


def anthropic_model(name: str) -> Any:
    """Returns Anthropic's description of one model."""
    return {
        "type": "model",
        "id": name,
        "display_name": MODELS.get(name, name),
        "created_at": RELEASED_TEXT,
        "lifecycle": "active",
        "max_input_tokens": CONTEXT_TOKENS,
        "max_tokens": CONTEXT_TOKENS,
    }


def gemini_list(names: Sequence[str]) -> Any:
    """Returns Gemini's list of models."""
    return {"models": [gemini_model(name) for name in names]}


def gemini_model(name: str) -> Any:
    """Returns Gemini's description of one model."""
    embeds = "embed" in name
    return {
        "name": f"models/{name}",
        "version": "1",
        "displayName": MODELS.get(name, name),
        "description": "A deterministic model built into the gateway.",
        "inputTokenLimit": CONTEXT_TOKENS,
        "outputTokenLimit": CONTEXT_TOKENS,
        "supportedGenerationMethods": _EMBEDS if embeds else _GENERATES,
    } | ({} if embeds else {"thinking": True, "temperature": 1.0, "maxTemperature": 2.0, "topP": 0.95, "topK": 64})


def ollama_list(names: Sequence[str]) -> Any:
    """Returns Ollama's list of local models."""
    return {"models": [_ollama_model(name) for name in names]}


def _ollama_model(name: str) -> Any:
    return {
        "name": name,
        "model": name,
        "modified_at": RELEASED_TEXT,
        "size": 0,
        "digest": "",
        "details": _DETAILS,
    }


def ollama_shown(name: str) -> Any:
    """Returns Ollama's description of one model."""
    can = ["embedding"] if "embed" in name else ["completion", "tools", "thinking"]
    info = {"general.architecture": "demo", "demo.context_length": CONTEXT_TOKENS}
    return {"modified_at": RELEASED_TEXT, "details": _DETAILS, "capabilities": can, "model_info": info}


_DETAILS = {
    "parent_model": "",
    "format": "demo",
    "family": "demo",
    "families": ["demo"],
    "parameter_size": "",
    "quantization_level": "",
}
