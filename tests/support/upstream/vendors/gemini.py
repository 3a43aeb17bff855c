"""Gemini: content (whole, event stream, JSON array), token counts, embeddings, models."""

import re
from functools import lru_cache

from tests.support.upstream.vendors.answer import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    MODEL,
    VECTOR,
    Answer,
    encode,
    event_stream,
    whole,
    words,
)

_METHOD = re.compile(r"/models/([^/:]+):(\w+)$")


def answer(method, path, query, body, deltas):
    """Returns the `Answer`, None when the path is another vendor's."""
    if method == "GET" and re.search(r"/v1(beta\d*)?/models$", path):
        return whole({"models": [_model(MODEL)]})
    if method == "GET" and (found := re.search(r"/v1(?:beta\d*)?/models/([^/:]+)$", path)):
        return whole(_model(found[1]))
    if not (found := _METHOD.search(path)):
        return None
    model, verb = found.groups()
    if verb == "streamGenerateContent":
        return _stream(model, deltas, query.get("alt") == "sse")
    bodies = {
        "generateContent": lambda: _content(model, "".join(words(deltas)), deltas, last=True),
        "countTokens": lambda: {"totalTokens": INPUT_TOKENS},
        "embedContent": lambda: {"embedding": {"values": VECTOR}},
        "batchEmbedContents": lambda: {"embeddings": [{"values": VECTOR} for _ in body.get("requests", [])]},
    }
    return whole(bodies[verb]()) if verb in bodies else None


def _model(name):
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": "Test model",
        "inputTokenLimit": 8192,
        "outputTokenLimit": 8192,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


def _content(model, text, tokens, *, last):
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "cachedContentTokenCount": CACHED_TOKENS,
            "candidatesTokenCount": tokens,
            "totalTokenCount": INPUT_TOKENS + tokens,
        },
        "modelVersion": model,
        "responseId": "upstream",
    }


@lru_cache(maxsize=64)
def _stream(model, deltas, as_events):
    items = [_content(model, word, number, last=number == deltas) for number, word in enumerate(words(deltas), start=1)]
    if as_events:
        return event_stream([(None, item) for item in items])
    pieces = [(b"," if number else b"[") + encode(item) + b"\n" for number, item in enumerate(items)]
    return Answer(200, "application/json; charset=UTF-8", (*(pieces or [b"["]), b"]"), streamed=True)
