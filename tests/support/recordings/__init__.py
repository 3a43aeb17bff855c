"""Responses as providers send them, each with the facts they hold."""

from tests.support.recordings.anthropic_messages import ANTHROPIC
from tests.support.recordings.gemini import GEMINI
from tests.support.recordings.ollama import OLLAMA
from tests.support.recordings.openai_chat import OPENAI
from tests.support.recordings.openai_responses import RESPONSES
from tests.support.recordings.recording import JSON, NDJSON, SSE, data_events, facts, named_events

RECORDINGS = [*OPENAI, *RESPONSES, *ANTHROPIC, *GEMINI, *OLLAMA]

__all__ = ["JSON", "NDJSON", "RECORDINGS", "SSE", "data_events", "facts", "named_events"]
