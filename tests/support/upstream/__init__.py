"""Upstreams for tests: `ScriptedUpstream` and the steps that make it misbehave.

    async with ScriptedUpstream() as up:
        up.enqueue(sse(["a", "b"], cut=byte_by_byte))
        up.script("/v1/messages", status(529), times=2)
        ...
        [request, *_] = await up.wait_for(1)

`python -m tests.support.upstream --port 9000 --events 50 --interval 0.02` serves the default answers for benchmarks.
"""

from tests.support.upstream.requests import ProtocolViolation, RecordedRequest
from tests.support.upstream.responses import (
    LAST_CHUNK,
    at,
    byte_by_byte,
    chunk,
    encode_head,
    event,
    inside_crlf,
    random_cuts,
    sized,
)
from tests.support.upstream.server import ScriptedUpstream
from tests.support.upstream.steps import (
    JSON,
    SSE,
    Phase,
    Scenario,
    accept_only,
    close,
    compose,
    delay,
    early_413,
    end,
    garbage,
    head,
    never_ends,
    on_accept,
    pause,
    reset,
    respond,
    send,
    slow_head,
    sse,
    stall,
    status,
    truncated,
    truncated_chunk,
)
from tests.support.upstream.vendors import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, TEXT

__all__ = [
    "CACHED_TOKENS",
    "INPUT_TOKENS",
    "JSON",
    "LAST_CHUNK",
    "OUTPUT_TOKENS",
    "SSE",
    "TEXT",
    "Phase",
    "ProtocolViolation",
    "RecordedRequest",
    "Scenario",
    "ScriptedUpstream",
    "accept_only",
    "at",
    "byte_by_byte",
    "chunk",
    "close",
    "compose",
    "delay",
    "early_413",
    "encode_head",
    "end",
    "event",
    "garbage",
    "head",
    "inside_crlf",
    "never_ends",
    "on_accept",
    "pause",
    "random_cuts",
    "reset",
    "respond",
    "send",
    "sized",
    "slow_head",
    "sse",
    "stall",
    "status",
    "truncated",
    "truncated_chunk",
]
