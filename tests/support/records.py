"""Exchange records as a gateway reports them, for tests of what becomes of them."""

from gen.ingate.exchanges.v1 import exchange_pb2
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate import clock, ids

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
