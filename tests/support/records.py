"""Exchange records as a gateway reports them, for tests of what becomes of them."""

from gen.ingate.exchanges.v1 import exchange_pb2
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate import clock, ids
from ingate.packed import MARK, PackedAttempt, PackedRecord, unpack

MOMENT = 1_790_000_000 * clock.SECOND


def record(org_id, *, at=MOMENT, price_provider="demo", payload=None, **fields):
    """Returns an ExchangeRecord of one good answer; `fields` are those of its Exchange, `at` is in microseconds."""
    exchange = exchange_pb2.Exchange(
        **{
            "request_id": ids.uuid7(),
            "created_at": clock.to_proto(at),
            "source": exchange_pb2.SOURCE_PROXY,
            "provider": "demo",
            "served_by": "demo",
            "model": "demo",
            "method": "POST",
            "path": "/v1/chat/completions",
            "status_code": 200,
            "level": exchange_pb2.LEVEL_INFO,
            "latency_ms": 12.5,
            "key_id": "0198c0de-0000-7000-8000-000000000001",
            "cache": exchange_pb2.CACHE_BYPASS,
        }
        | fields
    )
    return ExchangeRecord(org_id=org_id, exchange=exchange, price_provider=price_provider, payload=payload)


def read(data):
    """Returns the ExchangeRecord of what a journal holds, packed or not."""
    return message(unpack(data)) if data[0] == MARK else ExchangeRecord.FromString(data)


def message(packed):
    """Returns the ExchangeRecord that says what a packed record says."""
    made = ExchangeRecord.FromString(packed.stated)
    made.MergeFrom(
        ExchangeRecord(
            exchange=exchange_pb2.Exchange(
                request_id=packed.request_id,
                created_at=clock.to_proto(packed.created_at),
                status_code=packed.status_code,
                level=packed.level,
                error_code=packed.error_code,
                error_message=packed.error_message,
                latency_ms=packed.latency_ms,
                ttft_ms=packed.ttft_ms,
                stream=packed.stream,
                attempts=[
                    exchange_pb2.Attempt(**{name: getattr(it, name) for name in PackedAttempt.__struct_fields__})
                    for it in packed.attempts
                ],
                model=packed.model,
                user_id=packed.user_id,
                session_id=packed.session_id,
            ),
            payload=exchange_pb2.Payload(
                request_headers=packed.request_headers,
                request_body=packed.request_body,
                response_headers=packed.response_headers,
                response_body=packed.response_body,
            ),
            format=packed.format,
            media_type=packed.media_type,
            hidden_event=packed.hidden_event,
        )
    )
    return made


def packed(org_id, at=MOMENT, asked=b"{}", answered=b"{}", **fields):
    """Returns a PackedRecord of one good answer by OpenAI; `fields` are its own."""
    stated = record(org_id, price_provider="openai", provider="openai", served_by="openai", at=at)
    given = {
        "stated": b"",
        "request_id": stated.exchange.request_id,
        "created_at": at,
        "status_code": 200,
        "level": exchange_pb2.LEVEL_INFO,
        "error_code": None,
        "error_message": None,
        "latency_ms": 12.5,
        "ttft_ms": None,
        "stream": False,
        "attempts": [PackedAttempt("openai", 2.5, 200, None)],
        "model": "gpt-4o",
        "format": "openai_chat",
        "media_type": "application/json",
        "request_headers": b"{}",
        "request_body": asked,
        "response_headers": b"{}",
        "response_body": answered,
        "hidden_event": b"",
    }
    for name in ("request_id", "created_at", "status_code", "level", "latency_ms", "model"):
        stated.exchange.ClearField(name)
    return PackedRecord(**given | {"stated": stated.SerializeToString()} | fields)
