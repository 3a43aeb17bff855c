"""What the journal holds and has not handed on: segments in order, how they are read, settled, adopted and let go.

It does not append, and it does not know who ships the records.
"""

import asyncio
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import structlog

from ingate.proxy.journal import files
from ingate.proxy.journal.counts import Counts
from ingate.proxy.journal.frames import Frames, read_frames
from ingate.proxy.journal.segment import Segment

_KEEP_CORRUPT = 8
_ADOPT_AT_ONCE = 256

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in order, all of one segment, and the offset up to which accepting them settles it."""

    segment: Segment
    records: list[bytes]
    end: int


class Backlog:
    """The segments of one process, oldest first; the live one, if any, is the last."""

    def __init__(self, directory: Path, counts: Counts) -> None:
        self._directory = directory
        self._counts = counts
        self._segments: deque[Segment] = deque()
        self._orphans_left = False

    @property
    def sealed(self) -> bool:
        """Whether records wait in a segment that is no longer appended to."""
        return any(not segment.done for segment in self._segments if not segment.live)

    @property
    def unsettled_bytes(self) -> int:
        """Bytes of records that wait."""
        return sum(segment.size - segment.shipped for segment in self._segments)

    @property
    def last(self) -> tuple[Segment, int] | None:
        """Where the youngest record ends that is not yet settled: its segment and offset. None when all are."""
        for segment in reversed(self._segments):
            if not segment.done:
                return segment, segment.size
        return None

    def begin(self, opened: files.OpenFile) -> Segment:
        """Holds a new file as the live segment."""
        segment = Segment(opened.path, opened.fd, live=True, mirroring=True)
        self._segments.append(segment)
        self._counts.segments += 1
        return segment

    def seal(self, segment: Segment) -> None:
        """Ends appending to a segment; it goes at once when all of it was accepted."""
        segment.live = False
        if segment.done:
            self._let_go(segment)

    async def take(self, max_records: int, max_bytes: int) -> Batch | None:
        """Returns the oldest records not yet settled, the same again until they are; None when there are none.

        Bad frames are skipped and counted; a batch of nothing else has no records.
        What is no longer in memory is read in a thread, about `max_bytes` at a time.
        """
        segment = next((segment for segment in self._segments if not segment.done), None)
        if segment is None:
            return None
        if segment.mirror and segment.shipped == segment.mirror_from:
            records = segment.take_mirror(max_records, max_bytes)
            self._counts.mirrored -= segment.mirror_from - segment.shipped
            return Batch(segment, records, segment.mirror_from)
        if segment.live and not segment.mirroring and not segment.mirror:
            # The reader is in the segment being written: from here on, appends are mirrored again.
            segment.mirroring, segment.mirror_from = True, segment.size
        found = await self._read(segment, max_records, max_bytes)
        return Batch(segment, found.records, found.next)

    def settle(self, batch: Batch) -> None:
        """Marks a batch as accepted. A segment goes when all of it is; the live one is emptied instead."""
        segment = batch.segment
        if segment not in self._segments:
            return  # the journal was closed meanwhile
        segment.shipped = batch.end
        accepted = segment.pending if segment.done else min(len(batch.records), segment.pending)
        segment.pending -= accepted
        self._counts.pending -= accepted
        if segment.done and segment.live:
            self._counts.bytes -= segment.size
            segment.restart()
            self._counts.bytes += segment.size
        elif segment.done:
            self._let_go(segment)
        if self._orphans_left and not self.sealed:
            self.adopt_some(1 << 62)

    def adopt(self) -> None:
        """Takes over segments that dead processes left, oldest first, a bounded number at a time. Raises `OSError`."""
        self._adopt(None)

    def adopt_some(self, room: int) -> None:
        """Does so as far as they fit in `room` bytes. Logs an `OSError`."""
        try:
            self._adopt(room)
        except OSError as error:
            _log.warning("journal_directory_unreadable", errno=error.errno)

    def _adopt(self, room: int | None) -> None:
        held = {segment.path for segment in self._segments}
        adopted: list[Segment] = []
        self._orphans_left = False
        for path in files.orphans(self._directory):
            if len(adopted) == _ADOPT_AT_ONCE:
                self._orphans_left = True
                break
            if path in held or (segment := self._adopted(path)) is None:
                continue
            if room is not None:
                room -= segment.size
                if room < 0:
                    os.close(segment.fd)
                    break
            adopted.append(segment)
        self._segments.extendleft(reversed(adopted))
        self._counts.segments += len(adopted)
        self._counts.bytes += sum(segment.size for segment in adopted)
        for segment in adopted:
            if segment.done:
                self._let_go(segment)

    def close(self) -> None:
        """Releases all files: what was accepted is removed, the rest waits for the next start."""
        for segment in list(self._segments):
            if segment.done:
                self._let_go(segment)
            else:
                os.close(segment.fd)
        self._segments.clear()

    def _adopted(self, path: Path) -> Segment | None:
        try:
            found = files.adopt(path)
        except OSError as error:
            self._counts.unreadable += 1
            _log.warning("journal_segment_unreadable", segment=path.name, errno=error.errno)
            return None
        return Segment(path, found.fd, size=found.size) if found else None

    async def _read(self, segment: Segment, max_records: int, max_bytes: int) -> Frames:
        """Reads from the file what is not in memory. A segment with bad places takes no further records."""
        until = segment.read_until
        try:
            found = await asyncio.to_thread(read_frames, segment.fd, segment.shipped, until, max_records, max_bytes)
        except OSError as error:
            self._counts.unreadable += 1
            _log.warning("journal_segment_unreadable", segment=segment.path.name, errno=error.errno)
            segment.damaged, segment.live = True, False
            return Frames([], until, 0)
        if found.bad:
            self._counts.corrupt += found.bad
            segment.damaged, segment.live = True, False
        return found

    def _let_go(self, segment: Segment) -> None:
        """Closes a segment that was accepted: its file is removed, or kept aside when it has bad places."""
        self._segments.remove(segment)
        self._counts.segments -= 1
        self._counts.bytes -= segment.size
        try:
            if segment.damaged:
                files.keep_aside(segment.path, _KEEP_CORRUPT)
            else:
                segment.path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("journal_segment_not_removed", segment=segment.path.name, errno=error.errno)
        os.close(segment.fd)
