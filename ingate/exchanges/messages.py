"""Stored exchanges as messages. Pure."""

import msgspec

from gen.ingate.exchanges.v1 import exchange_pb2
from ingate import clock
from ingate.exchanges.tables import Exchange
from ingate.pricing import to_usd


def message(stored: Exchange) -> exchange_pb2.Exchange:
    """Returns the message of a stored exchange."""
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
        prompt=stored.prompt,
        completion=stored.completion,
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
