"""Records that the receiver refuses for good, kept for an operator to look at and send again.

One bounded file, `rejected.journal`, shared by all processes of a directory. It
does not know why a record was refused.
"""

import fcntl
import os
from pathlib import Path

from ingate.proxy.journal.frames import HEADER_BYTES, frames_end, pack_header, read_frames


class DeadLetters:
    """Frames in `rejected.journal` in `directory`; at most `max_bytes` of them, the first ones are kept."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.path = directory / "rejected.journal"
        self._max_bytes = max_bytes
        self._whole = 0

    def put(self, record: bytes) -> bool:
        """Appends a record under a lock; returns whether there was room. Blocks on the disk. Raises `OSError`."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            size = os.fstat(fd).st_size
            # Somebody may have died in the middle of a frame: what follows it would be unreadable.
            start = self._whole = frames_end(fd, self._whole if self._whole <= size else 0, size)
            end = start + HEADER_BYTES + len(record)
            if end > self._max_bytes:
                return False
            os.ftruncate(fd, start)
            frame = memoryview(pack_header(record, end) + record)
            while frame:
                frame = frame[os.pwrite(fd, frame, end - len(frame)) :]
            self._whole = end
        finally:
            os.close(fd)
        return True


def read_all(path: Path) -> list[bytes]:
    """Returns every good record of a segment, aside or dead-letter file, in order. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        return read_frames(fd, 0, size, size + 1, size).records
    finally:
        os.close(fd)
