"""One segment as the journal holds it: a locked file, how far it is shipped, and what of it is still in memory.

It does not know bounds, other segments or the receiver.
"""

import errno
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ingate.proxy.journal.frames import HEADER_BYTES

_PROBE = bytes(4096)


@dataclass(slots=True, eq=False)
class Segment:
    """Offsets and sizes are bytes. `mirror` holds the records that begin at `mirror_from`, without a gap.

    While `mirroring`, it reaches to the end of the file; afterwards the rest must
    be read from the file. `live` is the one segment that is appended to, `damaged`
    one that has bad places in it.
    """

    path: Path
    fd: int
    size: int = 0
    live: bool = False
    shipped: int = 0
    pending: int = 0
    mirroring: bool = False
    mirror_from: int = 0
    mirror: deque[bytes] = field(default_factory=deque)
    damaged: bool = False

    @property
    def done(self) -> bool:
        """Whether every record in the file was accepted."""
        return self.shipped >= self.size

    @property
    def read_until(self) -> int:
        """The offset up to which records are to be read from the file."""
        return self.mirror_from if self.mirroring or self.mirror else self.size

    @property
    def nameless(self) -> bool:
        """Whether somebody removed the file: what is in it would not outlive this process."""
        return not os.fstat(self.fd).st_nlink

    def take_mirror(self, max_records: int, max_bytes: int) -> list[bytes]:
        """Takes records from memory, oldest first: up to `max_records`, and `max_bytes` unless one is larger."""
        records: list[bytes] = []
        mirror, taken = self.mirror, 0
        while mirror and len(records) < max_records:
            size = HEADER_BYTES + len(mirror[0])
            if records and taken + size > max_bytes:
                break
            taken += size
            records.append(mirror.popleft())
        self.mirror_from += taken
        return records

    def finish(self, frame: bytes, written: int) -> None:
        """Writes the rest of a frame of which only `written` bytes went in. Raises `OSError`."""
        while written < len(frame):
            count = os.write(self.fd, memoryview(frame)[written:])
            if not count:
                raise OSError(errno.ENOSPC, "The disk takes nothing.")
            written += count

    def cut(self) -> bool:
        """Cuts the file back to its whole frames; returns whether it could, and counts as damaged otherwise."""
        try:
            os.ftruncate(self.fd, self.size)
        except OSError:
            self.damaged = True
        return not self.damaged

    def probe(self) -> bool:
        """Returns whether an empty file takes bytes, and gives them back."""
        try:
            os.write(self.fd, _PROBE)
        except OSError:
            return False
        return self.cut()

    def restart(self) -> None:
        """Empties a file whose records were all accepted, so that it is used from its beginning; if it can be."""
        with suppress(OSError):
            os.ftruncate(self.fd, 0)
            self.size = self.shipped = self.mirror_from = 0
            self.mirroring = True
