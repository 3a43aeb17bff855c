"""Ollama: chat, generate, embeddings, tags, model details, version."""

from functools import lru_cache

from tests.support.upstream.vendors.answer import INPUT_TOKENS, MODEL, VECTOR, line_stream, whole, words

_CREATED = "2023-11-14T22:13:20.000000Z"
_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "test",
    "families": ["test"],
    "parameter_size": "1B",
    "quantization_level": "Q4_0",
}
_TAG = {
    "name": MODEL,
    "model": MODEL,
    "modified_at": _CREATED,
    "size": 1_000_000,
    "digest": "0" * 64,
    "details": _DETAILS,
}
_FIXED = {
    "/api/embeddings": {"embedding": VECTOR},
    "/api/tags": {"models": [_TAG]},
    "/api/show": {"details": _DETAILS, "model_info": {}, "capabilities": ["completion"]},
    "/api/version": {"version": "0.12.0"},
}


def answer(_method, path, _query, body, deltas):
    """Returns the `Answer`, None when the path is another vendor's."""
    model = str(body.get("model", MODEL))
    if path.endswith(("/api/chat", "/api/generate")):
        return _text(model, deltas, path.endswith("/api/chat"), body.get("stream", True) is not False)
    if path.endswith("/api/embed"):
        given = body.get("input", "")
        vectors = [VECTOR] * (len(given) if isinstance(given, list) else 1)
        durations = {"total_duration": 1_000_000, "load_duration": 1000}
        return whole({"model": model, "embeddings": vectors, **durations, "prompt_eval_count": INPUT_TOKENS})
    return next((whole(fixed) for end, fixed in _FIXED.items() if path.endswith(end)), None)


@lru_cache(maxsize=64)
def _text(model, deltas, chat, stream):
    def line(text, **rest):
        content = {"message": {"role": "assistant", "content": text}} if chat else {"response": text}
        return {"model": model, "created_at": _CREATED, **content, "done": bool(rest), **rest}

    counts = {
        "done_reason": "stop",
        "total_duration": 5_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": INPUT_TOKENS,
        "prompt_eval_duration": 1_000_000,
        "eval_count": deltas,
        "eval_duration": 3_000_000,
    }
    if not stream:
        return whole(line("".join(words(deltas)), **counts))
    return line_stream([*map(line, words(deltas)), line("", **counts)])
