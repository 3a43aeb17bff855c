"""Chat completions, completions and embeddings."""

from ingate.formats import Format, Usage
from tests.support.recordings.recording import JSON, SSE, Recording, data_events, facts, whole


def _chat(delta, finish=None, **more):
    return {"id": "c1", "model": "gpt-4o", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


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
        whole(
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
        facts("gpt-4o", finish_reason="tool_calls", tool_calls=2, unkept=2),
    ),
    Recording(
        "chat-whole-tools",
        Format.OPENAI_CHAT,
        JSON,
        whole(
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
        facts("gpt-4o", Usage(output=7), "Hel", complete=False, error="server_error: overloaded"),
    ),
    Recording(
        "chat-error-whole",
        Format.OPENAI_CHAT,
        JSON,
        whole({"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}}),
        facts(error="invalid_request_error: no such model"),
    ),
    Recording(
        "chat-error-bare",
        Format.OPENAI_CHAT,
        JSON,
        whole({"object": "error", "message": "no such model", "code": 404}),
        facts(error="404: no such model"),
    ),
    Recording(
        "chat-content-parts-and-null-error",
        Format.OPENAI_CHAT,
        JSON,
        whole(
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
        facts("m", completion="once", finish_reason="stop", unkept=5),
    ),
    Recording(
        "embeddings",
        Format.OPENAI_EMBEDDINGS,
        JSON,
        whole({"model": "e", "data": [{"embedding": [0.5, -1e-3]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}}),
        facts("e", Usage(input=8)),
    ),
]
