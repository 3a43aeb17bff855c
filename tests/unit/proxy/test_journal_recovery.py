"""What a process leaves behind is found, read past its damage, and handed on by the next."""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from ingate.proxy.journal import Journal, files
from ingate.proxy.journal.dead_letters import read_all
from ingate.proxy.journal.frames import HEADER_BYTES


@pytest.fixture
def open_journal(tmp_path):
    """Returns a function that makes a journal, closed after the test."""
    made = []

    def make(**options):
        made.append(Journal(tmp_path, **options))
        return made[-1]

    yield make
    for journal in made:
        journal.close()


async def ship_all(journal, max_records=7, max_bytes=1 << 20):
    """Takes and settles until nothing is left; returns the records."""
    records = []
    while batch := await journal.backlog.take(max_records, max_bytes):
        records += batch.records
        journal.backlog.settle(batch)
    return records


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def leave(folder, records, **options):
    """Appends records and ends without shipping them; returns the segments."""
    journal = Journal(folder, **options)
    for record in records:
        assert journal.append(record)
    journal.close()
    return sorted(folder.glob("*-*.journal"))


async def test_the_next_start_ships_what_was_left(tmp_path, open_journal):
    """Segments of an earlier process come first, oldest first, then what is appended now; then the files are gone."""
    records = [b"%03d" % index + b"." * 97 for index in range(40)]
    leave(tmp_path, records, segment_bytes=1000, max_bytes=100_000)
    journal = open_journal()
    assert (journal.counts.segments, journal.counts.bytes) == (4, 40 * 108)
    journal.append(b"new")
    assert await ship_all(journal) == [*records, b"new"]
    journal.close()
    assert list(tmp_path.iterdir()) == []
    assert (journal.counts.segments, journal.counts.bytes, journal.counts.pending) == (0, 0, 0)


async def test_a_batch_comes_again_until_it_is_settled(open_journal):
    """What was taken and not accepted is taken again, though it is no longer in memory."""
    journal = open_journal()
    for index in range(5):
        journal.append(b"%d" % index)
    first = await journal.backlog.take(3, 1000)
    again = await journal.backlog.take(3, 1000)
    assert first.records == again.records == [b"0", b"1", b"2"]
    journal.backlog.settle(again)
    assert journal.counts.pending == 2
    assert await ship_all(journal) == [b"3", b"4"]


async def test_a_segment_stays_until_all_of_it_was_accepted(tmp_path, open_journal):
    """A file with one record unsettled is not removed, and gives all its records again after a restart."""
    leave(tmp_path, [b"one", b"two"])
    journal = open_journal()
    batch = await journal.backlog.take(1, 1000)
    journal.backlog.settle(batch)
    journal.close()
    assert await ship_all(open_journal()) == [b"one", b"two"]


async def test_the_live_segment_is_emptied_when_all_is_accepted(tmp_path, open_journal):
    """An idle gateway holds no data on disk, so a kill repeats nothing; the file is used again from its beginning."""
    journal = open_journal()
    for record in (b"one", b"two"):
        assert journal.append(record)
        assert await ship_all(journal) == [record]
        assert journal.counts.bytes == 0
        assert [path.stat().st_size for path in tmp_path.iterdir()] == [0]


@pytest.mark.parametrize("mirror_bytes", [0, 50, 300, 10_000])
async def test_any_interleaving_keeps_order_and_completeness(tmp_path, mirror_bytes):
    """Appends, batches, failures and rotations in random order, with mirrors too small: each record once, in order."""
    rng = random.Random(mirror_bytes)
    for round_ in range(15):
        journal = Journal(tmp_path / str(round_), segment_bytes=300, max_bytes=20_000, mirror_bytes=mirror_bytes)
        sent, received = [], []
        for _ in range(60):
            for _ in range(rng.randrange(6)):
                record = b"%d|" % len(sent) + b"x" * rng.randrange(60)
                if journal.append(record):
                    sent.append(record)
            reading = asyncio.create_task(journal.backlog.take(rng.randrange(1, 9), rng.randrange(1, 400)))
            await asyncio.sleep(0)
            if journal.append(b"%d|meanwhile" % len(sent)):
                sent.append(b"%d|meanwhile" % len(sent))
            batch = await reading
            assert journal.counts.mirrored <= mirror_bytes
            if batch and rng.random() < 0.8:
                received += batch.records
                journal.backlog.settle(batch)
        received += await ship_all(journal)
        assert received == sent
        counts = journal.counts
        assert (counts.bytes, counts.pending, counts.mirrored, counts.corrupt) == (0, 0, 0, 0)
        journal.close()


async def test_memory_is_used_again_once_the_reader_has_caught_up(open_journal, monkeypatch):
    """After an outage the files are read until the writer is reached; then no file is read any more."""
    journal = open_journal(mirror_bytes=1000)
    for index in range(50):
        journal.append(b"%d" % index + b"." * 90)
    assert len(await ship_all(journal)) == 50
    monkeypatch.setattr(os, "pread", lambda *_: pytest.fail("read a file"))
    journal.append(b"fresh")
    assert await ship_all(journal) == [b"fresh"]


async def test_memory_is_used_again_under_load_that_never_pauses(open_journal, monkeypatch):
    """There is always a record pending, yet the reader gets from the files back to memory."""
    journal = open_journal(mirror_bytes=1000)
    for index in range(50):
        journal.append(b"%03d" % index)
        journal.append(b"." * 90)

    async def rounds(count):
        for _ in range(count):
            batch = await journal.backlog.take(5, 1000)
            journal.append(b"meanwhile")
            journal.backlog.settle(batch)
            assert journal.counts.pending

    await rounds(40)
    monkeypatch.setattr(os, "pread", lambda *_: pytest.fail("read a file"))
    await rounds(10)


async def test_settling_after_close_touches_nothing(tmp_path, open_journal):
    """The descriptor may belong to somebody else by then; the record stays for the next start."""
    journal = open_journal()
    journal.append(b"one")
    batch = await journal.backlog.take(1, 1000)
    journal.close()
    other = tmp_path / "other"
    other.write_bytes(b"somebody's data")
    with other.open("r+b") as reused:
        assert reused.fileno() == batch.segment.fd
        journal.backlog.settle(batch)
    assert other.read_bytes() == b"somebody's data"
    assert await ship_all(open_journal()) == [b"one"]


async def test_a_torn_tail_is_skipped_and_the_file_kept_aside(tmp_path, open_journal):
    """The process died inside a write: every whole record is shipped, the file stays as `.corrupt`."""
    [path] = leave(tmp_path, [b"one", b"two", b"three"])
    os.truncate(path, path.stat().st_size - 2)
    journal = open_journal()
    assert await ship_all(journal) == [b"one", b"two"]
    assert journal.counts.corrupt == 1
    assert [item.name for item in tmp_path.iterdir()] == [path.with_suffix(".corrupt").name]
    assert read_all(path.with_suffix(".corrupt")) == [b"one", b"two"]
    assert journal.counts.segments == 0
    assert await ship_all(open_journal()) == []


async def test_a_bad_frame_costs_one_record(tmp_path, open_journal):
    """A flipped bit in the middle loses that record alone."""
    [path] = leave(tmp_path, [b"one", b"two", b"three"])
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + 3 + HEADER_BYTES] ^= 1
    path.write_bytes(data)
    journal = open_journal()
    assert await ship_all(journal, max_records=1) == [b"one", b"three"]
    assert journal.counts.corrupt == 1


async def test_corrupt_files_are_few(tmp_path, open_journal):
    """Only the newest eight are kept for inspection."""
    for index in range(12):
        (tmp_path / f"{index:020d}-1.journal").write_bytes(b"garbage")
    journal = open_journal()
    assert await ship_all(journal) == []
    assert journal.counts.corrupt == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{index:020d}-1.corrupt" for index in range(4, 12)]


async def test_a_live_file_that_somebody_cut_is_left_and_a_new_one_begun(tmp_path, open_journal):
    """Records still in memory are shipped, and those after the damage go to a sound file."""
    journal = open_journal(mirror_bytes=0)
    journal.append(b"one")
    os.truncate(next(tmp_path.iterdir()), 5)
    assert await ship_all(journal) == []
    journal.append(b"two")
    assert await ship_all(journal) == [b"two"]
    assert (journal.counts.corrupt, journal.counts.pending, journal.counts.segments) == (1, 0, 1)
    assert len(list(tmp_path.glob("*.corrupt"))) == 1


async def test_a_disk_that_cannot_be_read_costs_what_is_on_it_and_no_more(tmp_path, open_journal, monkeypatch):
    """A read error sets the segment aside and goes on with the next."""
    leave(tmp_path, [b"one"])
    journal = open_journal()
    journal.append(b"two")

    def broken(*_):
        raise OSError(5, "broken")

    monkeypatch.setattr(os, "pread", broken)
    assert await ship_all(journal) == [b"two"]
    assert journal.counts.unreadable == 1
    assert len(list(tmp_path.glob("*.corrupt"))) == 1


async def test_what_is_not_a_readable_segment_is_left_alone(tmp_path, open_journal):
    """Directories, links, pipes and other names do not stop the start, hang it, or get removed."""
    (tmp_path / f"{1:020d}-1.journal").mkdir()
    (tmp_path / f"{2:020d}-1.journal").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / f"{3:020d}-1.journal")
    for name in ("rejected.journal", "notes.txt", "1-1.journal", f"{4:020d}-1.corrupt"):
        (tmp_path / name).write_bytes(b"keep")
    before = open_descriptors()
    journal = open_journal()
    assert open_descriptors() == before
    assert journal.counts.unreadable == 3
    assert await ship_all(journal) == []
    assert len(list(tmp_path.iterdir())) == 7


async def test_a_segment_of_a_living_process_is_not_taken(tmp_path, open_journal):
    """Two journals on one directory: each ships its own, and an orphan goes to one of them."""
    leave(tmp_path, [b"orphan"])
    first, second = open_journal(), open_journal()
    assert (first.counts.segments, second.counts.segments) == (1, 0)
    first.append(b"first")
    second.append(b"second")
    third = open_journal()
    assert third.counts.segments == 0
    assert await ship_all(second) == [b"second"]
    assert await ship_all(first) == [b"orphan", b"first"]


async def test_more_orphans_than_descriptors_are_adopted_in_turn(tmp_path, open_journal):
    """A crash loop leaves many files; a bounded number is open at a time, and all are shipped."""
    [path] = leave(tmp_path, [b"record"])
    data = path.read_bytes()
    for index in range(599):
        (tmp_path / f"{index:020d}-1.journal").write_bytes(data)
    journal = open_journal()
    assert journal.counts.segments == 256
    assert await ship_all(journal) == [b"record"] * 600
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_taken_for_an_orphan_is_given_up(tmp_path, monkeypatch):
    """Another process locked the file before its maker did: the maker begins another."""
    real, lost = files._flock, []

    def lose_once(fd):
        if not lost:
            lost.append(fd)
            return False
        return real(fd)

    monkeypatch.setattr(files, "_flock", lose_once)
    opened = files.create(tmp_path, durable=False)
    os.close(opened.fd)
    assert opened.path.exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_removed_before_it_was_locked_is_not_written_to(tmp_path, monkeypatch):
    """The lock on a file without a name protects nothing."""
    real, seen = os.open, []

    def removed_once(path, *rest):
        fd = real(path, *rest)
        if not seen:
            Path(path).unlink()
        seen.append(path)
        return fd

    monkeypatch.setattr(os, "open", removed_once)
    opened = files.create(tmp_path, durable=False)
    os.close(opened.fd)
    assert opened.path.exists()
    assert len(seen) == 2
    seen.clear()
    assert files.adopt(opened.path) is None
    assert files.adopt(opened.path) is None


APPEND_FOR_EVER = """
import itertools, os, sys
from pathlib import Path
from ingate.proxy.journal import Journal
journal = Journal(Path(sys.argv[1]), segment_bytes=200_000, max_bytes=50_000_000)
for index in itertools.count():
    assert journal.append(b"%08d" % index + b"." * (index * 37 % 9000))
    os.write(1, b"%08d" % index)
"""


def killed_while_appending(folder, enough):
    """Runs a child that appends until it has told of so many records, kills it, and returns how many it told of."""
    child = subprocess.Popen(
        [sys.executable, "-c", APPEND_FOR_EVER, str(folder)], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    told = b""
    while len(told) < enough * 8:
        told += os.read(child.stdout.fileno(), 65536)
    watcher = Journal(folder)
    assert watcher.counts.segments == 0
    watcher.close()
    child.kill()
    told += child.stdout.read()
    child.stdout.close()
    child.wait()
    return int(told[-8:]) + 1


@pytest.mark.parametrize("enough", [1, 500, 3000])
async def test_a_killed_process_loses_nothing_it_appended(tmp_path, enough):
    """SIGKILL in the middle of appending: each record for which append returned is shipped by the next, in order."""
    appended = killed_while_appending(tmp_path, enough)
    journal = Journal(tmp_path)
    records = await ship_all(journal, max_records=500)
    journal.close()
    assert len(records) >= appended >= enough
    assert records == [b"%08d" % index + b"." * (index * 37 % 9000) for index in range(len(records))]
    assert journal.counts.corrupt <= 1
    assert list(tmp_path.glob("*.journal")) == []
