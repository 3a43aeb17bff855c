"""Stored exchanges as messages. Pure."""

from typing import Any

import msgspec

from gen.ingate.exchanges.v1 import exchange_pb2
from ingate import clock
from ingate.exchanges.tables import Exchange
from ingate.pricing import to_usd

WHOLE_BYTES = 512 * 1024
"""Of a prompt or a completion in a message of its own. Beside bodies of a mebibyte each, clients take no more."""
LISTED_TEXTS = ("prompt", "completion", "path")
LISTED_CHARACTERS = 1024
"""Of each of these texts in a list."""
CUT = "…"


def _within(text: str | None) -> str | None:
    """Returns a text of up to `WHOLE_BYTES`, the last of which say that there were more."""
    if text is None or len(encoded := text.encode()) <= WHOLE_BYTES:
        return text
    return encoded[: WHOLE_BYTES - len(CUT.encode())].decode(errors="ignore") + CUT


def listed(row: Any) -> exchange_pb2.Exchange:
    """Returns the message of a row as lists show it; a text that was longer ends in an ellipsis."""
    item = message(row)
    for name in LISTED_TEXTS:
        if len(text := getattr(item, name)) > LISTED_CHARACTERS:
            setattr(item, name, text[: LISTED_CHARACTERS - 1] + CUT)
    return item


def message(stored: Any) -> exchange_pb2.Exchange:
    """Returns the message of a stored exchange, or of a row with its columns."""
    return exchange_pb2.Exchange(
        request_id=stored.id,
        created_at=clock.to_proto(stored.created_at),
        source=stored.source,
        provider=stored.provider,
        served_by=stored.served_by,
        model=stored.model,
        method=stored.method,
        path=stored.path,
        status_code=stored.status_code,
        level=stored.level,
        error_code=stored.error_code,
        stream=stored.stream,
        latency_ms=stored.latency_ms,
        ttft_ms=stored.ttft_ms,
        input_tokens=stored.input_tokens,
        output_tokens=stored.output_tokens,
        cache_read_tokens=stored.cache_read_tokens,
        cache_write_tokens=stored.cache_write_tokens,
        reasoning_tokens=stored.reasoning_tokens,
        total_tokens=stored.total_tokens,
        cost_usd=to_usd(stored.cost_pico),
        cache=stored.cache,
        attempts=[exchange_pb2.Attempt(**attempt) for attempt in msgspec.json.decode(stored.attempts)],
        user_id=stored.user_id,
        session_id=stored.session_id,
        key_id=stored.key_id,
        app_id=stored.app_id,
        team_id=stored.team_id,
        prompt=_within(stored.prompt),
        completion=_within(stored.completion),
        metadata=msgspec.json.decode(stored.meta),
        tags=msgspec.json.decode(stored.tags),
        units=msgspec.json.decode(stored.units),
        cost_source=stored.cost_source,
        usage_source=stored.usage_source,
        error_message=stored.error_message,
    )


def payload(stored: Exchange) -> exchange_pb2.Payload:
    """Returns what went over the wire; the payload columns must be loaded."""
    return exchange_pb2.Payload(
        request_headers=stored.request_headers,
        request_body=stored.request_body,
        response_headers=stored.response_headers,
        response_body=stored.response_body,
        truncated=stored.truncated,
    )
