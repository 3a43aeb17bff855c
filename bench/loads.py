"""What the cases of whole answers send and get: requests that differ from one another as real ones do. Pure."""

import json
from dataclasses import dataclass

from bench.texts import text

MARK = "@@"
"""Stands in a request for a number that no other request has, and for words, more or fewer each time."""

_QUESTION = "When does the train arrive that leaves at nine and travels 240 kilometres at 80 kilometres an hour?"
_SYSTEM = "You are a concise assistant. Answer in one or two sentences and do not repeat the question."
_TURNS = 40
_KB, _MB = 1000, 1000 * 1000


@dataclass(frozen=True, slots=True)
class Load:
    """A case of whole answers from a provider.

    `request` has the mark once, for which up to `words` bytes stand. The answers come in no order. `headers` tells
    whether each request has a `traceparent` and ids of its own. `status` is what the gateway is to answer.
    """

    name: str
    request: str
    answers: tuple[str, ...]
    words: int
    headers: bool = True
    connections: int = 32
    status: int = 200


def _dumped(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _request(turns: list[dict[str, str]], **more: object) -> str:
    messages = [{"role": "system", "content": _SYSTEM}, *turns, {"role": "user", "content": f"{MARK} {_QUESTION}"}]
    stated = {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.2, "max_tokens": 120, "user": "bench-user"}
    return _dumped(stated | more)


def _answer(seed: int, size: int) -> str:
    content = text(seed, size)
    message = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    of_output = {"reasoning_tokens": 0, "audio_tokens": 0}
    of_output |= {"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    return _dumped(
        {
            "id": f"chatcmpl-Bn8mWq5Xy0aT3kRzLd7uVh2cJfE{seed:02}",
            "object": "chat.completion",
            "created": 1770000000 + seed,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": 58,
                "completion_tokens": size // 4,
                "total_tokens": 58 + size // 4,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": of_output,
            },
            "service_tier": "default",
            "system_fingerprint": "fp_560af6e559",
        }
    )


def _tool(number: int) -> dict[str, object]:
    place = {"type": "object", "properties": {"line": {"type": "string"}, "stop": {"type": "string"}}}
    schema = {"type": "object", "properties": {"from": place, "to": place}, "required": ["from", "to"]}
    described = {"name": f"find_train_{number}", "description": _SYSTEM, "parameters": schema}
    return {"type": "function", "function": described}


def _conversation(size: int) -> str:
    """Returns an agent's request with about `size` characters of prose and code, and the tools that it may call."""
    spoken = text(1, size)
    length = size // _TURNS
    pieces = (spoken[at : at + length] for at in range(0, size, length))
    turns = [{"role": ("user", "assistant")[turn % 2], "content": piece} for turn, piece in enumerate(pieces)]
    return _request(turns, tools=[_tool(number) for number in range(12)])


def _answers(*sizes: int) -> tuple[str, ...]:
    return tuple(_answer(seed, size) for seed, size in enumerate(sizes, 2))


def loads() -> dict[str, Load]:
    """Returns the cases by name."""
    short, brief = _request([]), _answers(40, 90, 180, 360)
    made = (
        Load("chat", short, brief, 400),
        Load("chat-same-head", short, brief, 400, headers=False),
        Load("100kb", _conversation(82 * _KB), _answers(60 * _KB, 80 * _KB, 100 * _KB, 120 * _KB), 10 * _KB),
        Load("2mb", short, _answers(2 * _MB - 200 * _KB, 2 * _MB - 50 * _KB), 400, connections=8),
        Load("401", short, brief, 400, status=401),
    )
    return {load.name: load for load in made}
