"""The journal: appends records to segment files, within a bound, one system call for those that come together.

It does not know what a record holds or who ships it, and runs without an event
loop. Several processes may share a directory: each writes segments of its own.
Not thread-safe: everything is called on one thread.
"""

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
from ingate.proxy.journal.segment import Segment

MIB = 1024 * 1024
_NEVER = 1 << 62
_MOST_AT_ONCE = 256
"""Records of one system call, which takes two buffers for each; there are to be no more than 1,024."""

_log = structlog.get_logger(__name__)


class Journal:
    """Segment files in `directory`, made with mode 0700 (files 0600). Raises `OSError` when it cannot be used.

    `segment_bytes` is where a new file is begun; it is held between 1/256 and 1/8
    of `max_bytes`, so that descriptors (one a segment) and space accepted but not
    yet freed stay bounded. Up to `mirror_bytes` of what was appended stay in
    memory for the shipper. With `fsync`, each call waits for the disk, inline: a
    record then survives a power cut as well as a kill, and the loop stalls for as
    long as the disk takes (a millisecond or more).
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = 8 * MIB,
        max_bytes: int = 1024 * MIB,
        mirror_bytes: int = 8 * MIB,
        fsync: bool = False,
    ) -> None:
        self.directory = directory
        self.counts = Counts()
        self.backlog = Backlog(directory, self.counts)
        self._hard = max_bytes
        self._soft = max_bytes * 4 // 5
        self._segment_bytes = min(max(segment_bytes, max_bytes // 256), max(max_bytes // 8, 1))
        self._roll_at = self._segment_bytes
        self._mirror_bytes = mirror_bytes
        self._fsync = fsync
        self._live: Segment | None = None
        self._closed = False
        self._refused = False
        self._wake_at = _NEVER
        self._wake: Callable[[], None] = _ignore
        files.prepare(directory)
        self.backlog.adopt()

    def append(self, record: bytes, light: Callable[[], bytes] | None = None) -> bool:
        """Writes a record; returns whether it, or its light form, is kept. Never raises `OSError`.

        Above 80 % of the bound, or when the disk refuses the record, `light()` is
        written in its place: the same record without its payloads. Above the bound
        the record is dropped. Both are counted.
        """
        counts = self.counts
        limit = self._hard if light is None else self._soft
        if counts.bytes + len(record) + HEADER_BYTES <= limit and self._put([record]):
            return True
        if light is not None:
            lesser = light()
            if counts.bytes + len(lesser) + HEADER_BYTES <= self._hard and self._put([lesser]):
                counts.shed_payloads += 1
                return True
        counts.shed_records += 1
        return False

    def extend(self, records: Sequence[bytes], light: Callable[[int], bytes]) -> None:
        """Writes records as `append` would one after another; `light` makes the light form of one, by its index."""
        for start in range(0, len(records), _MOST_AT_ONCE):
            some = records[start : start + _MOST_AT_ONCE]
            size = sum(map(len, some)) + HEADER_BYTES * len(some)
            if self.counts.bytes + size > self._soft or not self._put(some):
                for index, record in enumerate(some, start):
                    self.append(record, partial(light, index))

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
        self.backlog.close()

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
        except (OSError, struct.error):
            if not segment.cut():
                # What follows the last whole frame cannot be removed: nothing may be appended after it.
                self.backlog.seal(segment)
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
        if counts.pending >= self._wake_at:
            wake = self._wake
            self.disarm()
            wake()

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
            return live
        self._refused = False
        self._roll_at = self._segment_bytes
        if live is not None:
            self.backlog.seal(live)
        self._live = self.backlog.begin(opened)
        return self._live


def _ignore() -> None:
    """What an unarmed journal calls: nothing."""
