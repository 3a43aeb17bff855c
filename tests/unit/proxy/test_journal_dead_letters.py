"""Rejected records are kept, bounded, readable, and shared between processes."""

import os
import stat

import pytest

from ingate.proxy.journal.dead_letters import DeadLetters, read_all
from ingate.proxy.journal.frames import HEADER_BYTES


def test_rejected_records_can_be_read_again(tmp_path):
    """Two writers on one file, in turn: all records, in order, closed to others."""
    first, second = DeadLetters(tmp_path, 10_000), DeadLetters(tmp_path, 10_000)
    for index in range(6):
        assert (first, second)[index % 2].put(b"%d" % index)
    assert read_all(first.path) == [b"%d" % index for index in range(6)]
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600


def test_the_file_has_a_bound(tmp_path):
    """The first records are kept, later ones refused, and the file does not grow."""
    letters = DeadLetters(tmp_path, 100)
    assert [letters.put(b"x" * 30) for _ in range(4)] == [True, True, False, False]
    assert letters.path.stat().st_size == 2 * (HEADER_BYTES + 30)


@pytest.mark.parametrize("tail", [b"\x05", b"\xff" * 20, bytes(64)])
def test_a_torn_tail_does_not_hide_what_comes_after(tmp_path, tail):
    """Somebody died while writing: the rest of that frame is cut before the next."""
    letters = DeadLetters(tmp_path, 10_000)
    letters.put(b"one")
    with letters.path.open("ab") as file:
        file.write(tail)
    assert DeadLetters(tmp_path, 10_000).put(b"two")
    assert letters.path.stat().st_size == 2 * (HEADER_BYTES + 3)
    assert letters.put(b"three")
    assert read_all(letters.path) == [b"one", b"two", b"three"]


def test_a_file_moved_away_is_begun_again(tmp_path):
    """An operator took the file to replay it: the next record starts a new one."""
    letters = DeadLetters(tmp_path, 10_000)
    letters.put(b"old")
    letters.path.rename(tmp_path / "taken")
    letters.put(b"new")
    assert read_all(letters.path) == [b"new"]
    os.truncate(letters.path, 0)
    letters.put(b"newer")
    assert read_all(letters.path) == [b"newer"]
