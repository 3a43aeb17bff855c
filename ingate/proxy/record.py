"""A finished exchange as it is reported: an `ExchangeRecord` in wire form, written without the protobuf library.

One is written for every request, and the library takes five times as long. Two occurrences of a submessage are merged
by whoever reads them, so what a grant, a target and a head state of each of their exchanges is made once and goes in
as it is. Knows no journal and no database.
"""

import time
from functools import lru_cache
from operator import attrgetter

from google.protobuf.timestamp_pb2 import Timestamp

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.exchange_service_pb2 import ExchangeRecord
from ingate import clock
from ingate.formats import Format, ResponseFacts, read_prompt, read_response, unpacked
from ingate.proxy.exchange import Exchange
from ingate.proxy.headers import recorded
from ingate.proxy.wire import double, sized, tag, text, varint

CLIENT_CLOSED = 499
PROVIDER_ERROR = "provider_error"

_EXCHANGE = tag(ExchangeRecord, "exchange")
_PAYLOAD = tag(ExchangeRecord, "payload")

_REQUEST_ID = tag(pb.Exchange, "request_id")
_CREATED_AT = tag(pb.Exchange, "created_at")
_MODEL = tag(pb.Exchange, "model")
_STATUS_CODE = tag(pb.Exchange, "status_code")
_LEVEL = tag(pb.Exchange, "level")
_ERROR_CODE = tag(pb.Exchange, "error_code")
_STREAM = tag(pb.Exchange, "stream") + varint(True)
_LATENCY = tag(pb.Exchange, "latency_ms")
_TTFT = tag(pb.Exchange, "ttft_ms")
_ATTEMPT = tag(pb.Exchange, "attempts")
_PROMPT = tag(pb.Exchange, "prompt")
_COMPLETION = tag(pb.Exchange, "completion")
_METADATA = tag(pb.Exchange, "metadata")
_UNITS = tag(pb.Exchange, "units")
_ERROR_MESSAGE = tag(pb.Exchange, "error_message")
_COUNTS = [
    tag(pb.Exchange, name)
    for name in (
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "total_tokens",
    )
]
_counts = attrgetter("input", "output", "cache_read", "cache_write", "reasoning", "total")

_SECONDS = tag(Timestamp, "seconds")
_NANOS = tag(Timestamp, "nanos")
_DOUBLE_BYTES = 8

_ATTEMPT_PROVIDER = tag(pb.Attempt, "provider")
_ATTEMPT_STATUS = tag(pb.Attempt, "status_code")
_ATTEMPT_ERROR = tag(pb.Attempt, "error")
_ATTEMPT_LATENCY = tag(pb.Attempt, "latency_ms")

_KEY = tag(pb.Exchange.MetadataEntry, "key")
_VALUE = tag(pb.Exchange.MetadataEntry, "value")
_UNIT = tag(pb.Exchange.UnitsEntry, "key")
_UNIT_COUNT = tag(pb.Exchange.UnitsEntry, "value")

_REQUEST_BODY = tag(pb.Payload, "request_body")
_RESPONSE_HEADERS = tag(pb.Payload, "response_headers")
_RESPONSE_BODY = tag(pb.Payload, "response_body")
_TRUNCATED = tag(pb.Payload, "truncated") + varint(True)


def encode(exchange: Exchange, capture: int) -> bytes:
    """Returns a record. Bodies are kept up to `capture` bytes; 0 keeps no payload at all.

    What whole bodies say is left to be learned where the record arrives, a batch at a time with nobody waiting. What
    others say is learned here, for the rest of them goes no further.
    """
    if not capture:
        return light(exchange)
    fields = _noted(exchange)
    asked, answered, encoding = exchange.request_body, _answered(exchange), exchange.response_encoding
    shown = unpacked(answered, encoding, capture + 1) if encoding else answered
    headers = recorded(exchange.response_headers)
    if exchange.truncated or len(asked) > capture or len(shown) > capture:
        asked, shown, cut = asked[:capture], shown[:capture], _TRUNCATED
    else:
        cut = b""
    if cut or encoding:
        _learn(fields, exchange, answered)
        bodies = b""
    else:
        bodies = _left_to_learn(exchange.head.format, exchange.media_type)
    noted = b"".join(fields)
    # A field in a line.
    # fmt: off
    payload = b"".join((
        exchange.head.recorded, cut,
        _REQUEST_BODY, varint(len(asked)), asked,
        _RESPONSE_HEADERS, varint(len(headers)), headers,
        _RESPONSE_BODY, varint(len(shown)), shown,
    ))
    return b"".join((
        *_stated(exchange),
        _EXCHANGE, varint(len(noted)), noted,
        bodies,
        _PAYLOAD, varint(len(payload)), payload,
    ))
    # fmt: on


def light(exchange: Exchange) -> bytes:
    """Returns a record without payload, with all that the bodies say."""
    fields = _noted(exchange)
    _learn(fields, exchange, _answered(exchange))
    return b"".join((*_stated(exchange), *sized(_EXCHANGE, b"".join(fields))))


def _answered(exchange: Exchange) -> bytes:
    pieces = exchange.response_body
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _stated(exchange: Exchange) -> tuple[bytes, bytes, bytes]:
    """Returns what the grant, the head and the target state."""
    target, attempts = exchange.target, exchange.attempts
    if target is None:
        return exchange.grant.stated, exchange.head.stated, b""
    answered = bool(attempts) and attempts[-1].status is not None
    return exchange.grant.stated, exchange.head.stated, target.served if answered else target.stated


@lru_cache(maxsize=256)
def _left_to_learn(format: Format, media_type: str) -> bytes:
    """Returns how the bodies are to be read. Cached: there are few kinds."""
    return ExchangeRecord(format=format, media_type=media_type).SerializeToString()


def _noted(exchange: Exchange) -> list[bytes]:
    """Returns the fields of an `Exchange` that the engine itself has noted."""
    started, first_byte = exchange.started, exchange.first_byte
    seconds, micros = divmod(exchange.created_at, clock.SECOND)
    since, nanos = _since(seconds), varint(micros * 1000)
    request_id = exchange.request_id.encode()
    # A field in a line.
    # fmt: off
    fields = [
        _REQUEST_ID, varint(len(request_id)), request_id,
        _CREATED_AT, varint(len(since) + len(nanos)), since, nanos,
        _LEFT if exchange.client_gone else _outcome(exchange.status, exchange.error_code),
        _LATENCY, _milliseconds(time.perf_counter() - started),
    ]
    # fmt: on
    if first_byte is not None:
        fields += _TTFT, _milliseconds(first_byte - started)
    if exchange.stream:
        fields.append(_STREAM)
    for attempt in exchange.attempts:
        tried = _tried(attempt.provider, attempt.status, attempt.error)
        fields += _ATTEMPT, varint(len(tried) + _DOUBLE_BYTES), tried, _milliseconds(attempt.seconds)
    if exchange.model is not None:
        fields += text(_MODEL, exchange.model)
    return fields


@lru_cache(maxsize=2)
def _since(seconds: int) -> bytes:
    """Returns the beginning of a `Timestamp`. Cached: many exchanges begin in the same second."""
    return _SECONDS + varint(seconds) + _NANOS


@lru_cache(maxsize=1024)
def _tried(provider: str, status: int | None, error: str | None) -> bytes:
    """Returns the fields of an `Attempt`, the last without its value: how long it took. Cached: there are few."""
    fields = [*text(_ATTEMPT_PROVIDER, provider)]
    if status is not None:
        fields += _ATTEMPT_STATUS, varint(status)
    if error is not None:
        fields += text(_ATTEMPT_ERROR, error)
    return b"".join((*fields, _ATTEMPT_LATENCY))


def _learn(fields: list[bytes], exchange: Exchange, answered: bytes) -> None:
    """Adds what the bodies say."""
    head = exchange.head
    asked = read_prompt(head.format, exchange.request_body)
    if asked is not None:
        fields += text(_PROMPT, asked)
    facts = exchange.response_facts
    if facts is None:
        facts = read_response(head.format, exchange.media_type, exchange.response_encoding, answered)
    if facts.model is not None:
        fields += text(_MODEL, facts.model)
    for name, count in zip(_COUNTS, _counts(facts.usage), strict=True):
        if count is not None:
            fields += name, varint(count)
    if facts.completion is not None:
        fields += text(_COMPLETION, facts.completion)
    for pair in facts.metadata:
        fields += sized(_METADATA, b"".join((*text(_KEY, pair[0]), *text(_VALUE, pair[1]))))
    for unit, used in facts.units:
        fields += sized(_UNITS, b"".join((*text(_UNIT, unit), _UNIT_COUNT, varint(used))))
    _fail(fields, exchange, facts)


def _fail(fields: list[bytes], exchange: Exchange, facts: ResponseFacts) -> None:
    """Adds what failed in the answer, which the status need not say."""
    problem = facts.failure(stream=exchange.stream)
    if problem is not None:
        fields += text(_ERROR_MESSAGE, problem)
        if not exchange.client_gone and exchange.status < 400 and exchange.error_code is None:
            # Of a field that is stated twice, the later one counts.
            fields.append(_outcome(exchange.status, PROVIDER_ERROR))


@lru_cache(maxsize=256)
def _outcome(status: int, error_code: str | None) -> bytes:
    """Returns status, level and error code. Cached: there are few."""
    if status == CLIENT_CLOSED or 400 <= status < 500:
        level = pb.LEVEL_WARN
    else:
        level = pb.LEVEL_ERROR if status >= 500 or error_code else pb.LEVEL_INFO
    fields = [_STATUS_CODE, varint(status), _LEVEL, varint(level)]
    if error_code is not None:
        fields += text(_ERROR_CODE, error_code)
    return b"".join(fields)


_LEFT = _outcome(CLIENT_CLOSED, "client_closed")


def _milliseconds(seconds: float) -> bytes:
    """Returns seconds as milliseconds with three decimals. Dividing whole microseconds costs a quarter of `round`."""
    return double(round(seconds * 1e6) / 1000)
