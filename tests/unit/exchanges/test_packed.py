"""A packed record becomes the row that the message becomes which says the same."""

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate import ids
from ingate.errors import BadRequest
from ingate.exchanges.rows import COLUMNS, rows
from ingate.packed import MARK, UNREADABLE, PackedAttempt, pack, unpack
from tests.support.records import message, packed, record

ORG = "0198c0de-0000-7000-8000-00000000000a"
ASKED = b'{"model":"asked","messages":[{"role":"user","content":"Say\\u0000"}]}'
ANSWERED = json.dumps(
    {
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
    }
).encode()
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":9}}\n\n'
BODIES = st.sampled_from(
    [
        {"asked": ASKED, "answered": ANSWERED},
        {"asked": b"", "answered": b""},
        {"asked": ASKED, "answered": b'{"error":{"message":"no"}}'},
        {"asked": ASKED, "answered": b"data: {}\n\n", "media_type": "text/event-stream", "stream": True},
        {"answered": b"", "media_type": "text/event-stream", "stream": True, "hidden_event": USAGE},
        {"asked": ASKED, "answered": ANSWERED, "format": "of tomorrow"},
        {"asked": b'{"input":"x"}', "answered": b"{}", "format": "openai_images"},
    ]
)
TEXT = st.text(max_size=9) | st.sampled_from(["", "\0", "e" * 99])
ATTEMPTS = st.builds(
    PackedAttempt, TEXT, st.floats(0, 1e6), st.none() | st.sampled_from([0, 200, 503]), st.none() | TEXT
)


def stated(**fields):
    """Returns what a grant, a target and a head may state."""
    made = record(ids.uuid7(), price_provider="openai", **fields)
    for name in ("request_id", "created_at", "status_code", "level", "latency_ms", "model"):
        made.exchange.ClearField(name)
    return made.SerializeToString()


STATED = st.sampled_from([stated(), stated(path="/p" * 2000, app_id="u\0"), stated(tags={"a": "b"}, team_id="t" * 99)])
RECORDS = st.builds(
    lambda bodies, fields: packed(ORG, **bodies, **fields),
    BODIES,
    st.fixed_dictionaries(
        {"attempts": st.lists(ATTEMPTS, max_size=3)},
        optional={
            "stated": STATED,
            "status_code": st.sampled_from([0, 200, 404, 2**31 - 1]),
            "level": st.sampled_from([pb.LEVEL_INFO, pb.LEVEL_WARN, 98]),
            "error_code": st.none() | TEXT,
            "error_message": st.none() | TEXT,
            "ttft_ms": st.none() | st.floats(0, 1e6),
            "model": st.none() | TEXT,
            "user_id": st.none() | TEXT,
            "session_id": st.none() | st.just("s" * 600),
        },
    ),
)


@given(st.lists(RECORDS, min_size=1, max_size=5))
def test_rows_are_those_of_the_messages(records):
    """Whatever it says, in whichever company, and after its way through a journal."""
    kept = [unpack(pack(one)) for one in records]
    assert rows(kept, 0) == rows([message(one) for one in records], 0)


def test_an_event_that_its_caller_did_not_get_is_read_and_not_kept():
    """It has the usage of the stream."""
    one = packed(ORG, answered=b"", media_type="text/event-stream", stream=True, hidden_event=USAGE)
    row = dict(zip(COLUMNS, rows([one], 0)[0], strict=True))
    assert (row["input_tokens"], row["response_body"]) == (9, b"")


def test_its_first_byte_tells_it_from_a_message():
    """In the journals of versions that do not pack there are messages alone, whose first byte is a field's tag."""
    assert pack(packed(ORG))[0] == MARK
    tags = {field.number << 3 | wire & 7 for field in ExchangeRecord.DESCRIPTOR.fields for wire in range(6)}
    assert MARK not in tags


def test_a_record_of_a_version_with_more_fields_is_read():
    """They stand last."""
    one = packed(ORG)
    assert unpack(pack((*msgspec.structs.astuple(one), "more"))) == one


@pytest.mark.parametrize(
    ("field", "value"),
    [("status_code", 2**31), ("level", -(2**31) - 1), ("stated", "text"), ("attempts", [None]), ("request_body", None)],
)
def test_what_no_column_holds_is_no_packed_record(field, value):
    """Numbers are those that a message could state."""
    one = packed(ORG, **{field: value})
    with pytest.raises(msgspec.ValidationError):
        unpack(pack(one))


@given(st.data())
def test_damage_is_told_as_such(data):
    """Whatever bytes of a record are others, it is a record that can be stored, or refused for good."""
    damaged = bytearray(
        pack(packed(ORG, asked=ASKED, answered=ANSWERED, attempts=[PackedAttempt("p", 1.0, 200, None)]))
    )
    places = st.integers(1, len(damaged) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=3)):
        damaged[place] = byte
    with suppress(BadRequest, *UNREADABLE), capture_logs():
        for value in rows([unpack(bytes(damaged))], 0)[0]:
            assert not isinstance(value, int) or -(2**63) <= value < 2**63
            assert not isinstance(value, str) or "\0" not in value


@pytest.mark.parametrize(
    ("name", "fault", "fields"),
    [
        ("exchange.request_id", "must be a UUID", {"request_id": "x"}),
        ("org_id", "must be a UUID", {"stated": b""}),
        ("exchange.created_at", "is out of range", {"created_at": 2**63 - 1}),
        ("exchange.latency_ms", "must be a finite number", {"latency_ms": float("nan")}),
        ("exchange.ttft_ms", "must be a finite number", {"ttft_ms": float("inf")}),
    ],
)
def test_a_fault_is_named_by_its_place(name, fault, fields):
    """Among those that came packed."""
    with pytest.raises(BadRequest) as refused:
        rows([packed(ORG), packed(ORG, **fields)], 25)
    assert refused.value.fields == {f"packed[26].{name}": fault}


def test_what_states_nothing_that_can_be_read_is_refused():
    """Alone, for good: it would be sent again for ever."""
    with pytest.raises(BadRequest) as refused, capture_logs() as logs:
        rows([packed(ORG), packed(ORG, stated=b"\xff")], 0)
    assert refused.value.fields == {"packed[1]": "cannot be converted: DecodeError"}
    assert [entry["event"] for entry in logs] == ["record_not_converted"]
