"""Exchanges as rows and as messages. Pure.

A row is made for every exchange, so its fields are read many at a time, and what repeats is checked and cleaned once.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gen.ingate.exchanges.v1 import exchange_pb2, exchange_service_pb2
from ingate import clock, ids
from ingate.errors import BadRequest
from ingate.exchanges import pricing
from ingate.exchanges.tables import Exchange
from ingate.formats import Format, Usage, read_prompt, read_response
from ingate.remembered import Remembered

MAX_NAME = 256
MAX_LABEL = 64
MAX_METHOD = 32
MAX_COUNT = 2**60
"""Tokens of one kind at most: their sum still fits a column."""
MAX_COST = 2**63 - 1
COLUMNS = tuple(column.name for column in Exchange.__table__.columns)
"""The columns in the order of a row."""

_json = msgspec.json.Encoder()
_SECONDS = range(-62_135_596_800, 253_402_300_800)  # the years 1 to 9999
_COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_BUCKETS = ("input", "cache_read", "cache_write", "output", "reasoning")
_TIMES = ("latency_ms", "ttft_ms")
_counts = attrgetter(*_COUNTS)
_FORMATS = {format.value: format for format in Format}


class _Tried(Struct, omit_defaults=True):
    """An attempt as it is stored."""

    provider: str
    latency_ms: float
    status_code: int | UnsetType = UNSET
    error: str | UnsetType = UNSET


class _Said(Struct):
    """What the bodies of an exchange say."""

    model: str
    usage: Usage
    prompt: str | None
    completion: str | None
    metadata: dict[str, str]


def row(record: exchange_service_pb2.ExchangeRecord, place: str) -> tuple[Any, ...]:
    """Returns the values of COLUMNS for a record, priced. What it leaves to be learned is learned from its bodies.

    Text that a column cannot hold is cut or cleaned. What cannot be mended is BadRequest, naming the field in `place`.
    """
    it = record.exchange
    _check(record, place)
    payload = record.payload if record.HasField("payload") else None
    said = _stated(it) if payload is None or not record.format else _learned(record, payload)
    created_at = clock.from_proto(it.created_at)
    model, usage = _names[said.model], said.usage
    cost = pricing.cost(record.price_provider, model, usage, created_at)
    has = it.HasField
    return (
        it.request_id,
        record.org_id,
        created_at,
        it.source,
        _names[it.provider],
        _names[it.served_by],
        model,
        _text(it.method, MAX_METHOD),
        _text(it.path),
        it.status_code,
        it.level,
        _text(it.error_code, MAX_LABEL) or None,
        it.stream,
        it.latency_ms,
        it.ttft_ms if has("ttft_ms") else None,
        usage.input,
        usage.output,
        usage.cache_read,
        usage.cache_write,
        usage.reasoning,
        usage.total,
        None if cost is None or cost > MAX_COST else cost,
        it.cache,
        _attempts(it.attempts),
        _names[it.user_id] or None,
        _names[it.session_id] or None,
        it.key_id,
        _text(it.app_id, MAX_LABEL) or None,
        _text(it.team_id, MAX_LABEL) or None,
        None if said.prompt is None else _text(said.prompt),
        None if said.completion is None else _text(said.completion),
        _object(said.metadata),
        _object(it.tags),
        *((False, None, None, None, None) if payload is None else _kept(payload)),
    )


_kept = attrgetter("truncated", "request_headers", "request_body", "response_headers", "response_body")


def _stated(it: exchange_pb2.Exchange) -> _Said:
    """Returns what the record says of the bodies."""
    has = it.HasField
    counts = zip(_BUCKETS, _COUNTS, _counts(it), strict=True)
    return _Said(
        it.model,
        Usage(**{bucket: count for bucket, name, count in counts if count or has(name)}),
        it.prompt if has("prompt") else None,
        it.completion if has("completion") else None,
        dict(it.metadata),
    )


def _learned(record: exchange_service_pb2.ExchangeRecord, payload: exchange_pb2.Payload) -> _Said:
    """Returns what the bodies say themselves; the model that was asked for where the answer names none."""
    it = record.exchange
    # A gateway that is newer than this core may know formats that it does not.
    format = _FORMATS.get(record.format, Format.OTHER)
    facts = read_response(format, record.media_type, "", payload.response_body)
    return _Said(
        facts.model or it.model,
        facts.usage,
        read_prompt(format, it.path, payload.request_body),
        facts.completion,
        {**it.metadata, **dict(facts.metadata)},
    )


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
        tried = _Tried(it.provider, it.latency_ms)
        if it.HasField("status_code"):
            tried.status_code = it.status_code
        if it.HasField("error"):
            tried.error = it.error
        tries.append(tried)
    return _json.encode(tries).decode()


def _object(pairs: Mapping[str, str]) -> str:
    return _json.encode(dict(pairs)).decode() if pairs else "{}"


def _text(text: str, most: int | None = None) -> str:
    # PostgreSQL stores no NUL in text; the payload keeps the original.
    return (text.replace("\0", "\ufffd") if "\0" in text else text)[:most]


_names: Remembered[str, str] = Remembered(lambda name: _text(name, MAX_NAME), len)
"""Names as columns hold them, remembered: they repeat."""


@lru_cache(1024)
def _known_uuid(text: str) -> bool:
    """Tells whether an id that many records share is one."""
    return ids.is_uuid(text)


def _check(record: exchange_service_pb2.ExchangeRecord, place: str) -> None:
    """Raises BadRequest for the first value that no column holds and no default may stand in for."""
    it = record.exchange
    if not _known_uuid(record.org_id):
        raise BadRequest.field(f"{place}.org_id", "must be a UUID")
    if not ids.is_uuid(it.request_id):
        raise BadRequest.field(f"{place}.exchange.request_id", "must be a UUID")
    if not _known_uuid(it.key_id):
        raise BadRequest.field(f"{place}.exchange.key_id", "must be a UUID")
    if it.created_at.seconds not in _SECONDS:
        raise BadRequest.field(f"{place}.exchange.created_at", "is out of range")
    counts = _counts(it)
    if min(counts) < 0 or max(counts) > MAX_COUNT:
        name = next(name for name, count in zip(_COUNTS, counts, strict=True) if not 0 <= count <= MAX_COUNT)
        raise BadRequest.field(f"{place}.exchange.{name}", "is out of range")
    for name in _TIMES:
        if not math.isfinite(getattr(it, name)):
            raise BadRequest.field(f"{place}.exchange.{name}", "must be a finite number")
