"""What both sides of the `stream` case know: a provider's events, and the bytes that a caller must get. Pure."""

import json

COUNT = 64
INTERVAL = 0.02
"""Seconds between two events."""


def _event(number: int) -> bytes:
    delta = {"role": "assistant", "content": ""} if number == 0 else {"content": f" word{number}"}
    last = number == COUNT - 2
    choice = {"index": 0, "delta": {} if last else delta, "finish_reason": "stop" if last else None}
    chunk = {
        "id": "chatcmpl-Bn8mWq5Xy0aT3kRzLd7uVh2cJfE1s",
        "object": "chat.completion.chunk",
        "created": 1770000000,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_560af6e559",
        "choices": [choice],
    }
    if last:
        chunk["usage"] = {"prompt_tokens": 58, "completion_tokens": COUNT - 2, "total_tokens": 56 + COUNT}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


EVENTS = (*(_event(number) for number in range(COUNT - 1)), b"data: [DONE]\n\n")
BODY = b"".join(EVENTS)
REQUEST = json.dumps(
    {
        "model": "gpt-4o-mini",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "You are a concise assistant. Answer in one or two sentences."},
            {"role": "user", "content": "A train leaves at nine and travels for three hours. When does it arrive?"},
        ],
    }
).encode()
