"""The columns of an exchange: each field of the message is kept in one and comes out of it again."""

from types import SimpleNamespace

import pytest
from google.protobuf.descriptor import FieldDescriptor

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate import clock, ids
from ingate.exchanges import columns, messages
from ingate.exchanges.rows import COST_REASON, rows
from ingate.exchanges.tables import Exchange

MADE_HERE = {"total_tokens", "cost_usd", "cost_source"}
"""Fields that the core works out, whatever a record states."""


def stored(record):
    """Returns what the database would hand out for a record."""
    return SimpleNamespace(**dict(zip(columns.COLUMNS, rows([record], 0)[0], strict=True)))


def full():
    """Returns a record in which no field of exchange and payload has its default, each its own value."""
    exchange = pb.Exchange(
        request_id=ids.uuid7(),
        key_id=ids.uuid7(),
        created_at=clock.to_proto(1_750_000_000 * clock.SECOND),
        attempts=[pb.Attempt(provider="p", status_code=500, latency_ms=1.5, error="e")],
        metadata={"m": "1"},
        tags={"t": "2"},
        units={"web_searches": 3},
    )
    payload = pb.Payload()
    for message in (exchange, payload):
        for number, field in enumerate(message.DESCRIPTOR.fields, 2):
            if field.name in {"request_id", "key_id"} or field.is_repeated or field.message_type is not None:
                continue
            value = {
                FieldDescriptor.TYPE_STRING: f"{field.name} {number}",
                FieldDescriptor.TYPE_BYTES: f"{field.name} {number}".encode(),
                FieldDescriptor.TYPE_BOOL: True,
                FieldDescriptor.TYPE_ENUM: 2,
            }.get(field.type, number)
            setattr(message, field.name, value)
    return ExchangeRecord(org_id=ids.uuid7(), exchange=exchange, payload=payload)


def test_every_field_is_kept_and_shown():
    """What a record states is what is read, field by field; a new one needs its column and nothing else."""
    record = full()
    kept = stored(record)
    shown = messages.message(kept)
    assert shown.metadata.pop(COST_REASON)
    for field in pb.Exchange.DESCRIPTOR.fields:
        if field.name not in MADE_HERE:
            assert getattr(shown, field.name) == getattr(record.exchange, field.name), field.name
    assert messages.payload(kept) == record.payload


def test_what_is_absent_is_null_where_the_column_may_be():
    """Empty texts and numbers that are not stated; what is stated as zero is zero."""
    bare = pb.Exchange(request_id=ids.uuid7(), key_id=ids.uuid7())
    kept = stored(ExchangeRecord(org_id=ids.uuid7(), exchange=bare))
    for name in (*columns.TEXTS, *columns.NUMBERS):
        assert (getattr(kept, name) is None) is bool(Exchange.__table__.columns[name].nullable), name
    for name in columns.OPTIONAL:
        setattr(bare, name, 0)
    kept = stored(ExchangeRecord(org_id=ids.uuid7(), exchange=bare))
    assert [getattr(kept, name) for name in columns.OPTIONAL] == [0] * len(columns.OPTIONAL)


@pytest.mark.parametrize("name", columns.TEXTS)
def test_a_text_is_cut_to_its_column(name):
    """And cleaned of what PostgreSQL does not store."""
    record = full()
    setattr(record.exchange, name, "\0" + "x" * 999)
    assert getattr(stored(record), name) == ("\ufffd" + "x" * 999)[: columns.length(name)]


def test_a_value_is_read_by_its_name():
    """Alone and with others, in the order that is asked for."""
    row = tuple(range(len(columns.COLUMNS)))
    names = tuple(reversed(columns.COLUMNS))
    assert columns.values(names)(row) == row[::-1]
    assert columns.value("id")(row) == 0
