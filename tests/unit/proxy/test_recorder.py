"""What ends together is recorded together, and what is wrong with one is no other's loss; who may begin."""

import asyncio

import pytest
import structlog

from ingate import clock, ids
from ingate.errors import Unavailable
from ingate.exchanges.rows import COLUMNS, rows
from ingate.formats import MAX_TEXT
from ingate.proxy import encoder, recorder
from ingate.proxy.grants import Grant
from ingate.proxy.journal import Journal
from ingate.proxy.journal.dead_letters import read_all
from ingate.proxy.journal.room import LIGHT
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.recorder import Recorder
from ingate.proxy.request_head import read_head
from tests.support.records import read
from tests.support.records import record as reported

MIB = 1024 * 1024
HEAD = read_head("POST", "/v1/chat/completions", "", [(b"content-type", b"application/json")], "sk-ingate-x")
ORG = ids.uuid7()
GRANT = Grant(ORG, reported(ORG).exchange.key_id, may_proxy=True, rate_limit=100, expires_at=None)


def ended(said="hi", **fields):
    """Returns an exchange that has ended."""
    asked = b'{"messages":[{"role":"user","content":"%b"}]}' % said.encode()
    return OpenExchange(
        ids.uuid7(), GRANT, HEAD, clock.now(), request_body=asked, **{"status": 200, "response_body": [b"{}"]} | fields
    )


@pytest.fixture
async def open_recorder(tmp_path):
    """Returns a function that makes a recorder over a journal, closed after the test."""
    made = []

    def make(when_unrecorded="refuse", capture=MIB, **options):
        journal = Journal(tmp_path, overdraft=when_unrecorded == "refuse", **options)
        journal.tend()
        made.append(journal)
        return Recorder(journal, capture, when_unrecorded), journal

    yield make
    for journal in made:
        journal.close()


def stored(tmp_path):
    """Returns what is in the journal, by request id, as rows of the database."""
    records = [read(it) for path in sorted(tmp_path.glob("*.journal")) for it in read_all(path)]
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in (rows(records, 0) if records else [])}


@pytest.fixture
def failing(monkeypatch):
    """Returns a function that makes `encode` fail for some exchanges, and `incomplete` for others."""

    def fail(whole, rest=()):
        encode, incomplete = encoder.encode, encoder.incomplete

        def encode_or_fail(exchange, capture):
            if exchange in (*whole, *rest):
                raise KeyError("a secret")
            return encode(exchange, capture)

        def incomplete_or_fail(exchange, error):
            if exchange in rest:
                raise TypeError("worse")
            return incomplete(exchange, error)

        monkeypatch.setattr(encoder, "encode", encode_or_fail)
        monkeypatch.setattr(encoder, "incomplete", incomplete_or_fail)

    return fail


async def test_one_that_cannot_be_written_down_is_no_others_loss(open_recorder, tmp_path, failing):
    """The others of the turn are whole; it has a record that says so, and is counted and logged."""
    recorder, journal = open_recorder()
    exchanges = [ended() for _ in range(3)]
    failing([exchanges[1]])
    with structlog.testing.capture_logs() as lines:
        await asyncio.gather(*map(recorder.settle, exchanges))
    found = stored(tmp_path)
    assert [found[it.request_id]["prompt"] for it in exchanges] == ["hi", None, "hi"]
    row = found[exchanges[1].request_id]
    assert (row["status_code"], row["key_id"], row["meta"]) == (
        200,
        GRANT.key_id,
        '{"recorded":"incomplete: KeyError"}',
    )
    assert journal.counts.incomplete == 1
    assert [(line["event"], line["error"]) for line in lines] == [("record_incomplete", "KeyError")]
    assert "a secret" not in str(lines)


async def test_one_of_which_nothing_can_be_written_down_is_told(open_recorder, tmp_path, failing):
    """Whoever waits for it hears of it, it counts as lost, and the others are recorded."""
    recorder, journal = open_recorder()
    good, bad = ended(), ended()
    failing([], [bad])
    waits = [recorder.settle(bad), recorder.settle(good)]
    with structlog.testing.capture_logs() as lines:
        found = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(it) for it in found] == [TypeError, type(None)]
    assert list(stored(tmp_path)) == [good.request_id]
    assert journal.counts.shed_records == 1
    assert "exchange_lost" in [line["event"] for line in lines]


async def test_a_record_without_its_payload_says_so_and_is_small(open_recorder, tmp_path):
    """Of long texts the beginning is kept."""
    recorder, journal = open_recorder(max_bytes=MIB)
    journal.append(b"", lambda: b"")
    journal.counts.bytes = MIB * 9 // 10
    exchange = ended("é" * MAX_TEXT)
    await recorder.settle(exchange)
    assert journal.counts.shed_payloads == 1
    [_, kept] = [it for path in tmp_path.glob("*.journal") for it in read_all(path)]
    assert len(kept) < LIGHT
    [row] = rows([read(kept)], 0)
    row = dict(zip(COLUMNS, row, strict=True))
    assert (row["prompt"], row["request_body"]) == ("é" * encoder.EXCERPT, None)
    assert row["meta"] == '{"recorded":"without payload"}'


async def test_who_begins_waits_longer_the_fuller_the_journal(open_recorder, monkeypatch):
    """And not at all where it is not; it is counted and said once."""
    waits = []

    async def sleep(seconds):
        waits.append(round(seconds, 2))

    recorder_, journal = open_recorder(max_bytes=MIB)
    monkeypatch.setattr(recorder.asyncio, "sleep", sleep)
    with structlog.testing.capture_logs() as lines:
        for part in (0.5, 0.65, 0.7, 0.8, 0.9):
            journal.counts.bytes = int(MIB * part)
            await recorder_.admit(0)
    assert waits == [0.25, 0.5, 1.0, 1.0]
    assert journal.counts.slowed == 4
    assert [line["event"] for line in lines] == ["calls_slowed"]


async def test_who_could_not_be_recorded_is_refused_at_once(open_recorder, monkeypatch):
    """With a time to come back; counted, said once, and not made to wait."""
    monkeypatch.setattr(recorder.asyncio, "sleep", lambda _: pytest.fail("waits"))
    recorder_, journal = open_recorder(max_bytes=MIB)
    journal.counts.bytes = MIB
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(Unavailable, match="cannot be recorded at the moment: the journal is full") as refused:
                await recorder_.admit(0)
            assert refused.value.retry_after == recorder.RETRY_SECONDS
    assert journal.counts.refused == 3
    assert [line["event"] for line in lines] == ["calls_refused"]


async def test_who_could_not_be_recorded_may_be_served_all_the_same(open_recorder, monkeypatch):
    """Where that was chosen: counted and said; then the bound holds, and the loss is counted too."""
    monkeypatch.setattr(recorder.asyncio, "sleep", lambda _: pytest.fail("waits"))
    recorder_, journal = open_recorder("serve", max_bytes=MIB)
    journal.counts.bytes = MIB
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            await recorder_.admit(0)
            await recorder_.settle(ended())
    assert (journal.counts.unrecorded, journal.counts.shed_records, journal.counts.bytes) == (2, 2, MIB)
    assert [line["event"] for line in lines] == ["calls_unrecorded", "journal_records_lost"]


async def test_large_records_are_made_a_few_in_a_turn(open_recorder, tmp_path):
    """So that others have their turns in between; in their order, and none is lost."""
    recording, journal = open_recorder(max_bytes=64 * MIB)
    exchanges = [ended(response_body=[b"x" * (MIB // 2)]) for _ in range(6)]
    waits = [recording.settle(it) for it in exchanges]
    made = []
    while not all(wait.done() for wait in waits):
        await asyncio.sleep(0)
        made.append(journal.counts.records)
    assert [count for count in (2, 4, 6) if count not in made] == []
    assert list(stored(tmp_path)) == [it.request_id for it in exchanges]


async def test_what_is_left_to_record_is_recorded_at_the_end(open_recorder, tmp_path):
    """However much it is."""
    recording, _ = open_recorder(max_bytes=64 * MIB)
    exchanges = [ended(response_body=[b"x" * (MIB // 2)]) for _ in range(5)]
    for it in exchanges:
        recording.settle(it)
    recording.close()
    assert len(stored(tmp_path)) == 5


async def test_bodies_are_let_go_once_they_are_recorded(open_recorder, failing):
    """An exchange that waits for a slow caller holds them no longer; nor does one that could not be recorded."""
    recording, _ = open_recorder()
    exchanges = [ended(), ended(), ended()]
    failing(whole=[exchanges[1]], rest=[exchanges[2]])
    for it in exchanges:
        it.kept = recording.answers.lease_for(ORG)
        it.kept.grow(100)
    await asyncio.gather(*(recording.settle(it) for it in exchanges), return_exceptions=True)
    assert [(it.request_body, it.response_body) for it in exchanges] == [(b"", [])] * 3
    assert recording.answers.in_use == 0
