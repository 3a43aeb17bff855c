"""OpenAI Responses."""

from ingate.formats import Format, Usage
from tests.support.recordings.recording import JSON, SSE, Recording, data_events, facts, named_events, whole

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
        whole(_RESPONSE),
        facts("gpt-5", _RESPONSE_COUNTED, "Hello", "completed", tool_calls=1, units=(("web_searches", 1),)),
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
        facts("gpt-5", _RESPONSE_COUNTED, "Hello", "completed", tool_calls=1, units=(("web_searches", 1),)),
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
        facts(
            "gpt-5",
            Usage(input=4, output=16),
            finish_reason="max_output_tokens",
            error="incomplete: max_output_tokens",
        ),
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
