"""A finished exchange as it is reported, made without the protobuf library, which takes five times as long.

The usual one is packed. Others are an `ExchangeRecord` in wire form. Two occurrences of a submessage are merged by
whoever reads them, so what a grant, a target and a head state of each of their exchanges is made once and goes in as it
is. Knows no journal and no database.
"""

import time
from functools import lru_cache
from operator import attrgetter

from google.protobuf.timestamp_pb2 import Timestamp

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate import clock
from ingate.formats import (
    Format,
    ResponseFacts,
    at_once,
)
from ingate.packed import PackedAttempt, PackedRecord, pack
from ingate.proxy.headers import recorded
from ingate.proxy.learned import answer_of, hidden_event, learning
from ingate.proxy.masking import Mask
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.protobuf_wire import double, sized, tag, text, varint
from ingate.proxy.stated import of_exchange, of_head

CLIENT_CLOSED = 499
_CLOSED = "client_closed"
_TEXTS = frozenset({"model", "path", "prompt", "completion", "user_id", "session_id", "error_message"})
"""Fields of an `Exchange` that hold what callers and providers say."""
_SHORTEST_CUT = 256
"""Characters of the shortest text that may have been cut when it was read."""
EXCERPT = 256
"""Characters of prompt and of completion in a record whose payload was left out for want of room."""
AT_ONCE = 5000
"""Units of work that a body may cost which nobody has read before its record is written: some milliseconds."""
PROVIDER_ERROR = "provider_error"

_EXCHANGE = tag(ExchangeRecord, "exchange")
_PAYLOAD = tag(ExchangeRecord, "payload")
_HIDDEN_EVENT = tag(ExchangeRecord, "hidden_event")

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
_ESTIMATED = tag(pb.Exchange, "usage_source") + varint(pb.USAGE_SOURCE_ESTIMATE)
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

_REQUEST_HEADERS = tag(pb.Payload, "request_headers")
_REQUEST_BODY = tag(pb.Payload, "request_body")
_RESPONSE_HEADERS = tag(pb.Payload, "response_headers")
_RESPONSE_BODY = tag(pb.Payload, "response_body")
_TRUNCATED = tag(pb.Payload, "truncated") + varint(True)


def encode(exchange: OpenExchange, capture: int) -> bytes:
    """Returns a record, packed or in wire form. Bodies are kept up to `capture` bytes; 0 keeps no payload at all.

    Whole bodies are read where the record arrives, a batch at a time with nobody waiting. Bodies that are cut or
    compressed are read here, since the record does not hold all of them.
    """
    if not capture:
        return light(exchange)
    asked, encoding = exchange.request_body, exchange.response_encoding
    if encoding:
        if exchange.unpacked is None:
            at_once(learning(exchange, capture, AT_ONCE))
        shown = exchange.unpacked or b""
    else:
        shown = answer_of(exchange)
    headers = recorded(exchange.response_headers)
    if exchange.truncated or len(asked) > capture or len(shown) > capture:
        mask = exchange.mask
        if mask is None:
            asked, shown = asked[:capture], shown[:capture]
        else:
            asked, shown = mask.beginning(asked, capture), mask.beginning(shown, capture)
        return _with_payload(exchange, asked, headers, shown, _TRUNCATED)
    packed = None if encoding else _packed(exchange, asked, headers, shown)
    return packed or _with_payload(exchange, asked, headers, shown, b"")


def _packed(exchange: OpenExchange, asked: bytes | bytearray, headers: bytes, shown: bytes) -> bytes | None:
    """Returns the packed record of an exchange whose bodies are there whole; None where some of it must be changed.

    That is what a mask hits, and half a character, which no text may hold.
    """
    try:
        packed = pack(_usual(exchange, asked, headers, shown))
    except UnicodeEncodeError:
        return None
    mask = exchange.mask
    return packed if mask is None or not mask.hits(packed) else None


def _with_payload(exchange: OpenExchange, asked: bytes | bytearray, headers: bytes, shown: bytes, cut: bytes) -> bytes:
    """Returns a record in wire form. What bodies say that are cut or compressed is learned, and in the record."""
    fields, bodies, head = _noted(exchange), b"", of_head(exchange.head)
    if cut or exchange.response_encoding:
        _learn(fields, exchange)
    else:
        bodies = _left_to_learn(exchange.head.format, exchange.media_type)
        if hidden := hidden_event(exchange):
            bodies = b"".join((bodies, *sized(_HIDDEN_EVENT, hidden)))
    noted = b"".join(fields)
    # A field in a line.
    # fmt: off
    payload = (
        _REQUEST_HEADERS, varint(len(head.headers)), head.headers, cut,
        _REQUEST_BODY, varint(len(asked)), asked,
        _RESPONSE_HEADERS, varint(len(headers)), headers,
        _RESPONSE_BODY, varint(len(shown)), shown,
    )
    record = b"".join((
        of_exchange(exchange, head),
        _EXCHANGE, varint(len(noted)), noted,
        bodies,
        _PAYLOAD, varint(sum(map(len, payload))), *payload,  # joined once, for bodies are what is large
    ))
    # fmt: on
    mask = exchange.mask
    return record if mask is None or not mask.hits(record) else _masked(record, mask)


def _usual(exchange: OpenExchange, asked: bytes | bytearray, headers: bytes, shown: bytes) -> PackedRecord:
    """Returns the record of an exchange whose bodies are there whole."""
    started, first_byte, head = exchange.started, exchange.first_byte, exchange.head
    stated = of_head(head)
    status, error_code = (CLIENT_CLOSED, _CLOSED) if exchange.client_gone else (exchange.status, exchange.error_code)
    message = exchange.error_message
    return PackedRecord(
        of_exchange(exchange, stated),
        exchange.request_id,
        exchange.created_at,
        status,
        _level(status, error_code),
        error_code,
        None if message is None else _whole(message, exchange.mask),
        round((time.perf_counter() - started) * 1e6) / 1000,
        None if first_byte is None else round((first_byte - started) * 1e6) / 1000,
        exchange.stream,
        [PackedAttempt(it.provider, round(it.seconds * 1e6) / 1000, it.status, it.error) for it in exchange.attempts],
        exchange.model,
        head.format,
        exchange.media_type,
        stated.headers,
        asked,  # type: ignore[arg-type]  # a bytearray is written alike
        headers,
        shown,
        hidden_event(exchange),
    )


def light(exchange: OpenExchange) -> bytes:
    """Returns a record without payload, with all that the bodies say."""
    fields = _noted(exchange)
    _learn(fields, exchange)
    return _without_payload(exchange, fields)


def shed(exchange: OpenExchange) -> bytes:
    """Returns a record for which there is little room: no payload, of what the bodies say the beginning."""
    fields = _noted(exchange)
    _learn(fields, exchange, EXCERPT)
    fields += _pair(("recorded", "without payload"))
    return _without_payload(exchange, fields)


def incomplete(exchange: OpenExchange, error: str) -> bytes:
    """Returns a record of what is certain of an exchange whose record cannot be made, and of the error's type."""
    fields = _begun(exchange)
    fields += _pair(("recorded", f"incomplete: {error}"))
    return _without_payload(exchange, fields)


def _without_payload(exchange: OpenExchange, fields: list[bytes]) -> bytes:
    mask = exchange.mask
    record = b"".join((of_exchange(exchange, of_head(exchange.head)), *sized(_EXCHANGE, b"".join(fields))))
    return record if mask is None or not mask.hits(record) else _masked(record, mask)


def _masked(record: bytes, mask: Mask) -> bytes:
    """Returns a record without the credentials that it quotes. What identifies it stays."""
    message = ExchangeRecord.FromString(record)
    for field, value in message.exchange.ListFields():
        if field.name in _TEXTS:
            setattr(message.exchange, field.name, mask.text(value))
    for name, value in message.exchange.metadata.items():
        message.exchange.metadata[name] = mask.text(value)
    for field, value in message.payload.ListFields():
        if field.type == field.TYPE_BYTES:
            setattr(message.payload, field.name, mask.apply(value))
    message.hidden_event = mask.apply(message.hidden_event)
    return message.SerializeToString()


@lru_cache(maxsize=256)
def _left_to_learn(format: Format, media_type: str) -> bytes:
    """Returns how the bodies are to be read. Cached: there are few kinds."""
    return ExchangeRecord(format=format, media_type=media_type).SerializeToString()


def _begun(exchange: OpenExchange) -> list[bytes]:
    """Returns the fields that every `Exchange` has: which it was, when, how it ended, how long it took."""
    seconds, micros = divmod(exchange.created_at, clock.SECOND)
    since, nanos = _since(seconds), varint(micros * 1000)
    request_id = exchange.request_id.encode()
    # A field in a line.
    # fmt: off
    return [
        _REQUEST_ID, varint(len(request_id)), request_id,
        _CREATED_AT, varint(len(since) + len(nanos)), since, nanos,
        _LEFT if exchange.client_gone else _outcome(exchange.status, exchange.error_code),
        _LATENCY, _milliseconds(time.perf_counter() - exchange.started),
    ]
    # fmt: on


def _noted(exchange: OpenExchange) -> list[bytes]:
    """Returns the fields of an `Exchange` that the engine itself has noted."""
    fields = _begun(exchange)
    first_byte = exchange.first_byte
    if first_byte is not None:
        fields += _TTFT, _milliseconds(first_byte - exchange.started)
    if exchange.stream:
        fields.append(_STREAM)
    for attempt in exchange.attempts:
        tried = _tried(attempt.provider, attempt.status, attempt.error)
        fields += _ATTEMPT, varint(len(tried) + _DOUBLE_BYTES), tried, _milliseconds(attempt.seconds)
    if exchange.model is not None:
        fields += text(_MODEL, exchange.model)
    if exchange.error_message is not None:
        fields += text(_ERROR_MESSAGE, _whole(exchange.error_message, exchange.mask))
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


def _learn(fields: list[bytes], exchange: OpenExchange, most: int | None = None) -> None:
    """Adds what the bodies say; of texts, `most` characters."""
    if exchange.learned is None:
        at_once(learning(exchange, 0, AT_ONCE))
    learned = exchange.learned
    if learned is None:
        return
    mask = exchange.mask
    asked, facts = learned.prompt, learned.facts
    if asked is not None:
        fields += text(_PROMPT, _whole(asked[:most], mask))
    if facts.model is not None:
        fields += text(_MODEL, facts.model)
    fields += _used(facts)
    if facts.completion is not None:
        fields += text(_COMPLETION, _whole(facts.completion[:most], mask))
    for stated, value in facts.metadata:
        fields += _pair((stated, _whole(value, mask)))
    _fail(fields, exchange, facts)


def _used(facts: ResponseFacts) -> list[bytes]:
    """Returns the fields of what was used, and of who says so."""
    fields = [_ESTIMATED] if facts.estimated else []
    for name, count in zip(_COUNTS, _counts(facts.usage), strict=True):
        if count is not None:
            fields += name, varint(count)
    for unit, used in facts.units:
        fields += sized(_UNITS, b"".join((*text(_UNIT, unit), _UNIT_COUNT, varint(used))))
    return fields


def _fail(fields: list[bytes], exchange: OpenExchange, facts: ResponseFacts) -> None:
    """Adds what failed in the answer, which the status need not say."""
    problem = facts.failure(stream=exchange.stream)
    if problem is not None and exchange.error_message is None:
        fields += text(_ERROR_MESSAGE, _whole(problem, exchange.mask))
        if not exchange.client_gone and exchange.status < 400 and exchange.error_code is None:
            # Of a field that is stated twice, the later one counts.
            fields.append(_outcome(exchange.status, PROVIDER_ERROR))


def _whole(said: str, mask: Mask | None) -> str:
    """Returns a text without the beginning of a credential at its end, where it may have been cut."""
    if mask is None or len(said) < _SHORTEST_CUT:
        return said
    return mask.end(said.encode("utf-8", "replace")).decode("utf-8", "replace")


def _pair(pair: tuple[str, str]) -> tuple[bytes, ...]:
    return sized(_METADATA, b"".join((*text(_KEY, pair[0]), *text(_VALUE, pair[1]))))


@lru_cache(maxsize=256)
def _outcome(status: int, error_code: str | None) -> bytes:
    """Returns status, level and error code. Cached: there are few."""
    fields = [_STATUS_CODE, varint(status), _LEVEL, varint(_level(status, error_code))]
    if error_code is not None:
        fields += text(_ERROR_CODE, error_code)
    return b"".join(fields)


def _level(status: int, error_code: str | None) -> int:
    if status == CLIENT_CLOSED or 400 <= status < 500:
        return pb.LEVEL_WARN
    return pb.LEVEL_ERROR if status >= 500 or error_code else pb.LEVEL_INFO


_LEFT = _outcome(CLIENT_CLOSED, _CLOSED)


def _milliseconds(seconds: float) -> bytes:
    """Returns seconds as milliseconds with three decimals. Dividing whole microseconds costs a quarter of `round`."""
    return double(round(seconds * 1e6) / 1000)
