"""Gemini."""

from ingate.formats import Format, Usage
from tests.support.recordings.recording import JSON, SSE, Recording, data_events, facts, whole

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
    Recording("gemini-array", Format.GEMINI, JSON, whole(_GEMINI_CHUNKS), _GEMINI_FACTS),
    Recording(
        "gemini-array-cut-off",
        Format.GEMINI,
        JSON,
        b"[" + whole(_GEMINI_CHUNKS[0]) + b"\n,\r\n" + whole(_GEMINI_CHUNKS[1])[:-9],
        facts("gemini-2.5", Usage(input=10), "Hel", complete=False),
    ),
    Recording(
        "gemini-whole",
        Format.GEMINI,
        JSON,
        whole(_GEMINI_CHUNKS[1]),
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
        whole([{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}]),
        facts(complete=False, error="RESOURCE_EXHAUSTED: quota"),
    ),
    Recording("gemini-embedding", Format.GEMINI, JSON, whole({"embedding": {"values": [0.1]}}), facts()),
]
