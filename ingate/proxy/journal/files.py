"""Segment files: their names, their locks, their end. It does not know frames or what is shipped.

A segment is `<20 digits of nanoseconds>-<pid>.journal`, so names sort by age. The
process that writes or ships it holds an exclusive flock, which dies with the
process; a segment without one is an orphan that anybody may adopt.
"""

import errno
import fcntl
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"\d{20}-\d+\.journal")
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A segment file that this process has locked: its path, descriptor and size in bytes."""

    path: Path
    fd: int
    size: int


def prepare(directory: Path) -> None:
    """Makes the directory, readable by its owner only, unless it exists. Raises `OSError`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def create(directory: Path, *, durable: bool) -> OpenFile:
    """Returns a new, empty, locked segment; with `durable`, its name is on the disk. Raises `OSError`.

    Makes the directory again if it went missing.
    """
    for _ in range(_ATTEMPTS):
        path = directory / f"{time.time_ns():020d}-{os.getpid()}.journal"
        try:
            fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except FileNotFoundError:
            prepare(directory)
            continue
        if not _locked(fd):
            # Another process took the file for an orphan before it was locked, and removes it: try the next name.
            continue
        if durable:
            try:
                _sync(directory)
            except OSError:
                os.close(fd)
                raise
        return OpenFile(path, fd, 0)
    raise FileExistsError(errno.EEXIST, f"No segment of its own could be made in {directory}.")


def orphans(directory: Path) -> list[Path]:
    """Returns the segments in the directory, locked or not, oldest first. Raises `OSError`."""
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))


def adopt(path: Path) -> OpenFile | None:
    """Locks a segment; None when another process holds it or it is gone.

    Raises `OSError` when it cannot be opened or is not a plain file.
    """
    try:
        fd = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    return OpenFile(path, fd, os.fstat(fd).st_size) if _locked(fd) else None


def keep_aside(path: Path, keep: int) -> None:
    """Renames a segment to `.corrupt` and removes all but the newest `keep` of those. Raises `OSError`."""
    path.rename(path.with_suffix(".corrupt"))
    for old in sorted(path.parent.glob("*.corrupt"))[:-keep]:
        old.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    """Takes the exclusive lock, or closes `fd`: False when another process holds it or the file was removed meanwhile.

    Raises `OSError` when the file is not a plain one or its file system has no locks.
    """
    held = False
    try:
        held = _flock(fd)
    finally:
        if not held:
            os.close(fd)
    return held


def _flock(fd: int) -> bool:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(errno.EINVAL, "A segment must be a regular file.")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(fd).st_nlink > 0
