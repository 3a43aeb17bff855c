"""Ollama."""

from ingate.formats import Format, Usage
from tests.support.recordings.recording import JSON, NDJSON, Recording, facts, lines, whole

_OLLAMA_END = {"model": "llama", "done": True, "done_reason": "stop", "prompt_eval_count": 11, "eval_count": 3}

OLLAMA = [
    Recording(
        "ollama-chat-stream",
        Format.OLLAMA,
        NDJSON,
        lines(
            {"model": "llama", "message": {"role": "assistant", "content": "Hel"}, "done": False},
            {"model": "llama", "message": {"content": "lo", "tool_calls": [{"function": {}}]}, "done": False},
            {**_OLLAMA_END, "message": {"content": ""}},
        ),
        facts("llama", Usage(input=11, output=3), "Hello", "stop", tool_calls=1),
    ),
    Recording(
        "ollama-generate-stream-unterminated",
        Format.OLLAMA,
        NDJSON,
        lines({"model": "llama", "response": "Hi", "done": False}, {**_OLLAMA_END, "response": ""}).rstrip(),
        facts("llama", Usage(input=11, output=3), "Hi", "stop"),
    ),
    Recording(
        "ollama-whole",
        Format.OLLAMA,
        JSON,
        whole({**_OLLAMA_END, "message": {"content": "Hi", "thinking": "hm"}}),
        facts("llama", Usage(input=11, output=3), "Hi", "stop"),
    ),
    Recording(
        "ollama-embed",
        Format.OLLAMA,
        JSON,
        whole({"model": "e", "embeddings": [[0.1]], "prompt_eval_count": 4}),
        facts("e", Usage(input=4)),
    ),
    Recording(
        "ollama-error",
        Format.OLLAMA,
        NDJSON,
        lines({"model": "llama", "response": "Hi"}, {"error": "out of memory"}),
        facts("llama", completion="Hi", complete=False, error="out of memory"),
    ),
]
