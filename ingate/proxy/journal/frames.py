"""The frame format: how records lie in a file, and how they are read back from a damaged one.

A frame is `length u32 | crc32 u32 | payload`, little-endian. The checksum starts
from the offset at which the frame ends, so that it covers the length too, a run
of zeros is no frame, and bytes inside a payload cannot pass for one elsewhere.
Nothing here knows which file it reads or what a payload holds.
"""

import os
import struct
from dataclasses import dataclass
from zlib import crc32

HEADER = struct.Struct("<II")
HEADER_BYTES = HEADER.size


@dataclass(frozen=True, slots=True)
class Frames:
    """What one read gave: payloads in file order, the offset to go on from, how many bad places were skipped."""

    records: list[bytes]
    next: int
    bad: int


def pack_header(payload: bytes, end: int) -> bytes:
    """Returns the 8 bytes before `payload` in a frame that ends at offset `end`.

    Raises `struct.error` from 4 GiB on.
    """
    return HEADER.pack(len(payload), crc32(payload, end))


def read_frames(fd: int, offset: int, end: int, max_records: int, max_bytes: int) -> Frames:
    """Reads whole frames in `[offset, end)` of an open file: up to `max_records`, and `max_bytes` unless one is larger.

    A frame with a bad checksum is skipped. Where the chain of lengths leaves the
    range nothing further can be trusted: the rest is one bad place and `next` is
    `end`. Raises `OSError` when the file cannot be read.
    """
    first = _read(fd, offset, HEADER_BYTES)
    length = HEADER.unpack(first)[0] if len(first) == HEADER_BYTES else 0
    data = _read(fd, offset, min(end - offset, max(max_bytes, HEADER_BYTES + length)))
    records: list[bytes] = []
    at = bad = 0
    while len(data) - at >= HEADER_BYTES and len(records) < max_records:
        length, checksum = HEADER.unpack_from(data, at)
        stop = at + HEADER_BYTES + length
        payload = data[at + HEADER_BYTES : stop]
        good = crc32(payload, offset + stop) == checksum
        # An empty frame has nothing but its header to be wrong; a zero-filled tail looks so.
        if offset + stop > end or not (length or good):
            return Frames(records, end, bad + 1)
        if stop > len(data):
            break
        if good:
            records.append(payload)
        else:
            bad += 1
        at = stop
    if not at:
        # Less than a frame is left, or the file is shorter than it was.
        return Frames(records, end, bad + 1)
    return Frames(records, offset + at, bad)


def frames_end(fd: int, offset: int, end: int) -> int:
    """Returns where the last whole frame in `[offset, end)` ends, by lengths alone. Raises `OSError`."""
    while end - offset >= HEADER_BYTES:
        length, checksum = HEADER.unpack(_read(fd, offset, HEADER_BYTES))
        stop = offset + HEADER_BYTES + length
        if stop > end or not (length or checksum):
            break
        offset = stop
    return offset


def _read(fd: int, offset: int, size: int) -> bytes:
    """Returns `size` bytes at `offset`, fewer where the file ends."""
    data = os.pread(fd, size, offset)
    while 0 < len(data) < size:
        more = os.pread(fd, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data
