"""What all sides of the `memory` case know: how large bodies and answers are, and how a provider is asked for them."""

import json

MIB = 2**20
UPLOAD_BYTES = 30 * 1000 * 1000
"""Bytes of a large request body, about."""
WHOLE, DOWNLOAD, STREAM = "whole-answer", "download", "endless-stream"
"""Models. Their answers: a megabyte of JSON, eight of them, events for ever. Other models answer briefly."""
LARGE_ANSWERS = (WHOLE, DOWNLOAD, STREAM)
SIZES = {WHOLE: MIB - 2000, DOWNLOAD: 8 * MIB}
_PROMPT = "How long does a train travel that leaves at nine and arrives at twelve?"


def request(model: str, prompt: str = _PROMPT) -> bytes:
    """Returns the body of a chat request. The model comes first, where the provider looks for it."""
    asked = {"model": model, "stream": model == STREAM, "messages": [{"role": "user", "content": prompt}]}
    return json.dumps(asked, separators=(",", ":")).encode()


def head(address: str, key: str, length: int) -> bytes:
    """Returns the head of a request for a chat completion with a body of so many bytes."""
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def answer(size: int = 0) -> bytes:
    """Returns a chat completion, of `size` bytes if that is more than it takes."""
    said = "It travels for three hours."
    completion = {
        "id": "chatcmpl-Bn8mWq5Xy0aT3kRzLd7uVh2cJfE1s",
        "object": "chat.completion",
        "created": 1770000000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 58, "completion_tokens": 6, "total_tokens": 64},
    }
    completion["choices"][0]["message"]["content"] += " Tick." * max(0, (size - 400) // 6)
    return json.dumps(completion, separators=(",", ":")).encode()


EVENT = (
    b'data: {"id":"chatcmpl-Bn8mWq5Xy0aT3kRzLd7uVh2cJfE1s","object":"chat.completion.chunk","created":1770000000,'
    b'"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"delta":{"content":" Tick."},"finish_reason":null}]}\n\n'
)
