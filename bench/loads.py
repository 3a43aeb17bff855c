"""What the cases of whole answers send and get: requests with a place that differs each time, and answers. Pure."""

import json
from dataclasses import dataclass

MARK = "@@"
"""Stands in a request for a number that no other request has."""

_QUESTION = (
    "A train leaves at nine and travels two hundred and forty kilometres at eighty kilometres an hour. "
    "When does it arrive?"
)
_SYSTEM = "You are a concise assistant. Answer in one or two sentences and do not repeat the question."
_ANSWER = (
    "Travelling 240 kilometres at 80 kilometres an hour takes three hours. The train that leaves at nine "
    "therefore arrives at twelve."
)
_CODE = '''```python
def arrival(rows: list[dict[str, float]]) -> dict[str, float]:
    """Returns the hours by line; "late" ones count from 0.0."""
    found = {row["line"]: row["leaves"] + row["km"] / row["speed"] for row in rows if row["speed"]}
    return {line: hours % 24 for line, hours in found.items()}\t# café, naïve
```
'''
_TURNS = 40
_LARGE_BYTES = 100 * 1024


@dataclass(frozen=True, slots=True)
class Load:
    """A case of whole answers. `varied`: each request has a `traceparent` of its own, as traced clients send it."""

    name: str
    request: str
    answer: str
    varied: bool


def _dumped(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _request(messages: list[dict[str, str]], **more: object) -> str:
    stated = {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.2, "max_tokens": 120}
    return _dumped(stated | {"user": "bench-user"} | more)


def _answer(content: str) -> str:
    message = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    of_output = {"reasoning_tokens": 0, "audio_tokens": 0}
    of_output |= {"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    return _dumped(
        {
            "id": "chatcmpl-Bn8mWq5Xy0aT3kRzLd7uVh2cJfE1s",
            "object": "chat.completion",
            "created": 1770000000,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": 58,
                "completion_tokens": 31,
                "total_tokens": 89,
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
    """Returns an agent's request of about `size` bytes: turns of prose and code, and the tools that it may call."""
    piece = f"{_ANSWER}\n\n{_CODE}\n"
    text = piece * (size // (_TURNS * len(_dumped(piece))))
    turns = [{"role": ("user", "assistant")[turn % 2], "content": text} for turn in range(_TURNS)]
    messages = [{"role": "system", "content": _SYSTEM}, *turns, {"role": "user", "content": f"{MARK} {_QUESTION}"}]
    return _request(messages, tools=[_tool(number) for number in range(12)])


_SMALL = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _QUESTION}]
_SMALL_VARIED = [_SMALL[0], {"role": "user", "content": f"{MARK} {_QUESTION}"}]
_LONG_ANSWER = (f"{_ANSWER}\n\n{_CODE}\n" * (_LARGE_BYTES // len(_ANSWER + _CODE)))[:_LARGE_BYTES]

CHAT = Load("chat", _request(_SMALL), _answer(_ANSWER), varied=False)
VARIED = Load("varied", _request(_SMALL_VARIED), _answer(_ANSWER), varied=True)
LARGE = Load("large", _conversation(_LARGE_BYTES), _answer(_LONG_ANSWER), varied=True)
