"""Counting fields on the wire: agrees with the parser, and stops at the bound."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.ingate.orgs.v1.team_service_pb2 import CreateTeamRequest
from gen.ingate.providers.v1.provider_service_pb2 import CreateProviderRequest
from gen.ingate.proxy.v1.proxy_service_pb2 import ForwardRequest, Header
from ingate.rpc.fields import MAX_FIELDS, crowded

MIB = 1024 * 1024
NAMES = st.text(max_size=4)


def forwards():
    headers = st.lists(st.builds(Header, name=NAMES, value=NAMES), max_size=12)
    return st.builds(ForwardRequest, method=NAMES, target=NAMES, headers=headers, body=st.binary(max_size=40))


def providers():
    return st.builds(
        CreateProviderRequest,
        name=NAMES,
        headers=st.dictionaries(NAMES, NAMES, max_size=8),
        models=st.lists(NAMES, max_size=12),
    )


def fields(message):
    """Returns how many fields a message was written with: map entries have a key and a value."""
    count = 0
    for field, value in message.ListFields():
        if field.message_type is None:
            count += len(value) if field.is_repeated else 1
        elif field.message_type.GetOptions().map_entry:
            count += 3 * len(value)
        else:
            count += sum(1 + fields(item) for item in (value if field.is_repeated else [value]))
    return count


@given(forwards() | providers(), st.integers(0, 40))
def test_the_count_is_that_of_the_message(message, most):
    """A message passes exactly when it has no more fields than the bound."""
    found = crowded(message.DESCRIPTOR, message.SerializeToString(), most)
    assert (found is None) is (fields(message) <= most)
    assert found is None or found in message.DESCRIPTOR.fields_by_name


@settings(max_examples=500)
@given(st.binary(max_size=60) | forwards().map(ForwardRequest.SerializeToString), st.data())
def test_what_the_parser_takes_is_never_malformed(raw, data):
    """Cut and changed bytes: the count refuses as malformed only what the parser refuses."""
    raw = bytearray(raw)
    for _ in range(data.draw(st.integers(0, 3))):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        crowded(ForwardRequest.DESCRIPTOR, bytes(raw), most=0)
        crowded(ForwardRequest.DESCRIPTOR, bytes(raw), most=29)
    except DecodeError:
        with pytest.raises(DecodeError):
            ForwardRequest.FromString(bytes(raw))


@pytest.mark.parametrize(
    ("message", "raw", "name"),
    [
        (CreateTeamRequest, b"\x1a\x00", "member_ids"),
        (ForwardRequest, b"\x1a\x00", "headers"),
        (CreateProviderRequest, b"\x62\x04\x0a\x02ab", "headers"),
        (CreateTeamRequest, b"\x12\x00", "name"),
        (CreateTeamRequest, b"\xa2\x06\x00", "field 100"),
        (CreateTeamRequest, b"\xa0\x06\x00", "field 100"),
        (CreateTeamRequest, b"\xa3\x06\xa4\x06", "field 100"),
    ],
)
def test_no_more_is_read_than_the_bound(message, raw, name):
    """A mebibyte of the smallest fields is named by its field; that it ends in nonsense is not seen."""
    full = raw * (MIB // len(raw)) + b"\xff"
    assert crowded(message.DESCRIPTOR, full) == name


def test_what_is_short_or_large_and_plain_passes():
    """A short message cannot have too many fields, and a body is one however long it is."""
    assert crowded(CreateTeamRequest.DESCRIPTOR, b"\x1a\x00" * MAX_FIELDS) is None
    assert crowded(ForwardRequest.DESCRIPTOR, ForwardRequest(body=b"\x1a" * MIB).SerializeToString()) is None


def test_messages_in_messages_have_an_end():
    """As many levels as bytes do not exhaust the stack."""
    from google.protobuf.struct_pb2 import Value

    raw = b""
    for _ in range(5000):
        raw = b"\x32" + _length(len(raw) + len(_length(len(raw))) + 1) + b"\x0a" + _length(len(raw)) + raw
    with pytest.raises(DecodeError):
        crowded(Value.DESCRIPTOR, raw)
    with pytest.raises(DecodeError):
        Value.FromString(raw)


def _length(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
