"""The journal: appends records to segment files, within a bound, one system call for those that come together.

It does not know what a record holds or who ships it, and runs without an event
loop. Several processes may share a directory: each writes segments of its own.
Not thread-safe: everything is called on one thread.
"""

import errno
import os
import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from ingate.proxy.journal import files
from ingate.proxy.journal.backlog import Backlog
from ingate.proxy.journal.counts import Counts
from ingate.proxy.journal.frames import HEADER_BYTES, pack_header
from ingate.proxy.journal.room import NO_ROOM, Room
from ingate.proxy.journal.segment import Segment

MIB = 1024 * 1024
_NEVER = 1 << 62
_MOST_AT_ONCE = 256
"""Records of one system call, which takes two buffers for each; there are to be no more than 1,024."""
_ADOPT_EVERY = 5

_log = structlog.get_logger(__name__)


class Journal:
    """Segment files in `directory`, made with mode 0700 (files 0600). Raises `OSError` when it cannot be used.

    `segment_bytes` is where a new file is begun; it is held between 1/256 and 1/8
    of `max_bytes`, so that descriptors (one a segment) and space accepted but not
    yet freed stay bounded. Up to `mirror_bytes` of what was appended stay in
    memory for the shipper. With `fsync`, each call waits for the disk, inline: a
    record then survives a power cut as well as a kill, and the loop stalls for as
    long as the disk takes (a millisecond or more).

    The last fifth of `max_bytes`, and `reserve_bytes` of the disk (1/16 of
    `max_bytes` at most), are kept for light records. With `overdraft`, light
    records pass the bound: for those who ask `refuses` before they begin what
    will have to be recorded, so that it is passed by what is under way alone.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = 32 * MIB,
        max_bytes: int = 1024 * MIB,
        mirror_bytes: int = 8 * MIB,
        reserve_bytes: int = 16 * MIB,
        fsync: bool = False,
        overdraft: bool = False,
    ) -> None:
        self.directory = directory
        self.counts = Counts()
        self.backlog = Backlog(directory, self.counts)
        self._overdraft = overdraft
        self._segment_bytes = min(max(segment_bytes, max_bytes // 256), max(max_bytes // 8, 1))
        self._roll_at = self._segment_bytes
        self._mirror_bytes = mirror_bytes
        self._fsync = fsync
        self._live: Segment | None = None
        self._closed = False
        self._refused = False
        self._wake_at = _NEVER
        self._wake: Callable[[], None] = _ignore
        self._ticks = 0
        files.prepare(directory)
        self.backlog.adopt()
        self.room = Room(directory, self.counts, max_bytes=max_bytes, reserve_bytes=reserve_bytes)

    def append(self, record: bytes, light: Callable[[], bytes] | None = None) -> bool:
        """Writes a record; returns whether it, or its light form, is kept. Never raises `OSError`.

        Above 80 % of the bound, or when the disk refuses the record, `light()` is
        written in its place: the same record without its payloads. Above the bound
        the record is dropped, unless there is an overdraft. All of it is counted
        and logged, a line a minute.
        """
        return self._append(record, light, whole=self.room.disk is None)

    def extend(self, records: Sequence[bytes], light: Callable[[int], bytes]) -> None:
        """Writes records as `append` would one after another; `light` makes the light form of one, by its index."""
        room = self.room
        for start in range(0, len(records), _MOST_AT_ONCE):
            some = records[start : start + _MOST_AT_ONCE]
            size = sum(map(len, some)) + HEADER_BYTES * len(some)
            whole = room.disk is None
            if not whole or self.counts.bytes + size > room.soft or not self._put(some):
                for index, record in enumerate(some, start):
                    self._append(record, partial(light, index), whole=whole)

    def tend(self) -> None:
        """Sees to what time alone brings: room on the disk, segments of processes that died. Never raises `OSError`.

        To be called at the start and about once a second; mostly it costs nothing. It also makes the segment that
        comes next before it is needed: a file that is open takes records though no other can be made.
        """
        if self._closed:
            return
        room, live = self.room, self._live
        if live is None or not live.live or live.nameless:
            self._roll()
        room.tend(self._writable)
        room.weigh()
        self._ticks += 1
        if self._ticks % _ADOPT_EVERY == 0:
            before = self.counts.segments
            self.backlog.adopt_some(room.to_adopt)
            if taken := self.counts.segments - before:
                self.counts.taken_over += taken
                _log.warning("journal_taken_over", segments=taken, bytes=self.counts.bytes)
                self._call()

    def arm(self, pending: int, wake: Callable[[], None]) -> None:
        """Calls `wake` once, from within the append that makes at least `pending` records pending."""
        self._wake_at, self._wake = pending, wake

    def disarm(self) -> None:
        """Forgets what `arm` asked for."""
        self._wake_at, self._wake = _NEVER, _ignore

    def close(self) -> None:
        """Releases all files: what was accepted is removed, the rest waits for the next start. Appends are shed."""
        self._closed, self._live = True, None
        self.disarm()
        self.room.close()
        self.backlog.close()

    def _append(self, record: bytes, light: Callable[[], bytes] | None, *, whole: bool) -> bool:
        if light is None:
            return self._keep(record)
        room = self.room
        fits = self.counts.bytes + len(record) + HEADER_BYTES <= room.soft
        if whole and fits and self._put([record]):
            return True
        if not self._keep(light()):
            return False
        room.shed()
        return True

    def _keep(self, record: bytes) -> bool:
        """Writes a light record, at the cost of the reserve if need be; returns whether it is there."""
        size = len(record) + HEADER_BYTES
        attempts = 2  # the second in a new segment
        if self._overdraft or self.counts.bytes + size <= self.room.max_bytes:
            while not self._put([record]):
                attempts -= 1
                if not (self.room.spend(size) if self.room.disk == "disk_full" else attempts):
                    break
            else:
                return True
        self.room.lost()
        return False

    def _put(self, records: Sequence[bytes]) -> bool:
        """Appends frames to the live segment; returns whether they are there, all of them or none."""
        segment = self._live
        if segment is None or not segment.live or segment.size >= self._roll_at:
            segment = self._roll()
            if segment is None:
                return False
        end = segment.size
        parts: list[bytes] = []
        try:
            for record in records:
                end += HEADER_BYTES + len(record)
                parts += pack_header(record, end), record
            size = end - segment.size
            written = os.writev(segment.fd, parts)
            if written != size:
                segment.finish(b"".join(parts), written)
            if self._fsync:
                os.fdatasync(segment.fd)
        except (OSError, struct.error) as error:
            number = error.errno if isinstance(error, OSError) else None
            # What follows the last whole frame and cannot be removed: nothing may be appended after it. Nor to a
            # file that fails for another reason than that the disk is full.
            if not segment.cut() or number not in {None, *NO_ROOM}:
                self.backlog.seal(segment)
            # A file that may not grow further says nothing of the next one.
            if number is not None and (number != errno.EFBIG or not segment.size):
                self.room.failed(number)
            return False
        self._added(segment, records, size)
        return True

    def _added(self, segment: Segment, records: Sequence[bytes], size: int) -> None:
        """Takes note of frames, together of `size` bytes, at the end of a segment."""
        segment.size += size
        segment.pending += len(records)
        counts = self.counts
        counts.bytes += size
        counts.records += len(records)
        counts.pending += len(records)
        if segment.mirroring:
            if counts.mirrored + size <= self._mirror_bytes:
                segment.mirror.extend(records)
                counts.mirrored += size
            else:
                segment.mirroring = False
        if counts.bytes > self.room.slow:
            self.room.pressed = True
        if counts.pending >= self._wake_at:
            self._call()

    def _call(self) -> None:
        """Makes the armed call, once."""
        wake = self._wake
        self.disarm()
        wake()

    def _writable(self) -> bool:
        """Returns whether a new segment can be made and takes bytes."""
        segment = self._roll()
        return segment is not None and not self._refused and segment.probe()

    def _roll(self) -> Segment | None:
        """Begins a new segment; when that fails, goes on with the old one if it still takes records."""
        if self._closed:
            return None
        live = self._live if self._live is not None and self._live.live else None
        try:
            opened = files.create(self.directory, durable=self._fsync)
        except OSError as error:
            if not self._refused:
                _log.warning("journal_segment_not_made", errno=error.errno)
            self._refused = True
            self._roll_at = (live.size if live else 0) + self._segment_bytes
            if live is None:
                self.room.failed(error.errno)
            return live
        self._refused = False
        self._roll_at = self._segment_bytes
        if live is not None:
            self.backlog.seal(live)
        self._live = self.backlog.begin(opened)
        return self._live


def _ignore() -> None:
    """What an unarmed journal calls: nothing."""
