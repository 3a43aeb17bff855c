"""Gemini embedContent and batchEmbedContents, answered. Knows that format and the demo vectors; no HTTP."""

from typing import Any

from ingate.providers.demo import vectors
from ingate.providers.demo.answers import Answer, Stamp, whole
from ingate.providers.demo.fields import JsonObject, as_filled_array, as_object, maybe, must
from ingate.providers.demo.gemini_names import camel
from ingate.providers.demo.gemini_request import texts_of
from ingate.providers.demo.openai_embeddings import as_dimensions, budget


def embed_content(body: JsonObject, _model: str, _stamp: Stamp) -> Answer:
    """Answers `:embedContent`. Raises `Fault`."""
    text, size = _asked(body, "")
    total = budget([text], size, "content")
    return whole({"embedding": {"values": vectors.embed(text, size)}, "usageMetadata": _usage(total)})


def batch_embed_contents(body: JsonObject, _model: str, _stamp: Stamp) -> Answer:
    """Answers `:batchEmbedContents`. Raises `Fault`."""
    listed = must(as_filled_array, camel(body), "requests")
    asked = [_asked(item, f"requests[{place}]") for place, item in enumerate(listed)]
    total = budget([text for text, _ in asked], max(size for _, size in asked), "requests")
    found = [{"values": vectors.embed(text, size)} for text, size in asked]
    return whole({"embeddings": found, "usageMetadata": _usage(total)})


def _usage(total: int) -> JsonObject:
    return {"promptTokenCount": total, "totalTokenCount": total}


def _asked(value: Any, where: str) -> tuple[str, int]:
    request = camel(as_object(value, where))
    at = f"{where}." if where else ""
    content = must(as_object, request, "content", where)
    size = maybe(as_dimensions, request, "outputDimensionality", where)
    if size is None:
        # Newer clients nest the options.
        config = camel(maybe(as_object, request, "embedContentConfig", where) or {})
        size = maybe(as_dimensions, config, "outputDimensionality", f"{at}embedContentConfig")
    return "\n".join(texts_of(content, f"{at}content")), size or vectors.DEFAULT_DIMENSIONS
