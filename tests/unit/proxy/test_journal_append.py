"""Appending: one call, within a bound, through a full or broken disk, never an error."""

import errno
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ingate.proxy.journal import Journal
from ingate.proxy.journal.dead_letters import read_all
from ingate.proxy.journal.frames import HEADER_BYTES, read_frames


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "journal"


@pytest.fixture
def open_journal(folder):
    """Returns a function that makes a journal, closed after the test."""
    made = []

    def make(**options):
        made.append(Journal(folder, **options))
        return made[-1]

    yield make
    for journal in made:
        journal.close()


def segments(folder):
    return sorted(folder.glob("*-*.journal"))


def stored(folder):
    return [record for path in segments(folder) for record in read_all(path)]


def test_a_record_is_on_disk_when_append_returns(open_journal, folder):
    """What was appended can be read from the file at once, also the empty record."""
    journal = open_journal()
    records = [b"one", b"", b"x" * 100_000]
    assert all(journal.append(record) for record in records)
    assert stored(folder) == records
    size = sum(len(record) + HEADER_BYTES for record in records)
    assert (journal.counts.records, journal.counts.pending, journal.counts.segments) == (3, 3, 1)
    assert journal.counts.bytes == size == segments(folder)[0].stat().st_size


def test_one_system_call_an_append(open_journal, monkeypatch):
    """Header and record go out in one write."""
    calls = []
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, parts: calls.append(len(parts)) or real(fd, parts))
    monkeypatch.setattr(os, "write", lambda *_: pytest.fail("a second write"))
    journal = open_journal()
    for _ in range(10):
        assert journal.append(b"record")
    assert calls == [2] * 10


def test_modes_keep_others_out(open_journal, folder):
    """The directory is made 0700 and files 0600."""
    open_journal().append(b"secret")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(segments(folder)[0].stat().st_mode) == 0o600


def test_a_directory_that_cannot_be_used_is_an_error_at_start(tmp_path):
    """A file where the directory should be fails the start, not the first append."""
    (tmp_path / "journal").write_bytes(b"")
    with pytest.raises(OSError, match="journal"):
        Journal(tmp_path / "journal")


def test_new_segment_when_one_is_full(open_journal, folder):
    """Segments rotate at their size, keep their order by name, and nothing is split or lost."""
    journal = open_journal(segment_bytes=1000, max_bytes=100_000)
    records = [b"%03d" % index + b"." * 97 for index in range(40)]
    assert all(journal.append(record) for record in records)
    sizes = [path.stat().st_size for path in segments(folder)]
    assert sizes == [1080] * 4
    assert journal.counts.segments == 4
    assert stored(folder) == records


def test_payloads_are_shed_before_records(open_journal, folder):
    """Over 80 % of the bound the light form is kept, over the bound nothing is; each is counted."""
    journal = open_journal(max_bytes=10_000)
    heavy, light = b"h" * 992, b"l" * 92
    kept = [journal.append(heavy, lambda: light) for _ in range(40)]
    assert kept == [True] * 28 + [False] * 12
    assert stored(folder) == [heavy] * 8 + [light] * 20
    counts = journal.counts
    assert (counts.records, counts.shed_payloads, counts.shed_records, counts.bytes) == (28, 20, 12, 10_000)


def test_a_record_without_a_light_form_may_use_the_whole_bound(open_journal):
    """There is nothing to shed in it, so it is kept up to the bound."""
    journal = open_journal(max_bytes=10_000)
    assert [journal.append(b"r" * 992) for _ in range(11)] == [True] * 10 + [False]
    assert (journal.counts.shed_payloads, journal.counts.shed_records) == (0, 1)


def test_a_record_larger_than_the_bound_is_shed(open_journal):
    """One huge record does not block those after it."""
    journal = open_journal(max_bytes=10_000)
    assert not journal.append(b"x" * 10_000)
    assert journal.append(b"x" * 20_000, lambda: b"light")
    assert journal.append(b"small")


def test_a_short_write_is_completed(open_journal, folder, monkeypatch):
    """A write that took a part is continued where it stopped."""
    journal = open_journal()
    real_writev, real_write = os.writev, os.write
    monkeypatch.setattr(os, "writev", lambda fd, parts: real_writev(fd, [b"".join(parts)[:5]]))
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, bytes(data[:7])))
    records = [b"a" * 30, b"", b"b" * 50]
    assert all(journal.append(record) for record in records)
    assert stored(folder) == records


@pytest.mark.parametrize("rest", ["raises", "takes nothing"])
def test_a_write_that_cannot_be_completed_is_undone(open_journal, folder, monkeypatch, rest):
    """A full disk in the middle of a frame: cut back, counted as shed, and the next record is readable."""
    journal = open_journal()
    assert journal.append(b"before")
    real_writev = os.writev

    def no_room(*_):
        if rest == "raises":
            raise OSError(errno.ENOSPC, "full")
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", lambda fd, parts: real_writev(fd, [b"".join(parts)[:9]]))
        patch.setattr(os, "write", no_room)
        assert not journal.append(b"lost in the middle")
    assert journal.append(b"after")
    assert stored(folder) == [b"before", b"after"]
    assert (journal.counts.shed_records, journal.counts.records) == (1, 2)


def test_a_full_disk_takes_the_light_form_where_it_fits(open_journal, folder, monkeypatch):
    """The payload is shed before the record also when the disk is what is full."""
    journal = open_journal()
    real = os.writev

    def small_only(fd, parts):
        if sum(map(len, parts)) > 100:
            raise OSError(errno.ENOSPC, "full")
        return real(fd, parts)

    monkeypatch.setattr(os, "writev", small_only)
    assert journal.append(b"x" * 200, lambda: b"light")
    assert not journal.append(b"x" * 200, lambda: b"y" * 200)
    assert stored(folder) == [b"light"]
    assert (journal.counts.shed_payloads, journal.counts.shed_records) == (1, 1)


def test_a_tail_that_cannot_be_cut_ends_the_segment(open_journal, folder, monkeypatch):
    """Nothing is appended after a broken frame: a new segment begins."""
    journal = open_journal()
    assert journal.append(b"before")
    real_writev = os.writev

    def refuse(*_):
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", lambda fd, parts: real_writev(fd, [b"".join(parts)[:9]]))
        patch.setattr(os, "write", refuse)
        patch.setattr(os, "ftruncate", refuse)
        assert not journal.append(b"torn")
    assert journal.append(b"after")
    assert len(segments(folder)) == 2
    assert stored(folder) == [b"before", b"after"]


def test_no_new_segment_goes_on_with_the_old_one(open_journal, folder, monkeypatch):
    """When a file cannot be made, the full segment takes more; when it can again, a new one begins."""
    journal = open_journal(segment_bytes=1000, max_bytes=100_000)
    assert journal.append(b"x" * 1000)
    real, refused = os.open, []

    def no_files(*args, **_):
        refused.append(args)
        raise OSError(errno.EMFILE, "too many")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_files)
        assert all(journal.append(b"y" * 100) for _ in range(5))
        assert len(refused) == 1
    assert os.open is real
    assert len(segments(folder)) == 1
    assert all(journal.append(b"z" * 100) for _ in range(10))
    assert len(segments(folder)) == 2


def test_no_first_segment_sheds_until_there_is_one(open_journal, monkeypatch):
    """Without any file, records are counted as shed and the next append tries again."""
    journal = open_journal()

    def no_files(*_, **__):
        raise OSError(errno.EACCES, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_files)
        assert not journal.append(b"one")
        assert not journal.append(b"two", lambda: b"2")
    assert journal.append(b"three")
    assert (journal.counts.shed_records, journal.counts.records) == (2, 1)


def test_a_directory_that_went_missing_is_made_again(open_journal, folder):
    """Somebody removed the empty directory: the next segment makes it."""
    journal = open_journal()
    folder.rmdir()
    assert journal.append(b"record")
    assert stored(folder) == [b"record"]


def test_appending_after_close_is_shed(open_journal, folder):
    """A late record is counted, not an error, and no file is made for it."""
    journal = open_journal()
    journal.close()
    assert not journal.append(b"late")
    assert journal.counts.shed_records == 1
    assert segments(folder) == []


def test_fsync_reaches_the_disk_in_each_append(open_journal, folder, monkeypatch):
    """With fsync each append waits for the data, and the new file's name is made durable once."""
    calls = []
    real_data, real_name = os.fdatasync, os.fsync
    monkeypatch.setattr(os, "fdatasync", lambda fd: calls.append("data") or real_data(fd))
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append("name") or real_name(fd))
    journal = open_journal(fsync=True)
    assert journal.append(b"one")
    assert journal.append(b"two")
    assert calls == ["name", "data", "data"]
    monkeypatch.setattr(os, "fdatasync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    assert not journal.append(b"three")
    assert stored(folder) == [b"one", b"two"]


def test_the_mirror_has_a_bound(open_journal):
    """Without a shipper the memory held stays under the bound, however much is appended."""
    journal = open_journal(mirror_bytes=5000)
    for _ in range(100):
        assert journal.append(b"x" * 992)
    assert journal.counts.mirrored == 5000


def test_segments_stay_few_however_small_they_are_asked_for(open_journal, folder):
    """Each segment holds a descriptor, so their number is bounded by the size of the journal."""
    journal = open_journal(segment_bytes=1, max_bytes=256_000)
    while journal.append(b"x" * 492):
        pass
    assert len(segments(folder)) == 256


FILL_UP = """
import resource, signal, sys
from pathlib import Path
from ingate.proxy.journal import Journal
journal = Journal(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, int(sys.argv[2])))
kept = [journal.append(b"%02d" % index + b"." * 90) for index in range(15)]
assert kept == [True] * 15, kept
assert journal.counts.segments == 2, journal.counts
assert journal.append(b"x" * 2000) is False
assert journal.append(b"x" * 2000, lambda: b"light")
assert journal.counts.shed_records == journal.counts.shed_payloads == 1, journal.counts
"""


def test_a_real_limit_of_the_file_system(folder):
    """A file that may not grow further: a real short write, then a real error; the next segment takes what follows."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    subprocess.run([sys.executable, "-c", FILL_UP, str(folder), str(hard)], check=True, cwd=Path.cwd(), timeout=60)
    assert stored(folder) == [b"%02d" % index + b"." * 90 for index in range(15)] + [b"light"]


def read_all_frames(directory):
    (path,) = directory.glob("*.journal")
    with path.open("rb") as file:
        return read_frames(file.fileno(), 0, path.stat().st_size, 1000, 1 << 20)


def test_records_that_come_together_are_as_if_they_came_alone(tmp_path):
    """Their frames follow one another in one file, and all wait to be shipped."""
    journal = Journal(tmp_path)
    records = [b"record %d" % number for number in range(700)]
    journal.extend(records, lambda index: records[index].upper())
    assert (journal.counts.records, journal.counts.pending, journal.counts.shed_records) == (700, 700, 0)
    journal.close()

    assert read_all_frames(tmp_path).records == records


def test_records_that_find_no_room_together_are_kept_one_by_one(tmp_path):
    """What fits stays whole, then light forms, then nothing; each is counted."""
    journal = Journal(tmp_path, max_bytes=10_000)
    journal.extend([b"x" * 992] * 20, lambda index: b"light %d" % index)
    counts = journal.counts
    assert (counts.records, counts.shed_payloads, counts.shed_records) == (20, 12, 0)
    assert counts.bytes <= 10_000
    journal.close()


def test_a_disk_that_takes_part_of_what_comes_together_keeps_it_one_by_one(tmp_path, monkeypatch):
    """The half that went in is cut away before the records are tried alone."""
    journal = Journal(tmp_path)
    calls = []

    def full(fd, parts):
        calls.append(len(parts))
        if len(parts) > 2:
            os.write(fd, parts[0])
            raise OSError(errno.ENOSPC, "full")
        return writev(fd, parts)

    writev = os.writev
    monkeypatch.setattr(os, "writev", full)
    journal.append(b"before")
    journal.extend([b"one", b"two"], lambda _: b"light")
    journal.close()

    assert calls == [2, 4, 2, 2]
    found = read_all_frames(tmp_path)
    assert (found.records, found.bad) == ([b"before", b"one", b"two"], 0)
