"""Frames are read back from any damage without inventing, reordering or losing more than the damage forces."""

import os
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from ingate.proxy.journal.frames import HEADER, HEADER_BYTES, frames_end, pack_header, read_frames

RECORDS = st.lists(st.binary(max_size=40), max_size=6)


def framed(records, start=0):
    """Returns the bytes of a file whose frames begin at `start`, and where each frame ends."""
    data, ends = b"", []
    for record in records:
        end = start + len(data) + HEADER_BYTES + len(record)
        data += pack_header(record, end) + record
        ends.append(end)
    return data, ends


@contextmanager
def in_file(data):
    fd = os.memfd_create("segment")
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)


def read_whole(data, max_records=1000, max_bytes=1 << 20):
    """Reads to the end in steps; returns all records and the number of bad places."""
    records, bad, at = [], 0, 0
    with in_file(data) as fd:
        while at < len(data):
            found = read_frames(fd, at, len(data), max_records, max_bytes)
            assert at < found.next <= len(data)
            assert len(found.records) <= max_records
            records += found.records
            bad += found.bad
            at = found.next
    return records, bad


def is_subsequence(part, whole):
    rest = iter(whole)
    return all(any(item == other for other in rest) for item in part)


@given(RECORDS, st.integers(1, 7), st.integers(1, 100))
def test_reads_back_what_was_written_in_steps_of_any_size(records, max_records, max_bytes):
    """However the reading is cut into steps, the records are the same."""
    assert read_whole(framed(records)[0], max_records, max_bytes) == (records, 0)


@settings(max_examples=60)
@given(RECORDS)
def test_truncated_at_every_byte(records):
    """A file cut anywhere gives exactly the frames that are whole, and one bad place if a frame was cut."""
    data, ends = framed(records)
    for cut in range(len(data) + 1):
        whole = [record for record, end in zip(records, ends, strict=True) if end <= cut]
        torn = cut not in (0, *ends)
        assert read_whole(data[:cut]) == (whole, int(torn))


@settings(max_examples=60)
@given(RECORDS, st.integers(1, 4))
def test_any_bit_flipped(records, max_records):
    """One flipped bit never invents or reorders, and costs one record unless it hit a length."""
    data, ends = framed(records)
    for bit in range(0, len(data) * 8, 3):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        found, bad = read_whole(bytes(broken), max_records)
        hit = next(index for index, end in enumerate(ends) if bit // 8 < end)
        start = ends[hit] - HEADER_BYTES - len(records[hit])
        assert bad
        assert found[:hit] == records[:hit]
        assert is_subsequence(found, records)
        if bit // 8 >= start + 4 and records[hit]:
            assert found == records[:hit] + records[hit + 1 :]


@given(RECORDS, st.data())
def test_flipped_and_truncated(records, data):
    """Both damages at once: still a part of what was written, in order."""
    whole = framed(records)[0]
    cut = data.draw(st.integers(0, len(whole)))
    broken = bytearray(whole[:cut])
    for bit in data.draw(st.lists(st.integers(0, max(cut * 8 - 1, 0)), max_size=4 if cut else 0)):
        broken[bit // 8] ^= 1 << bit % 8
    assert is_subsequence(read_whole(bytes(broken))[0], records)


@given(st.binary(max_size=300), st.integers(1, 5), st.integers(1, 50))
def test_garbage_gives_nothing_and_ends(garbage, max_records, max_bytes):
    """Arbitrary bytes are read to their end without an error and hold no record."""
    assert read_whole(garbage, max_records, max_bytes)[0] == []


def test_zeros_are_no_frames():
    """A tail that a power cut left as zeros is one bad place, not a flood of empty records."""
    data = framed([b"one", b""])[0]
    assert read_whole(data + bytes(4096)) == ([b"one", b""], 1)
    with in_file(data + bytes(4096)) as fd:
        assert frames_end(fd, 0, len(data) + 4096) == len(data)


def test_frames_inside_a_payload_are_never_taken_for_frames():
    """A caller who puts frames into a prompt gains nothing when a broken length makes the reader land on them."""
    sled = framed([b"forged"] * 50)[0]
    data = bytearray(framed([b"first", sled, b"last"])[0])
    at = HEADER_BYTES + len(b"first")
    for land in range(len(sled)):
        # The length of the second frame now ends in the middle of its own payload.
        HEADER.pack_into(data, at, land, HEADER.unpack_from(data, at)[1])
        assert b"forged" not in read_whole(bytes(data))[0]


def test_a_length_beyond_the_file_reads_no_more_than_the_file():
    """A header that claims 4 GiB costs neither memory nor time."""
    data = framed([b"one"])[0] + HEADER.pack(0xFFFFFFFF, 1) + b"x" * 100
    assert read_whole(data) == ([b"one"], 1)


def test_a_file_shorter_than_said_ends_there():
    """A segment that somebody cut meanwhile is one bad place."""
    data = framed([b"one", b"two"])[0]
    with in_file(data[:-1]) as fd:
        found = read_frames(fd, 0, len(data), 10, 1000)
        assert (found.records, found.next) == ([b"one"], 11)
        found = read_frames(fd, found.next, len(data), 10, 1000)
        assert (found.records, found.next, found.bad) == ([], len(data), 1)
