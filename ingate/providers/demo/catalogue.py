"""The models the demo provider has, in each vendor's list shape. Knows no request and no conversation."""

from typing import Any

from ingate.providers.demo.fields import Fault, JsonObject, as_name, must
from ingate.providers.demo.model import CONTEXT_TOKENS

RELEASED = 1_767_225_600
RELEASED_TEXT = "2026-01-01T00:00:00Z"

_MODELS = {"demo": "Ingate demo", "demo-embed": "Ingate demo embeddings"}


def model_of(body: JsonObject) -> str:
    """Returns the body's `model` if the demo provider has it. Raises `Fault`."""
    return known(must(as_name, body, "model"))


def known(model: str) -> str:
    """Returns `model` if its name begins with `demo`, as variants and tags (`demo:latest`) do. Raises `Fault`."""
    if not model.startswith("demo"):
        shown = model[:100]
        raise Fault(404, f"The model '{shown}' does not exist; use demo or demo-embed.", "model_not_found", "model")
    return model


def openai_list() -> Any:
    """Returns OpenAI's list of models."""
    return {"object": "list", "data": [openai_model(name) for name in _MODELS]}


def openai_model(name: str) -> Any:
    """Returns OpenAI's description of one model. Raises `Fault`."""
    return {"id": known(name), "object": "model", "created": RELEASED, "owned_by": "ingate"}


def anthropic_list() -> Any:
    """Returns Anthropic's list of models."""
    names = list(_MODELS)
    listed = [anthropic_model(name) for name in names]
    return {"data": listed, "has_more": False, "first_id": names[0], "last_id": names[-1]}


def anthropic_model(name: str) -> Any:
    """Returns Anthropic's description of one model. Raises `Fault`."""
    return {
        "type": "model",
        "id": known(name),
        "display_name": _MODELS.get(name, name),
        "created_at": RELEASED_TEXT,
        "lifecycle": "active",
        "max_input_tokens": CONTEXT_TOKENS,
        "max_tokens": CONTEXT_TOKENS,
    }


def gemini_list() -> Any:
    """Returns Gemini's list of models."""
    return {"models": [gemini_model(name) for name in _MODELS]}


def gemini_model(name: str) -> Any:
    """Returns Gemini's description of one model. Raises `Fault`."""
    chats = not known(name).startswith("demo-embed")
    return {
        "name": f"models/{name}",
        "version": "1",
        "displayName": _MODELS.get(name, name),
        "description": "A deterministic model built into the gateway.",
        "inputTokenLimit": CONTEXT_TOKENS,
        "outputTokenLimit": CONTEXT_TOKENS,
        "supportedGenerationMethods": ["generateContent", "countTokens"] if chats else ["embedContent"],
    }


def ollama_list() -> Any:
    """Returns Ollama's list of local models."""
    return {"models": [_ollama_model(name) for name in _MODELS]}


def _ollama_model(name: str) -> Any:
    details = {"parent_model": "", "format": "demo", "family": "demo", "families": ["demo"]}
    return {
        "name": name,
        "model": name,
        "modified_at": RELEASED_TEXT,
        "size": 0,
        "digest": "",
        "details": details | {"parameter_size": "", "quantization_level": ""},
    }
