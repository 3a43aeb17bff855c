"""The bodies of a batch are read in pieces of like cost, however it lies in the batch."""

import json

import pytest

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from ingate.exchanges.contents import reading
from ingate.exchanges.rows import rows
from ingate.formats import Pace
from tests.support.records import record

ORG = "0198c0de-0000-7000-8000-00000000000a"
SMALL = json.dumps({"model": "m", "choices": [], "usage": {"prompt_tokens": 1}}).encode()
ASKED = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()


def left(answered=SMALL, asked=ASKED, media_type="application/json"):
    made = record(ORG, payload=pb.Payload(request_body=asked, response_body=answered))
    made.format, made.media_type = "openai_chat", media_type
    return made


def run(steps):
    turns = 0
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return ended.value, turns
        turns += 1


HEAVY = {
    "events": (b"data: {}\n\n" * 10_000, ASKED, "text/event-stream"),
    "objects": (b'{"choices":[' + b"{}," * 60_000, ASKED, "application/json"),
    "array": (b"[" + b"{}," * 20_000 + b"{}]", ASKED, "application/json"),
    "request": (SMALL, b'{"messages":[' + b"{}," * 60_000 + b"0]}", "application/json"),
}


@pytest.mark.parametrize("heavy", HEAVY)
def test_a_batch_is_read_by_what_it_costs(heavy):
    """A heavy body lets others run as often as it takes, and light ones together as one."""
    light, turns = run(reading([left()] * 50, Pace()))
    assert turns <= 1
    assert all(facts.usage.input == 1 and prompt == "hi" for facts, prompt, _ in light)
    _, once = run(reading([left(*HEAVY[heavy])], Pace()))
    assert once >= 20
    _, turns = run(reading([left(*HEAVY[heavy]), left()] * 3, Pace()))
    assert 3 * once - 3 <= turns <= 3 * once + 3


def test_rows_are_made_of_what_was_read():
    """Bodies that were read before are not read again."""
    records = [left(), left(b"no JSON"), record(ORG, model="stated")]
    read, _ = run(reading(records, Pace()))
    assert rows(records, 0, read) == rows(records, 0)
    unread = [(None, None, kept) for _, _, kept in read]
    assert [row[6] for row in rows(records, 0, unread)] == [made.exchange.model for made in records]
