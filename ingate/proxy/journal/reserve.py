"""Room on the disk that is kept for hard times: blocks held by a file, given back a piece at a time.

The file has no name, so its room is free again the moment the process ends, however it ends.
"""

import errno
import os
import tempfile
from contextlib import suppress
from io import FileIO
from pathlib import Path

LEAST = 64 * 1024
"""Bytes of the smallest reserve, and of a piece that is given back."""
_SHARE = 8
"""Of the room that is free, one part in so many is taken at most: others need the disk too."""
_ZEROS = bytes(LEAST)


class Reserve:
    """Up to `size` bytes of the disk that `directory` is on; `left` are held. Empty until it is filled."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._file: FileIO | None = None
        self.size = max(size, LEAST)
        self.left = 0

    def fill(self) -> bool:
        """Takes what the disk has room for; returns whether anything is held afterwards. Never raises `OSError`."""
        with suppress(OSError):
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0, dir=self._directory)  # noqa: SIM115 -- held
            self._take(self._file.fileno(), min(self.size, (free(self._directory) + self.left) // _SHARE))
        return self.left > 0

    def spend(self, needed: int) -> bool:
        """Gives back a piece of at least `needed` bytes, or all that is left; returns whether there was any."""
        if self._file is None or not self.left:
            return False
        self.left = max(0, self.left - max(needed, LEAST))
        try:
            os.ftruncate(self._file.fileno(), self.left)
        except OSError:
            # Closed, an unnamed file takes nothing.
            self.close()
        return True

    def close(self) -> None:
        """Gives everything back."""
        if self._file is not None:
            self._file.close()
        self._file, self.left = None, 0

    def _take(self, fd: int, size: int) -> None:
        """Holds `size` bytes, or half of it where the disk refuses, and so on. Raises `OSError` when there are none."""
        while size > self.left:
            if size < LEAST:
                raise OSError(errno.ENOSPC, "There is no room for a reserve.")
            try:
                _allocate(fd, self.left, size)
            except OSError:
                os.ftruncate(fd, self.left)
                size //= 2
            else:
                self.left = size


def free(directory: Path) -> int:
    """Returns the bytes that are free on a directory's disk. Raises `OSError`."""
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


def _allocate(fd: int, start: int, end: int) -> None:
    """Has blocks assigned to a part of a file. Raises `OSError`."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, start, end - start)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
                raise
        else:
            return
    while start < end:
        start += os.pwrite(fd, _ZEROS[: end - start], start)
