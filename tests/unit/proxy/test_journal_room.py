"""Room: what is kept for light records, of the bound and of the disk, and what becomes of a journal without any."""

import contextlib
import errno
import os

import pytest
import structlog

from ingate.proxy.journal import Journal
from ingate.proxy.journal.dead_letters import read_all
from ingate.proxy.journal.reserve import LEAST, Reserve, free
from ingate.proxy.journal.room import LIGHT
from tests.support.small_disk import fill, small_disk

MIB = 1024 * 1024


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def open_journal(folder):
    """Returns a function that makes a journal and tends it once, closed after the test."""
    made = []

    def make(**options):
        made.append(Journal(folder, **options))
        made[-1].tend()
        return made[-1]

    yield make
    for journal in made:
        journal.close()


@pytest.fixture
def disk(tmp_path):
    """A disk of eight megabytes."""
    with small_disk(tmp_path / "disk", 8) as path:
        yield path


@pytest.fixture
def broken(monkeypatch):
    """Returns a function that makes every write fail with an error number from now on, or none with 0."""
    real = os.writev, os.write
    number = [0]

    def failing(write):
        def replaced(fd, data):
            if number[0] and fd > 2:
                raise OSError(number[0], "broken")
            return write(fd, data)

        return replaced

    monkeypatch.setattr(os, "writev", failing(real[0]))
    monkeypatch.setattr(os, "write", failing(real[1]))

    def become(error):
        number[0] = error

    return become


@pytest.fixture
def open_reserve():
    """Returns a function that makes a reserve, closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *args: stack.enter_context(contextlib.closing(Reserve(*args)))


def stored(folder):
    return [record for path in sorted(folder.glob("*-*.journal")) for record in read_all(path)]


# The bound


def test_strain_grows_from_three_fifths_to_where_payloads_go(open_journal):
    """Nothing below, all of it at four fifths; it is asked for only when it is there."""
    journal = open_journal(max_bytes=MIB)
    room = journal.room
    found = []
    for _ in range(10):
        journal.append(b"x" * (MIB // 10 - 8))
        found.append((room.pressed, round(room.strain(), 2)))
    assert found[:5] == [(False, 0.0)] * 5
    assert found[6] == (True, 0.5)
    assert found[7:] == [(True, 1.0)] * 3


def test_pressure_ends_when_the_journal_is_emptied(open_journal):
    """Once it is weighed again."""
    journal = open_journal(max_bytes=MIB)
    journal.append(b"x" * (MIB * 7 // 10))
    assert journal.room.pressed
    assert journal.room.weigh()
    journal.counts.bytes = 0
    assert not journal.room.weigh()
    assert not journal.room.pressed


def test_who_would_find_no_room_is_told_before(open_journal):
    """Room is promised to what is under way; beyond it nobody else may begin."""
    journal = open_journal(max_bytes=MIB)
    room = journal.room
    assert room.refuses(0) is None
    journal.append(b"x" * (MIB - 8 - 10 * LIGHT))
    assert [room.refuses(promised) for promised in (0, 9, 10, 100)] == [None, None, "journal_full", "journal_full"]


def test_what_was_promised_room_is_kept_past_the_bound(folder, open_journal):
    """With an overdraft, light records of what is under way pass it; without, the bound holds and they are lost."""
    journal = open_journal(max_bytes=MIB, overdraft=True)
    journal.append(b"x" * (MIB - 8))
    assert journal.room.refuses(0) == "journal_full"
    assert journal.append(b"heavy", lambda: b"light")
    assert stored(folder)[-1] == b"light"
    assert (journal.counts.shed_payloads, journal.counts.shed_records) == (1, 0)


def test_what_is_left_out_is_said_once_a_minute(open_journal):
    """Payloads and whole records apart, with the state of the journal."""
    journal = open_journal(max_bytes=10_000)
    with structlog.testing.capture_logs() as lines:
        for _ in range(40):
            journal.append(b"h" * 992, lambda: b"l" * 92)
    assert (journal.counts.shed_payloads, journal.counts.shed_records) == (20, 12)
    assert [(line["event"], line["bound"]) for line in lines] == [
        ("journal_payloads_shed", 10_000),
        ("journal_records_lost", 10_000),
    ]


# The disk


def test_the_reserve_takes_room_and_gives_it_back_in_pieces(disk, open_reserve):
    """What it holds nobody else has, and it is free the moment it is given back."""
    before = free(disk)
    reserve = open_reserve(disk, 16 * MIB)
    assert reserve.fill()
    assert reserve.left == before // 8
    assert before - free(disk) == pytest.approx(reserve.left, abs=8192)
    assert list(disk.iterdir()) == []
    held = free(disk)
    assert reserve.spend(1)
    assert free(disk) - held == pytest.approx(LEAST, abs=8192)
    reserve.close()
    assert free(disk) == before
    assert not reserve.spend(1)


def test_there_is_no_reserve_on_a_full_disk(disk, open_reserve):
    """And there is one as soon as there is room."""
    filler = fill(disk)
    reserve = open_reserve(disk, 16 * MIB)
    assert not reserve.fill()
    filler.unlink()
    assert reserve.fill()


def test_a_file_that_may_not_grow_makes_the_reserve_smaller(tmp_path, monkeypatch, open_reserve):
    """Half as large, and half again, down to the least."""
    real = os.posix_fallocate

    def limited(fd, start, size):
        if start + size > MIB:
            raise OSError(errno.EFBIG, "too large")
        real(fd, start, size)

    monkeypatch.setattr(os, "posix_fallocate", limited)
    reserve = open_reserve(tmp_path, 16 * MIB)
    assert reserve.fill()
    assert reserve.left == MIB


def test_a_file_system_that_cannot_reserve_is_written_to(tmp_path, monkeypatch, open_reserve):
    """Zeros hold blocks as well."""

    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "no")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    reserve = open_reserve(tmp_path, MIB)
    assert reserve.fill()
    assert reserve.left == MIB


def test_a_full_disk_takes_light_records_from_the_reserve(disk):
    """Not one is lost until the reserve is gone, long before which nobody else may begin; then there is room again."""
    journal = Journal(disk, max_bytes=64 * MIB, overdraft=True)
    journal.tend()
    assert journal.append(b"before", lambda: b"")
    filler = fill(disk)
    kept = []
    with structlog.testing.capture_logs() as lines:
        while journal.room.refuses(0) is None:
            record = b"%05d" % len(kept) + b"." * 500
            assert journal.append(record * 20, lambda record=record: record)
            kept.append(record)
    assert len(kept) > 500
    assert journal.room.refuses(0) == "disk_full"
    assert journal.counts.shed_records == 0
    assert [line["event"] for line in lines] == ["journal_disk_fails", "journal_payloads_shed"]
    assert lines[0]["error"] == "ENOSPC"
    assert stored(disk) == [b"before", *kept]
    journal.tend()
    assert journal.room.refuses(0) == "disk_full"
    filler.unlink()
    journal.tend()
    assert journal.room.refuses(0) is None
    assert not journal.room.pressed
    assert journal.append(b"whole" * 1000, lambda: b"")
    assert stored(disk)[-1] == b"whole" * 1000
    journal.close()


def test_a_start_on_a_full_disk_refuses(disk):
    """There is no reserve, so nothing can be promised."""
    fill(disk)
    journal = Journal(disk)
    with structlog.testing.capture_logs() as lines:
        journal.tend()
    assert journal.room.refuses(0) == "disk_full"
    assert "journal_disk_fails" in [line["event"] for line in lines]
    journal.close()


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EBADF])
def test_a_broken_disk_is_known_at_once_and_when_it_is_mended(open_journal, broken, folder, number):
    """Nobody begins while it takes nothing; it is tried each time the journal is tended."""
    journal = open_journal(overdraft=True)
    broken(number)
    assert not journal.append(b"lost", lambda: b"l")
    assert journal.room.refuses(0) == "disk_broken"
    assert journal.room.error == errno.errorcode[number]
    assert journal.counts.shed_records == 1
    journal.tend()
    assert journal.room.refuses(0) == "disk_broken"
    broken(0)
    journal.tend()
    assert journal.room.refuses(0) is None
    assert journal.append(b"after", lambda: b"")
    assert stored(folder) == [b"after"]


def test_one_file_that_fails_is_left_for_another(open_journal, monkeypatch, folder):
    """The exchange at which it shows is kept in its light form in the next segment."""
    journal = open_journal()
    assert journal.append(b"before")
    bad, real = journal._live.fd, os.writev

    def failing(fd, parts):
        if fd == bad:
            raise OSError(errno.EIO, "broken")
        return real(fd, parts)

    monkeypatch.setattr(os, "writev", failing)
    assert journal.append(b"heavy", lambda: b"light")
    assert stored(folder) == [b"before", b"light"]


# What time brings


def test_the_next_segment_is_there_before_it_is_needed(open_journal, monkeypatch, folder):
    """A directory in which no file can be made any more costs no record."""
    journal = open_journal()

    def no_files(*_, **__):
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(os, "open", no_files)
    assert journal.append(b"kept")
    monkeypatch.undo()
    assert stored(folder) == [b"kept"]


def test_a_segment_that_somebody_removed_is_replaced(open_journal, folder):
    """What follows would not outlive the process."""
    journal = open_journal()
    [path] = folder.glob("*-*.journal")
    path.unlink()
    journal.tend()
    assert journal.append(b"kept")
    assert stored(folder) == [b"kept"]


async def test_a_living_gateway_takes_over_what_a_dead_one_left(open_journal, folder):
    """Within a few seconds, and whoever ships is woken."""
    ours = open_journal()
    theirs = Journal(folder)
    theirs.append(b"theirs")
    for _ in range(10):
        ours.tend()
    assert await ours.backlog.take(10, 1000) is None
    theirs.close()
    woken = []
    ours.arm(1, lambda: woken.append(True))
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            ours.tend()
    batch = await ours.backlog.take(10, 1000)
    assert batch.records == [b"theirs"]
    assert woken == [True]
    assert [line["event"] for line in lines] == ["journal_taken_over"]
    assert ours.counts.taken_over == 1


async def test_a_gateway_takes_over_no_more_than_it_has_room_for(open_journal, folder):
    """The dead one's journal is not to stop the living one; the rest follows as there is room."""
    ours = open_journal(max_bytes=MIB)
    theirs = Journal(folder, max_bytes=MIB)
    for _ in range(6):
        theirs.append(b"t" * 120_000)
    theirs.close()
    taken = []
    for _ in range(4):
        for _ in range(5):
            ours.tend()
        assert not ours.room.pressed
        while (batch := await ours.backlog.take(10, MIB)) is not None:
            taken += batch.records
            ours.backlog.settle(batch)
    assert len(taken) == 6
