"""A finished exchange as it is reported: the usual one packed, others as an `ExchangeRecord` in wire form.

Parts that many exchanges have in common (see `ingate.proxy.stated`) go in as they are. Knows no journal and no
database.
"""

import time
from functools import lru_cache

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate.formats import Format, at_once
from ingate.packed import PackedAttempt, PackedRecord, pack
from ingate.proxy.exchange_fields import (
    AT_ONCE,
    CLIENT_CLOSED,
    CLOSED,
    add_learned,
    begun,
    level_of,
    noted,
    pair,
    without_cut_secret,
)
from ingate.proxy.headers import recorded
from ingate.proxy.learned import answer_of, hidden_event, learning
from ingate.proxy.masking import Mask
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.protobuf_wire import sized, tag, varint
from ingate.proxy.stated import attribution, of_exchange, of_head

_TEXTS = frozenset({"model", "path", "prompt", "completion", "user_id", "session_id", "error_message"})
"""Fields of an `Exchange` that quote callers and providers."""
EXCERPT = 256
"""Characters of prompt and of completion in a record whose payload was left out for want of room."""

_EXCHANGE = tag(ExchangeRecord, "exchange")
_PAYLOAD = tag(ExchangeRecord, "payload")
_HIDDEN_EVENT = tag(ExchangeRecord, "hidden_event")
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
    fields, bodies, head = noted(exchange), b"", of_head(exchange.head)
    if cut or exchange.response_encoding:
        add_learned(fields, exchange)
    else:
        bodies = _left_to_learn(exchange.head.format, exchange.media_type)
        if hidden := hidden_event(exchange):
            bodies = b"".join((bodies, *sized(_HIDDEN_EVENT, hidden)))
    stated = b"".join(fields)
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
        _EXCHANGE, varint(len(stated)), stated,
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
    status, error_code = (CLIENT_CLOSED, CLOSED) if exchange.client_gone else (exchange.status, exchange.error_code)
    message = exchange.error_message
    return PackedRecord(
        of_exchange(exchange, stated),
        exchange.request_id,
        exchange.created_at,
        status,
        level_of(status, error_code),
        error_code,
        None if message is None else without_cut_secret(message, exchange.mask),
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
        *attribution(head),
    )


def light(exchange: OpenExchange) -> bytes:
    """Returns a record without payload, with all that the bodies say."""
    fields = noted(exchange)
    add_learned(fields, exchange)
    return _without_payload(exchange, fields)


def shed(exchange: OpenExchange) -> bytes:
    """Returns a record for which there is little room: no payload, of what the bodies say the beginning."""
    fields = noted(exchange)
    add_learned(fields, exchange, EXCERPT)
    fields += pair("recorded", "without payload")
    return _without_payload(exchange, fields)


def incomplete(exchange: OpenExchange, error: str) -> bytes:
    """Returns a record of what is certain of an exchange whose record cannot be made, and of the error's type."""
    fields = begun(exchange)
    fields += pair("recorded", f"incomplete: {error}")
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
