"""Responses as providers send them, each with the facts they hold."""

import json
from dataclasses import dataclass

from ingate.formats import Format, ResponseFacts, Usage

SSE = "text/event-stream; charset=utf-8"
JSON = "application/json"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Recording:
    """A response body of one format, and what there is to learn from it."""

    name: str
    format: Format
    media: str
    body: bytes
    facts: ResponseFacts


def facts(  # noqa: PLR0917 -- the fields in their order
    model=None,
    usage=Usage(),  # noqa: B008 -- frozen
    completion=None,
    finish_reason=None,
    complete=True,
    error=None,
    tool_calls=0,
):
    """Returns facts with everything that is not named left out."""
    return ResponseFacts(model, usage, completion, finish_reason, complete, error, tool_calls)


def data_events(*events, end="\n\n"):
    """Returns a stream of unnamed events, objects as JSON and strings as they are."""
    return "".join(f"data: {one if isinstance(one, str) else json.dumps(one)}{end}" for one in events).encode()


def named_events(*events):
    """Returns a stream of events named after the type of their object."""
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()


def _whole(one):
    return json.dumps(one, indent=1, ensure_ascii=False).encode()


def _chat(delta, finish=None, **more):
    return {"id": "c1", "model": "gpt-4o", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def _lines(*lines):
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


_CHAT_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 9,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
_CHAT_COUNTED = Usage(input=12, cache_read=8, output=5, reasoning=4)
_CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}

OPENAI = [
    Recording(
        "chat-whole",
        Format.OPENAI_CHAT,
        JSON,
        _whole(
            {
                "id": "c1",
                "model": "gpt-4o-2024",
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": "Grüße 🌊"}, "finish_reason": "stop"},
                    {"index": 1, "message": {"role": "assistant", "content": "other"}, "finish_reason": "length"},
                ][:1],
                "usage": _CHAT_USAGE,
            }
        ),
        facts("gpt-4o-2024", _CHAT_COUNTED, "Grüße 🌊", "stop"),
    ),
    Recording(
        "chat-stream-include-usage",
        Format.OPENAI_CHAT,
        SSE,
        data_events(
            _chat({"role": "assistant", "content": ""}),
            _chat({"content": "He"}),
            _chat({"content": "llo 🌊"}),
            _chat({}, "stop"),
            {"id": "c1", "model": "gpt-4o", "choices": [], "usage": _CHAT_USAGE},
            "[DONE]",
        ),
        facts("gpt-4o", _CHAT_COUNTED, "Hello 🌊", "stop"),
    ),
    Recording(
        "chat-stream-usage-in-last-choice",
        Format.OPENAI_CHAT,
        SSE,
        data_events(
            _chat({"content": "Hi"}),
            _chat({}, "length", usage={"prompt_tokens": 3, "completion_tokens": 0}),
            end="\r\n\r\n",
        ),
        facts("gpt-4o", Usage(input=3, output=0), "Hi", "length"),
    ),
    Recording(
        "chat-stream-groq-with-comments",
        Format.OPENAI_CHAT,
        SSE,
        b"\xef\xbb\xbf: OPENROUTER PROCESSING\n\n"
        + data_events(_chat({"content": "Hi"}), _chat({}, "stop", x_groq={"usage": {"prompt_tokens": 3}}), "[DONE]"),
        facts("gpt-4o", Usage(input=3), "Hi", "stop"),
    ),
    Recording(
        "chat-stream-tools",
        Format.OPENAI_CHAT,
        SSE,
        data_events(
            _chat({"content": None, "tool_calls": [_CALL]}),
            _chat({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
            _chat({"tool_calls": [{**_CALL, "index": 1, "id": "call_2"}]}),
            _chat({"tool_calls": [{**_CALL, "index": 1, "id": "call_2"}]}),
            _chat({}, "tool_calls"),
            "[DONE]",
        ),
        facts("gpt-4o", finish_reason="tool_calls", tool_calls=2),
    ),
    Recording(
        "chat-whole-tools",
        Format.OPENAI_CHAT,
        JSON,
        _whole(
            {
                "choices": [
                    {
                        "message": {"content": None, "tool_calls": [{"id": "a"}, {"id": "b"}]},
                        "finish_reason": "tool_calls",
                    }
                ]
            }
        ),
        facts(finish_reason="tool_calls", tool_calls=2),
    ),
    Recording(
        "chat-stream-cut-off",
        Format.OPENAI_CHAT,
        SSE,
        data_events(_chat({"content": "Hel"})) + b'data: {"id":"c1","choices":[{"index":0,"delta":{"cont',
        facts("gpt-4o", completion="Hel", complete=False),
    ),
    Recording(
        "chat-stream-error-chunk",
        Format.OPENAI_CHAT,
        SSE,
        data_events(
            _chat({"content": "Hel"}),
            {"error": {"message": "overloaded", "type": "server_error"}, "usage": {"completion_tokens": 7}},
        ),
        facts("gpt-4o", completion="Hel", complete=False, error="server_error: overloaded"),
    ),
    Recording(
        "chat-error-whole",
        Format.OPENAI_CHAT,
        JSON,
        _whole({"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}}),
        facts(error="invalid_request_error: no such model"),
    ),
    Recording(
        "chat-error-bare",
        Format.OPENAI_CHAT,
        JSON,
        _whole({"object": "error", "message": "no such model", "code": 404}),
        facts(error="404: no such model"),
    ),
    Recording(
        "chat-content-parts-and-null-error",
        Format.OPENAI_CHAT,
        JSON,
        _whole(
            {
                "model": "m",
                "error": None,
                "choices": [
                    {"message": {"content": [{"type": "thinking"}, {"type": "text", "text": "a"}, {"text": "b"}]}},
                ],
            }
        ),
        facts("m", completion="ab"),
    ),
    Recording(
        "completions-stream",
        Format.OPENAI_COMPLETIONS,
        SSE,
        data_events(
            {"model": "m", "choices": [{"index": 0, "text": "on", "finish_reason": None}]},
            {"model": "m", "choices": [{"index": 1, "text": "other", "finish_reason": None}]},
            {"model": "m", "choices": [{"index": 0, "text": "ce", "finish_reason": "stop"}]},
            "[DONE]",
        ),
        facts("m", completion="once", finish_reason="stop"),
    ),
    Recording(
        "embeddings",
        Format.OPENAI_EMBEDDINGS,
        JSON,
        _whole({"model": "e", "data": [{"embedding": [0.5, -1e-3]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}}),
        facts("e", Usage(input=8)),
    ),
]

_RESPONSE = {
    "id": "resp_1",
    "model": "gpt-5",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "Hel"}, {"type": "output_text", "text": "lo"}]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "web_search_call"},
    ],
    "usage": {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5},
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 42,
    },
}
_RESPONSE_COUNTED = Usage(input=15, cache_read=10, cache_write=5, output=10, reasoning=2)
_BEGUN = {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5", "status": "in_progress"}}

RESPONSES = [
    Recording(
        "responses-whole",
        Format.OPENAI_RESPONSES,
        JSON,
        _whole(_RESPONSE),
        facts("gpt-5", _RESPONSE_COUNTED, "Hello", "completed", tool_calls=1),
    ),
    Recording(
        "responses-stream-completed",
        Format.OPENAI_RESPONSES,
        SSE,
        named_events(
            _BEGUN,
            {"type": "response.output_text.delta", "delta": "Hel"},
            {"type": "response.output_text.delta", "delta": "lo"},
            {"type": "response.output_text.done", "text": "Hello"},
            {"type": "response.output_item.added", "item": {"type": "function_call"}},
            {"type": "response.function_call_arguments.delta", "delta": "{}"},
            {"type": "response.completed", "response": _RESPONSE},
        ),
        facts("gpt-5", _RESPONSE_COUNTED, "Hello", "completed", tool_calls=1),
    ),
    Recording(
        "responses-stream-incomplete",
        Format.OPENAI_RESPONSES,
        SSE,
        named_events(
            _BEGUN,
            {
                "type": "response.incomplete",
                "response": {
                    "model": "gpt-5",
                    "status": "incomplete",
                    "incomplete_details": {"reason": "max_output_tokens"},
                    "usage": {"input_tokens": 4, "output_tokens": 16},
                },
            },
        ),
        facts("gpt-5", Usage(input=4, output=16), finish_reason="max_output_tokens"),
    ),
    Recording(
        "responses-stream-failed",
        Format.OPENAI_RESPONSES,
        SSE,
        named_events(
            _BEGUN,
            {
                "type": "response.failed",
                "response": {
                    "status": "failed",
                    "error": {"code": "rate_limit_exceeded", "message": "slow down"},
                    "usage": {"input_tokens": 4, "output_tokens": 0},
                },
            },
        ),
        facts("gpt-5", Usage(input=4, output=0), finish_reason="failed", error="rate_limit_exceeded: slow down"),
    ),
    Recording(
        "responses-stream-error-event",
        Format.OPENAI_RESPONSES,
        SSE,
        named_events(_BEGUN, {"type": "error", "code": "server_error", "message": "oops"}),
        facts("gpt-5", complete=False, error="server_error: oops"),
    ),
    Recording(
        "responses-stream-unnamed-error",
        Format.OPENAI_RESPONSES,
        SSE,
        data_events(_BEGUN, {"type": "error", "error": {"type": "server_error", "message": "oops"}}),
        facts("gpt-5", complete=False, error="server_error: oops"),
    ),
]

_CLAUDE = {
    "type": "message",
    "model": "claude",
    "content": [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Hel"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        {"type": "text", "text": "lo"},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 5,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 40,
        "output_tokens": 30,
        "output_tokens_details": {"thinking_tokens": 10},
    },
}
_STARTED = {
    "type": "message_start",
    "message": {
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 25, "cache_read_input_tokens": 100, "output_tokens": 1},
    },
}

ANTHROPIC = [
    Recording(
        "anthropic-whole",
        Format.ANTHROPIC_MESSAGES,
        JSON,
        _whole(_CLAUDE),
        facts("claude", Usage(5, 100, 40, 20, 10), "Hello", "tool_use", tool_calls=1),
    ),
    Recording(
        "anthropic-stream",
        Format.ANTHROPIC_MESSAGES,
        SSE,
        named_events(
            _STARTED,
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "input": {}}},
            {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "tool_use"},
                "usage": {"output_tokens": 9, "input_tokens": 27, "cache_read_input_tokens": None},
            },
            {"type": "message_stop"},
        ),
        facts("claude", Usage(input=27, cache_read=100, output=9), "Hello", "tool_use", tool_calls=1),
    ),
    Recording(
        "anthropic-stream-error-event",
        Format.ANTHROPIC_MESSAGES,
        SSE,
        named_events(_STARTED, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        facts("claude", Usage(25, 100, None, 1), complete=False, error="overloaded_error: Overloaded"),
    ),
    Recording(
        "anthropic-error-whole",
        Format.ANTHROPIC_MESSAGES,
        JSON,
        _whole({"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}),
        facts(error="not_found_error: model: x"),
    ),
]

_GEMINI_CHUNKS = [
    {
        "candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "Hel"}], "role": "model"}}],
        "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10},
        "modelVersion": "gemini-2.5",
    },
    {
        "candidates": [
            {"content": {"parts": [{"text": "lo ]"}, {"functionCall": {"name": "f"}}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {
            "promptTokenCount": 10,
            "cachedContentTokenCount": 4,
            "toolUsePromptTokenCount": 3,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 6,
        },
        "modelVersion": "gemini-2.5",
    },
]
_GEMINI_FACTS = facts("gemini-2.5", Usage(9, 4, None, 5, 6), "Hello ]", "STOP", tool_calls=1)

GEMINI = [
    Recording("gemini-sse", Format.GEMINI, SSE, data_events(*_GEMINI_CHUNKS, end="\r\n\r\n"), _GEMINI_FACTS),
    Recording("gemini-array", Format.GEMINI, JSON, _whole(_GEMINI_CHUNKS), _GEMINI_FACTS),
    Recording(
        "gemini-array-cut-off",
        Format.GEMINI,
        JSON,
        b"[" + _whole(_GEMINI_CHUNKS[0]) + b"\n,\r\n" + _whole(_GEMINI_CHUNKS[1])[:-9],
        facts("gemini-2.5", Usage(input=10), "Hel", complete=False),
    ),
    Recording(
        "gemini-whole",
        Format.GEMINI,
        JSON,
        _whole(_GEMINI_CHUNKS[1]),
        facts("gemini-2.5", Usage(9, 4, None, 5, 6), "lo ]", "STOP", tool_calls=1),
    ),
    Recording(
        "gemini-blocked",
        Format.GEMINI,
        SSE,
        data_events({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 2}}),
        facts(usage=Usage(input=2), finish_reason="SAFETY"),
    ),
    Recording(
        "gemini-error-in-array",
        Format.GEMINI,
        JSON,
        _whole([{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}]),
        facts(complete=False, error="RESOURCE_EXHAUSTED: quota"),
    ),
    Recording("gemini-embedding", Format.GEMINI, JSON, _whole({"embedding": {"values": [0.1]}}), facts()),
]

_OLLAMA_END = {"model": "llama", "done": True, "done_reason": "stop", "prompt_eval_count": 11, "eval_count": 3}

OLLAMA = [
    Recording(
        "ollama-chat-stream",
        Format.OLLAMA,
        NDJSON,
        _lines(
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
        _lines({"model": "llama", "response": "Hi", "done": False}, {**_OLLAMA_END, "response": ""}).rstrip(),
        facts("llama", Usage(input=11, output=3), "Hi", "stop"),
    ),
    Recording(
        "ollama-whole",
        Format.OLLAMA,
        JSON,
        _whole({**_OLLAMA_END, "message": {"content": "Hi", "thinking": "hm"}}),
        facts("llama", Usage(input=11, output=3), "Hi", "stop"),
    ),
    Recording(
        "ollama-embed",
        Format.OLLAMA,
        JSON,
        _whole({"model": "e", "embeddings": [[0.1]], "prompt_eval_count": 4}),
        facts("e", Usage(input=4)),
    ),
    Recording(
        "ollama-error",
        Format.OLLAMA,
        NDJSON,
        _lines({"model": "llama", "response": "Hi"}, {"error": "out of memory"}),
        facts("llama", completion="Hi", complete=False, error="out of memory"),
    ),
]

RECORDINGS = [*OPENAI, *RESPONSES, *ANTHROPIC, *GEMINI, *OLLAMA]
