"""Records become rows, many at once, each as it would alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from ingate import clock, ids
from ingate.errors import BadRequest
from ingate.exchanges import rows as rows_module
from ingate.exchanges.rows import COLUMNS, rows
from tests.support.records import MOMENT, record

ORG = "0198c0de-0000-7000-8000-00000000000a"
ASKED = {"model": "asked", "messages": [{"role": "user", "content": "Say\0"}]}
ANSWERED = {
    "model": "answered",
    "choices": [{"index": 0, "message": {"content": "Hi\0"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
}


def named(row):
    """Returns a row by the names of its columns."""
    return dict(zip(COLUMNS, row, strict=True))


def left(format="openai_chat", media_type="application/json", asked=ASKED, answered=ANSWERED, **fields):
    """Returns a record that leaves what its bodies say to be learned."""
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in (asked, answered)]
    payload = pb.Payload(request_headers=b"[]", request_body=bodies[0], response_headers=b"[]", response_body=bodies[1])
    made = record(ORG, payload=payload, **fields)
    made.format, made.media_type = format, media_type
    return made


SAID = ("model", "input_tokens", "cache_read_tokens", "output_tokens", "total_tokens", "prompt", "completion", "meta")
KINDS = [
    record(ORG),
    record(
        ORG, input_tokens=0, output_tokens=7, prompt="", completion="x", metadata={"a": "b", "c": ""}, tags={"t": ""}
    ),
    record(ORG, payload=pb.Payload(request_body=b"{}", truncated=True), ttft_ms=0.0, user_id="\0", error_code="e" * 99),
    record(
        ids.uuid7(), price_provider="openai", model="gpt-4o", input_tokens=1, attempts=[pb.Attempt(provider="p")] * 2
    ),
    left(),
    left(model="asked", metadata={"kept": "too"}, answered=b"no JSON"),
    left(format="of tomorrow"),
]


def test_what_a_record_states_is_in_its_columns():
    """Absent is NULL and zero is zero; text is cut and cleaned; JSON has what was there."""
    made = record(
        ORG,
        method="M" * 99,
        path="/\0",
        ttft_ms=0.0,
        input_tokens=0,
        output_tokens=3,
        prompt="",
        metadata={"finish_reason": "stop"},
        attempts=[pb.Attempt(provider="a", error="connect_failed", latency_ms=1.25), pb.Attempt(status_code=200)],
    )
    row = named(rows([made], 0)[0])
    assert (row["id"], row["org_id"], row["created_at"]) == (made.exchange.request_id, ORG, MOMENT)
    assert (row["method"], row["path"], row["error_code"], row["user_id"]) == ("M" * 32, "/\ufffd", None, None)
    assert (row["ttft_ms"], row["input_tokens"], row["reasoning_tokens"], row["total_tokens"]) == (0.0, 0, None, 3)
    assert (row["prompt"], row["completion"], row["meta"], row["tags"]) == ("", None, '{"finish_reason":"stop"}', "{}")
    assert json.loads(row["attempts"]) == [
        {"provider": "a", "latency_ms": 1.25, "error": "connect_failed"},
        {"provider": "", "latency_ms": 0.0, "status_code": 200},
    ]
    assert (row["cost_pico"], row["truncated"], row["request_body"]) == (12_000_000, False, None)


def test_what_is_left_is_learned_from_the_bodies():
    """Model, tokens, texts and how it ended, beside what the record does state."""
    row = named(rows([left(metadata={"kept": "too"})], 0)[0])
    assert [row[name] for name in SAID[:-1]] == ["answered", 5, 4, 2, 11, "Say\ufffd", "Hi\ufffd"]
    assert json.loads(row["meta"]) == {"kept": "too", "finish_reason": "stop"}
    assert row["response_body"] == json.dumps(ANSWERED).encode()


@pytest.mark.parametrize("made", [left(model="asked", answered=b""), left(model="asked", format="of tomorrow")])
def test_the_model_that_was_asked_for_stands_in(made):
    """Where the answer names none, or comes in a format that only a newer gateway knows."""
    row = named(rows([made], 0)[0])
    assert [row[name] for name in SAID[:5]] == ["asked", None, None, None, None]


def test_a_format_without_bodies_leaves_nothing_to_learn():
    """What the record states is taken."""
    made = record(ORG, model="stated", input_tokens=1)
    made.format = "openai_chat"
    row = named(rows([made], 0)[0])
    assert [row[name] for name in SAID[:2]] == ["stated", 1]


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=9))
def test_records_do_not_mix(records):
    """Each row is the one that its record makes alone, in the same order."""
    assert rows(records, 0) == [row for one in records for row in rows([one], 0)]


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("request_id", "x", "must be a UUID"),
        ("key_id", "", "must be a UUID"),
        ("cache_write_tokens", -1, "is out of range"),
        ("reasoning_tokens", 2**60 + 1, "is out of range"),
        ("latency_ms", float("-inf"), "must be a finite number"),
        ("ttft_ms", float("nan"), "must be a finite number"),
    ],
)
def test_a_fault_is_named_by_its_place_in_the_batch(field, value, fault):
    """Records before it in the batch count, those of other slices too."""
    with pytest.raises(BadRequest) as refused:
        rows([*KINDS, record(ORG, **{field: value})], 25)
    assert refused.value.fields == {f"records[{25 + len(KINDS)}].exchange.{field}": fault}


@pytest.mark.parametrize("seconds", [-62_135_596_801, 253_402_300_800])
def test_moments_end_with_the_years_that_have_four_digits(seconds):
    """What a message cannot say of a moment later is refused now; the outermost moments are kept."""
    made = record(ORG)
    made.exchange.created_at.FromJsonString("0001-01-01T00:00:00Z" if seconds < 0 else "9999-12-31T23:59:59.999999Z")
    assert clock.to_proto(named(rows([made], 0)[0])["created_at"]) == made.exchange.created_at
    made.exchange.created_at.seconds = seconds
    with pytest.raises(BadRequest):
        rows([made], 0)


def test_the_first_record_with_a_fault_is_named():
    """Not the first column that has one."""
    late, early = record(ORG, request_id="x"), record(ORG, ttft_ms=float("inf"))
    with pytest.raises(BadRequest) as refused:
        rows([record(ORG), early, late], 50)
    assert list(refused.value.fields) == ["records[51].exchange.ttft_ms"]


def test_a_fault_of_ours_is_of_one_record(monkeypatch):
    """The others of its batch are taken when they come without it, which a failure that might pass would prevent."""
    honest = rows_module.bill

    def bill(provider, model, *rest):
        return honest(provider, model, *rest) if model != "odd" else 1 / 0

    monkeypatch.setattr(rows_module, "bill", bill)
    with pytest.raises(BadRequest) as refused, capture_logs() as logs:
        rows([record(ORG), record(ORG, model="odd"), record(ORG)], 3)
    assert refused.value.fields == {"records[4]": "cannot be converted: ZeroDivisionError"}
    assert [entry["event"] for entry in logs] == ["record_not_converted"]


def test_what_an_attempt_states_is_kept_however_empty():
    """Zero and no text are not the same as nothing."""
    stated = [pb.Attempt(provider="p", status_code=0, error=""), pb.Attempt(provider="p")]
    row = named(rows([record(ORG, attempts=stated)], 0)[0])
    assert json.loads(row["attempts"]) == [
        {"provider": "p", "latency_ms": 0.0, "status_code": 0, "error": ""},
        {"provider": "p", "latency_ms": 0.0},
    ]
