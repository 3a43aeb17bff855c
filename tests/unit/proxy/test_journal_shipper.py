"""Shipping: in order, at least once, through failures, poison and an end in the middle."""

import asyncio
from functools import partial

import pytest

from ingate.proxy.journal import Journal, NotShipped, Rejected, Shipper, Stopped
from ingate.proxy.journal.dead_letters import read_all
from ingate.supervision import Supervisor
from tests.support.waiting import eventually


class Receiver:
    """Accepts batches; fails as it is told. `calls` are all batches offered, `got` the records accepted."""

    def __init__(self):
        self.calls, self.times, self.got = [], [], []
        self.failures = []
        self.poison = set()
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def ship(self, records):
        self.calls.append(list(records))
        self.times.append(asyncio.get_running_loop().time())
        self.called.set()
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        if self.poison & set(records):
            raise Rejected("INVALID")
        self.got += records


@pytest.fixture
async def receiver():
    return Receiver()


@pytest.fixture
async def make(tmp_path, receiver):
    """Returns a function that makes a journal and a running shipper, both ended after the test."""
    made = []

    def build(journal_options=None, start=None, **options):
        journal = Journal(tmp_path, **(journal_options or {}))
        shipper = Shipper(journal, receiver.ship, **{"first_pause": 0.001, "longest_pause": 0.01} | options)
        made.append((journal, shipper))
        shipper.start(start)
        return journal, shipper

    yield build
    for journal, shipper in made:
        await shipper.stop(0)
        journal.close()


async def within(awaitable, seconds=10):
    return await asyncio.wait_for(awaitable, seconds)


def files(folder):
    return {path.name: path.stat().st_size for path in folder.iterdir()}


async def test_ships_in_order_and_frees_the_disk(make, receiver, tmp_path):
    """All records arrive once and in order, the files go, the numbers agree."""
    journal, shipper = make({"segment_bytes": 2000, "max_bytes": 1_000_000}, max_batch=7)
    records = [b"%03d" % index + b"." * 100 for index in range(200)]
    for record in records:
        assert journal.append(record)
    await within(shipper.drained())
    assert receiver.got == records
    assert max(map(len, receiver.calls)) == 7
    counts = journal.counts
    assert (counts.shipped, counts.pending, counts.bytes, counts.mirrored) == (200, 0, 0, 0)
    assert list(files(tmp_path).values()) in ([], [0])


async def test_an_idle_shipper_reads_no_file(make, receiver, monkeypatch):
    """On the happy path records come from memory."""
    monkeypatch.setattr("os.pread", lambda *_: pytest.fail("read a file"))
    journal, shipper = make()
    for index in range(20):
        journal.append(b"%d" % index)
        await within(shipper.drained())
    assert len(receiver.got) == 20


async def test_the_first_record_goes_at_once_and_load_is_batched(make, receiver):
    """Idle: no wait. After that, what arrives within the interval goes together."""
    journal, _ = make(interval=0.2)
    journal.append(b"first")
    await within(receiver.called.wait())
    for index in range(10):
        journal.append(b"%d" % index)
        await asyncio.sleep(0)
    receiver.called.clear()
    await within(receiver.called.wait())
    assert receiver.calls[:2] == [[b"first"], [b"%d" % index for index in range(10)]]
    assert receiver.times[1] - receiver.times[0] > 0.15


async def test_a_full_batch_does_not_wait(make, receiver):
    """The interval ends early when a batch is full, or when somebody waits for it to be drained."""
    journal, shipper = make(interval=1000, max_batch=5)
    journal.append(b"first")
    await within(receiver.called.wait())
    receiver.called.clear()
    await asyncio.sleep(0.01)
    for _ in range(5):
        journal.append(b"more")
    await within(receiver.called.wait())
    journal.append(b"last")
    await within(shipper.drained())
    assert list(map(len, receiver.calls)) == [1, 5, 1]


async def test_a_batch_that_is_full_by_its_bytes_does_not_wait(make, receiver):
    """Large records fill it long before they are many."""
    receiver.gate.clear()
    journal, _ = make(interval=1000, max_batch=1000, max_batch_bytes=2000)
    journal.append(b"first")
    await within(receiver.called.wait())
    for _ in range(6):
        journal.append(b"x" * 992)
    receiver.gate.set()
    await eventually(lambda: len(receiver.got) >= 5, 10)
    assert list(map(len, receiver.calls))[:3] == [1, 2, 2]


async def test_a_shipper_that_fails_goes_on_where_it_was(make, receiver, monkeypatch):
    """Run anew, it ships the batch that it was at, and who waits is not told otherwise."""
    supervisor = Supervisor(first_pause=0.001)
    journal, shipper = make(start=partial(supervisor.start, "shipper", may_end=True))
    real = journal.backlog.settle
    failures = [MemoryError(), MemoryError()]

    def settle(batch):
        if failures:
            raise failures.pop()
        real(batch)

    monkeypatch.setattr(journal.backlog, "settle", settle)
    for index in range(20):
        journal.append(b"%02d" % index)
    await within(shipper.drained())
    assert sorted(set(receiver.got)) == [b"%02d" % index for index in range(20)]
    assert (supervisor.jobs[0].restarts, journal.counts.pending) == (2, 0)


async def test_why_nothing_is_shipped_is_told_until_something_is(make, receiver):
    """In the receiver's words where it has some."""
    receiver.failures = [NotShipped("UNAVAILABLE: the disk is full")]
    journal, shipper = make(first_pause=1000, longest_pause=1000)
    journal.append(b"one")
    await eventually(lambda: shipper.failing)
    assert shipper.failing == "UNAVAILABLE: the disk is full"
    await within(shipper.stop(10))
    assert (shipper.failing, receiver.got) == ("", [b"one"])


async def test_a_waiting_caller_is_not_kept_for_the_interval(make, receiver):
    """Somebody who waits while a batch is under way gets the next one at once."""
    receiver.gate.clear()
    journal, shipper = make(interval=1000)
    journal.append(b"one")
    await within(receiver.called.wait())
    journal.append(b"two")
    waiting = asyncio.create_task(shipper.drained())
    await asyncio.sleep(0)
    receiver.gate.set()
    await within(waiting)
    assert receiver.got == [b"one", b"two"]


async def test_batches_have_a_size_in_bytes(make, receiver):
    """Large records go in smaller batches, one that is larger than a batch goes alone."""
    receiver.gate.clear()
    journal, shipper = make(max_batch_bytes=1000)
    journal.append(b"first")
    await within(receiver.called.wait())
    for size in (400, 400, 400, 5000, 10):
        journal.append(b"x" * size)
    receiver.gate.set()
    await within(shipper.drained())
    assert [[len(record) for record in call] for call in receiver.calls] == [[5], [400, 400], [400], [5000], [10]]


async def test_a_failed_batch_is_tried_again_unchanged(make, receiver):
    """Whatever the error, the same batch comes until it is accepted, and nothing overtakes it."""
    receiver.failures = [ConnectionError("down"), ValueError("odd"), TimeoutError(), RuntimeError("database")]
    journal, shipper = make()
    journal.append(b"one")
    journal.append(b"two")
    await within(receiver.called.wait())
    journal.append(b"three")
    await within(shipper.drained())
    assert receiver.calls[:5] == [[b"one", b"two"]] * 5
    assert receiver.got == [b"one", b"two", b"three"]


async def test_pauses_grow_to_a_bound(make, receiver):
    """Backing off doubles up to the longest pause, with jitter between half and whole."""
    receiver.failures = [ConnectionError() for _ in range(7)]
    journal, shipper = make(first_pause=0.02, longest_pause=0.08)
    journal.append(b"one")
    await within(shipper.drained())
    gaps = [later - earlier for earlier, later in zip(receiver.times, receiver.times[1:], strict=False)]
    for gap, pause in zip(gaps, [0.02, 0.04, 0.08, 0.08, 0.08, 0.08, 0.08], strict=True):
        assert pause / 2 - 0.002 <= gap


async def test_a_receiver_that_hangs_is_given_up(make, receiver):
    """A call that takes longer than the deadline counts as failed and is repeated."""
    receiver.gate.clear()
    journal, shipper = make(deadline=0.02)
    journal.append(b"one")
    while len(receiver.calls) < 3:
        receiver.called.clear()
        await within(receiver.called.wait())
    receiver.gate.set()
    await within(shipper.drained())
    assert receiver.got == [b"one"]


async def test_an_outage_overflows_memory_and_loses_nothing(make, receiver):
    """More than the mirror holds arrives while the receiver is down; all of it is shipped from the files, in order."""
    receiver.gate.clear()
    journal, shipper = make({"mirror_bytes": 3000, "segment_bytes": 5000, "max_bytes": 1_000_000}, max_batch=20)
    records = [b"%04d" % index + b"." * 100 for index in range(500)]
    for record in records:
        assert journal.append(record)
        await asyncio.sleep(0)
    assert journal.counts.mirrored <= 3000
    assert journal.counts.segments > 5
    receiver.gate.set()
    await within(shipper.drained())
    assert receiver.got == records
    assert journal.counts.bytes == 0


async def test_the_bound_holds_while_the_receiver_is_down_and_lifts_after(make, receiver):
    """Payloads are shed, then records; when the receiver is back, whole records are kept again."""
    receiver.gate.clear()
    journal, shipper = make({"max_bytes": 20_000})
    kept = [journal.append(b"h" * 500, lambda: b"l" * 50) for _ in range(200)]
    assert journal.counts.bytes <= 20_000
    assert journal.counts.shed_payloads
    assert journal.counts.shed_records == kept.count(False) > 0
    receiver.gate.set()
    await within(shipper.drained())
    assert len(receiver.got) == kept.count(True)
    assert journal.append(b"h" * 500, lambda: b"l")
    await within(shipper.drained())
    assert receiver.got[-1] == b"h" * 500


async def test_one_poison_record_is_found_and_set_aside(make, receiver, tmp_path):
    """The batch is halved down to the record at fault; its neighbours arrive once, in order."""
    receiver.poison = {b"37"}
    receiver.gate.clear()
    journal, shipper = make()
    for index in range(100):
        journal.append(b"%d" % index)
    receiver.gate.set()
    await within(shipper.drained())
    assert receiver.got == [b"%d" % index for index in range(100) if index != 37]
    assert read_all(tmp_path / "rejected.journal") == [b"37"]
    assert (journal.counts.rejected, journal.counts.shipped, journal.counts.pending) == (1, 99, 0)
    assert len(receiver.calls) < 20


async def test_everything_poison_and_failures_between(make, receiver, tmp_path):
    """Halving survives failures, and a full dead-letter file is counted, not fatal."""
    records = [b"%02d" % index for index in range(20)]
    receiver.poison = set(records)
    receiver.failures = [ConnectionError(), Rejected("first"), ConnectionError()]
    journal, shipper = make(max_rejected_bytes=105)
    for record in records:
        journal.append(record)
    await within(shipper.drained())
    assert receiver.got == []
    assert read_all(tmp_path / "rejected.journal") == records[:10]
    assert (journal.counts.rejected, journal.counts.dead_letters_shed) == (20, 10)


async def test_a_dead_letter_that_cannot_be_written_does_not_stop_shipping(make, receiver, tmp_path):
    """The record is counted as lost and those after it arrive."""
    (tmp_path / "rejected.journal").mkdir()
    receiver.poison = {b"bad"}
    journal, shipper = make()
    journal.append(b"bad")
    journal.append(b"good")
    await within(shipper.drained())
    assert receiver.got == [b"good"]
    assert (journal.counts.rejected, journal.counts.dead_letters_shed) == (1, 1)


async def test_stop_flushes(make, receiver, tmp_path):
    """What is pending is shipped before stop returns, without waiting for the interval."""
    journal, shipper = make(interval=1000)
    journal.append(b"one")
    await within(receiver.called.wait())
    journal.append(b"two")
    await within(shipper.stop(10))
    journal.close()
    assert receiver.got == [b"one", b"two"]
    assert files(tmp_path) == {}


async def test_stop_in_an_outage_keeps_the_rest_for_the_next_start(make, receiver, tmp_path):
    """The time to flush runs out: nothing is lost, the next shipper delivers it."""
    receiver.gate.clear()
    journal, shipper = make()
    for record in (b"one", b"two"):
        journal.append(record)
    waiting = asyncio.create_task(shipper.drained())
    await within(receiver.called.wait())
    await within(shipper.stop(0.02))
    with pytest.raises(Stopped):
        await waiting
    with pytest.raises(Stopped):
        await shipper.drained()
    journal.append(b"three")
    journal.close()
    receiver.gate.set()
    _, shipper = make()
    await within(shipper.drained())
    assert receiver.got == [b"one", b"two", b"three"]
    assert list(files(tmp_path).values()) in ([], [0])


async def test_stop_cuts_a_long_pause_short(make, receiver):
    """A shipper that backs off for minutes tries at once, and again soon, when it is told to stop."""
    receiver.failures = [ConnectionError("down"), ConnectionError("down")]
    journal, shipper = make(first_pause=1000, longest_pause=1000)
    journal.append(b"one")
    await within(receiver.called.wait())
    await within(shipper.stop(10))
    assert receiver.got == [b"one"]


async def test_drained_waits_only_for_what_came_before(make, receiver):
    """A record appended after the call does not hold the caller up; with nothing pending it returns at once."""
    journal, shipper = make(interval=1000)
    await within(shipper.drained())
    receiver.gate.clear()
    journal.append(b"one")
    await within(receiver.called.wait())
    first, second = (asyncio.create_task(shipper.drained()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    journal.append(b"two")
    receiver.gate.set()
    await within(second)
    assert receiver.got == [b"one"]


async def test_a_damaged_backlog_is_shipped_as_far_as_it_can_be(make, receiver, tmp_path):
    """Segments with nothing good in them, bad frames and torn tails do not stop the shipper."""
    for index in range(3):
        (tmp_path / f"{index:020d}-1.journal").write_bytes(b"garbage" * 100)
    journal, shipper = make()
    journal.append(b"good")
    await within(shipper.drained())
    assert receiver.got == [b"good"]
    assert journal.counts.corrupt >= 3


async def test_a_journal_closed_under_the_shipper_does_not_spin(make, receiver, tmp_path):
    """Closing too early ends shipping without an error, a busy loop or a false success."""
    receiver.gate.clear()
    journal, shipper = make()
    journal.append(b"one")
    await within(receiver.called.wait())
    journal.append(b"two")
    waiting = asyncio.create_task(shipper.drained())
    await asyncio.sleep(0)
    journal.close()
    receiver.gate.set()
    with pytest.raises(Stopped):
        await within(waiting)
    assert not journal.append(b"late")
    await within(shipper.stop(1))
    assert receiver.got == [b"one"]
    assert [read_all(path) for path in tmp_path.iterdir()] == [[b"one", b"two"]]
