"""Exchanges as rows and as messages. Pure."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from gen.ingate.exchanges.v1 import exchange_pb2, exchange_service_pb2
from ingate import clock, ids
from ingate.errors import BadRequest
from ingate.exchanges import pricing
from ingate.exchanges.tables import Exchange
from ingate.formats import Usage

_json = msgspec.json.Encoder()
MAX_NAME = 256
MAX_LABEL = 64
MAX_METHOD = 32
MAX_COUNT = 2**60
"""Tokens of one kind at most: their sum still fits a column."""
MAX_COST = 2**63 - 1
_SECONDS = range(-62_135_596_800, 253_402_300_800)  # the years 1 to 9999
_COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_TIMES = ("latency_ms", "ttft_ms")


def row(record: exchange_service_pb2.ExchangeRecord, place: str) -> dict[str, Any]:
    """Returns the column values of a record, priced.

    Text that a column cannot hold is cut or cleaned. What cannot be mended is BadRequest, naming the field in `place`.
    """
    it = record.exchange
    _check(record, place)
    has = it.HasField
    model = _text(it.model, MAX_NAME)
    usage = Usage(
        input=it.input_tokens if has("input_tokens") else None,
        cache_read=it.cache_read_tokens if has("cache_read_tokens") else None,
        cache_write=it.cache_write_tokens if has("cache_write_tokens") else None,
        output=it.output_tokens if has("output_tokens") else None,
        reasoning=it.reasoning_tokens if has("reasoning_tokens") else None,
    )
    created_at = clock.from_proto(it.created_at)
    cost = pricing.cost(record.price_provider, model, usage, created_at)
    payload = record.payload if record.HasField("payload") else None
    return {
        "id": it.request_id,
        "org_id": record.org_id,
        "created_at": created_at,
        "source": it.source,
        "provider": _text(it.provider, MAX_NAME),
        "served_by": _text(it.served_by, MAX_NAME),
        "model": model,
        "method": _text(it.method, MAX_METHOD),
        "path": _text(it.path),
        "status_code": it.status_code,
        "level": it.level,
        "error_code": _text(it.error_code, MAX_LABEL) or None,
        "stream": it.stream,
        "latency_ms": it.latency_ms,
        "ttft_ms": it.ttft_ms if has("ttft_ms") else None,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "reasoning_tokens": usage.reasoning,
        "total_tokens": usage.total,
        "cost_pico": None if cost is None or cost > MAX_COST else cost,
        "cache": it.cache,
        "attempts": _attempts(it.attempts),
        "user_id": _text(it.user_id, MAX_NAME) or None,
        "session_id": _text(it.session_id, MAX_NAME) or None,
        "key_id": it.key_id,
        "app_id": _text(it.app_id, MAX_LABEL) or None,
        "team_id": _text(it.team_id, MAX_LABEL) or None,
        "prompt": _text(it.prompt) if has("prompt") else None,
        "completion": _text(it.completion) if has("completion") else None,
        "meta": _object(it.metadata),
        "tags": _object(it.tags),
        "truncated": payload.truncated if payload else False,
        "request_headers": payload.request_headers if payload else None,
        "request_body": payload.request_body if payload else None,
        "response_headers": payload.response_headers if payload else None,
        "response_body": payload.response_body if payload else None,
    }


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
        cost_usd=pricing.to_usd(stored.cost_pico),
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


def _attempts(attempts: Any) -> str:
    tries = []
    for it in attempts:
        tried: dict[str, Any] = {"provider": it.provider, "latency_ms": it.latency_ms}
        if it.HasField("status_code"):
            tried["status_code"] = it.status_code
        if it.HasField("error"):
            tried["error"] = it.error
        tries.append(tried)
    return _json.encode(tries).decode()


def _object(pairs: Mapping[str, str]) -> str:
    return _json.encode(dict(pairs)).decode() if pairs else "{}"


def _text(text: str, most: int | None = None) -> str:
    # PostgreSQL stores no NUL in text; the payload keeps the original.
    return (text.replace("\0", "\ufffd") if "\0" in text else text)[:most]


def _check(record: exchange_service_pb2.ExchangeRecord, place: str) -> None:
    """Raises BadRequest for the first value that no column holds and no default may stand in for."""
    it = record.exchange
    for name, text in (
        ("org_id", record.org_id),
        ("exchange.request_id", it.request_id),
        ("exchange.key_id", it.key_id),
    ):
        if not ids.is_uuid(text):
            raise BadRequest.field(f"{place}.{name}", "must be a UUID")
    if it.created_at.seconds not in _SECONDS:
        raise BadRequest.field(f"{place}.exchange.created_at", "is out of range")
    for name in _COUNTS:
        if not 0 <= getattr(it, name) <= MAX_COUNT:
            raise BadRequest.field(f"{place}.exchange.{name}", "is out of range")
    for name in _TIMES:
        if not math.isfinite(getattr(it, name)):
            raise BadRequest.field(f"{place}.exchange.{name}", "must be a finite number")
