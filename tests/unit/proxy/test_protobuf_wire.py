"""What is written by hand is what the protobuf library reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen.ingate.exchanges.v1.exchange_pb2 import Attempt, Exchange, Payload
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord, RecordRequest
from ingate.packed import pack
from ingate.proxy.protobuf_wire import double, sized, tag, text, varint
from ingate.proxy.shipping import join
from tests.support.records import packed

NUMBERS = st.integers(0, 2**63 - 1) | st.sampled_from(
    [0, 127, 128, 2047, 2048, 2**14 - 1, 2**14, 2**21 - 1, 2**21, 2**63 - 1]
)


@given(NUMBERS)
def test_integers(number):
    """Each is written as the library writes it, whatever its size."""
    assert tag(Exchange, "input_tokens") + varint(number) == Exchange(input_tokens=number).SerializeToString()


@given(st.floats(allow_nan=False))
def test_doubles(number):
    """Each is written as the library writes it."""
    assert tag(Exchange, "ttft_ms") + double(number) == Exchange(ttft_ms=number).SerializeToString()


@given(st.text(max_size=300))
def test_text(value):
    """Any text is written as the library writes it."""
    assert b"".join(text(tag(Exchange, "prompt"), value)) == Exchange(prompt=value).SerializeToString()


@pytest.mark.parametrize(("value", "kept"), [("\ud800", "?"), ("a\udfffb", "a?b"), ("\U0001f600", "\U0001f600")])
def test_half_a_character_is_no_text(value, kept):
    """What no message may hold is replaced rather than refused: a record is kept whatever was said."""
    assert Exchange.FromString(b"".join(text(tag(Exchange, "prompt"), value))).prompt == kept


@given(st.binary(max_size=300))
def test_bytes(value):
    """Bytes go in as they are, and empty ones leave the field as it was."""
    assert Payload.FromString(b"".join(sized(tag(Payload, "request_body"), value))) == Payload(request_body=value)


def test_a_message_that_comes_twice_is_merged():
    """So what is known beforehand and what is known at last need not be written together."""
    first = ExchangeRecord(org_id="o", exchange=Exchange(provider="p", attempts=[Attempt(provider="p")]))
    second = Exchange(model="m", attempts=[Attempt(provider="q")], metadata={"finish_reason": "stop"})

    written = first.SerializeToString() + b"".join(sized(tag(ExchangeRecord, "exchange"), second.SerializeToString()))

    first.exchange.MergeFrom(second)
    assert ExchangeRecord.FromString(written) == first


def test_a_field_that_is_not_declared():
    """A slip of the pen shows when the module is imported, not in the data."""
    with pytest.raises(KeyError):
        tag(Exchange, "no_such_field")


@given(st.lists(st.builds(ExchangeRecord, org_id=st.text(max_size=20)), max_size=5))
def test_a_batch_is_its_records(records):
    """Serialised records are joined to the request that holds them."""
    request = RecordRequest(records=records)

    assert join([record.SerializeToString() for record in records]) == request.SerializeToString()


def test_packed_records_are_told_from_messages():
    """A journal may have both: what an earlier version wrote, and what cannot be packed."""
    one = pack(packed("o"))
    other = ExchangeRecord(org_id="o")

    request = RecordRequest.FromString(join([one, other.SerializeToString(), one]))

    assert (list(request.records), list(request.packed)) == ([other], [one, one])
