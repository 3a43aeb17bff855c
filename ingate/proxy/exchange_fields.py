"""The fields of an `Exchange` in wire form: what the engine noted, and what the bodies say.

They are made without the protobuf library, which takes five times as long.
"""

import time
from functools import lru_cache
from operator import attrgetter

from google.protobuf.timestamp_pb2 import Timestamp

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from ingate import clock
from ingate.formats import ResponseFacts, at_once
from ingate.proxy.learned import learning
from ingate.proxy.masking import Mask
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.protobuf_wire import double, sized, tag, text, varint
from ingate.proxy.stated import attribution

CLIENT_CLOSED = 499
CLOSED = "client_closed"
PROVIDER_ERROR = "provider_error"
AT_ONCE = 5000
"""Units of work that a body may cost which nobody has read before its record is written: some milliseconds."""
_SHORTEST_CUT = 256
"""Characters of the shortest text that may have been cut when it was read."""

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
_ATTRIBUTION = tag(pb.Exchange, "user_id"), tag(pb.Exchange, "session_id")
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


def begun(exchange: OpenExchange) -> list[bytes]:
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


def noted(exchange: OpenExchange) -> list[bytes]:
    """Returns the fields of an `Exchange` that the engine itself has noted."""
    fields = begun(exchange)
    first_byte = exchange.first_byte
    if first_byte is not None:
        fields += _TTFT, _milliseconds(first_byte - exchange.started)
    if exchange.stream:
        fields.append(_STREAM)
    for attempt in exchange.attempts:
        tried = _tried(attempt.provider, attempt.status, attempt.error)
        fields += _ATTEMPT, varint(len(tried) + _DOUBLE_BYTES), tried, _milliseconds(attempt.seconds)
    for named, said in zip(_ATTRIBUTION, attribution(exchange.head), strict=True):
        if said is not None:
            fields += text(named, said)
    if exchange.model is not None:
        fields += text(_MODEL, exchange.model)
    if exchange.error_message is not None:
        fields += text(_ERROR_MESSAGE, without_cut_secret(exchange.error_message, exchange.mask))
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


def add_learned(fields: list[bytes], exchange: OpenExchange, most: int | None = None) -> None:
    """Adds what the bodies say; of texts, `most` characters."""
    if exchange.learned is None:
        at_once(learning(exchange, 0, AT_ONCE))
    learned = exchange.learned
    if learned is None:
        return
    mask = exchange.mask
    asked, facts = learned.prompt, learned.facts
    if asked is not None:
        fields += text(_PROMPT, without_cut_secret(asked[:most], mask))
    if facts.model is not None:
        fields += text(_MODEL, facts.model)
    fields += _used(facts)
    if facts.completion is not None:
        fields += text(_COMPLETION, without_cut_secret(facts.completion[:most], mask))
    for stated, value in facts.metadata:
        fields += pair(stated, without_cut_secret(value, mask))
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
        fields += text(_ERROR_MESSAGE, without_cut_secret(problem, exchange.mask))
        if not exchange.client_gone and exchange.status < 400 and exchange.error_code is None:
            # Of a field that is stated twice, the later one counts.
            fields.append(_outcome(exchange.status, PROVIDER_ERROR))


def without_cut_secret(said: str, mask: Mask | None) -> str:
    """Returns a text without the beginning of a credential at its end, where it may have been cut."""
    if mask is None or len(said) < _SHORTEST_CUT:
        return said
    return mask.end(said.encode("utf-8", "replace")).decode("utf-8", "replace")


def pair(name: str, value: str) -> tuple[bytes, ...]:
    """Returns a pair of metadata as a field."""
    return sized(_METADATA, b"".join((*text(_KEY, name), *text(_VALUE, value))))


@lru_cache(maxsize=256)
def _outcome(status: int, error_code: str | None) -> bytes:
    """Returns status, level and error code. Cached: there are few."""
    fields = [_STATUS_CODE, varint(status), _LEVEL, varint(level_of(status, error_code))]
    if error_code is not None:
        fields += text(_ERROR_CODE, error_code)
    return b"".join(fields)


def level_of(status: int, error_code: str | None) -> int:
    """Returns the level of an exchange by how it ended."""
    if status == CLIENT_CLOSED or 400 <= status < 500:
        return pb.LEVEL_WARN
    return pb.LEVEL_ERROR if status >= 500 or error_code else pb.LEVEL_INFO


_LEFT = _outcome(CLIENT_CLOSED, CLOSED)


def _milliseconds(seconds: float) -> bytes:
    """Returns seconds as milliseconds with three decimals. Dividing whole microseconds costs a quarter of `round`."""
    return double(round(seconds * 1e6) / 1000)
