"""Anthropic Messages."""

from ingate.formats import Format, Usage
from tests.support.recordings.recording import JSON, SSE, Recording, facts, named_events, whole

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
        whole(_CLAUDE),
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
        whole({"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}),
        facts(error="not_found_error: model: x"),
    ),
]
