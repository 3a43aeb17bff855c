"""The room that a journal has: its bound, what the disk says, and what of both is kept for light records.

It does not know segments or frames.
"""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import structlog

from ingate.proxy.journal.counts import Counts
from ingate.proxy.journal.reserve import Reserve
from ingate.sampling import Sampler

LIGHT = 4096
"""Bytes of the light record of a call under way; most have less."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_QUIET = 60.0
"""Seconds between two lines that say the same."""

Disk = Literal["disk_full", "disk_broken"]
Trouble = Literal["journal_full", "disk_full", "disk_broken"]

_log = structlog.get_logger(__name__)


class Room:
    """The bound is `max_bytes`. Payloads are kept up to `soft` bytes, four fifths of it.

    Above `slow` bytes, three fifths, callers are to be slowed down. Of the disk, up to `reserve_bytes` are held, 1/16
    of the bound at most.

    `disk` is what is wrong with the disk as far as is known, `error` its last error by name, such as `ENOSPC`.
    """

    def __init__(self, directory: Path, counts: Counts, *, max_bytes: int, reserve_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.soft = max_bytes * 4 // 5
        self.disk: Disk | None = None
        self.error = ""
        self.slow = max_bytes * 3 // 5
        self.pressed = False
        """Whether `weigh` is to be asked: an attribute, since it is looked at for every call."""
        self._counts = counts
        self._reserve = Reserve(directory, min(reserve_bytes, max_bytes // 16))
        self._shed, self._lost, self._fails, self._mended = (Sampler(1, _QUIET) for _ in range(4))

    @property
    def to_adopt(self) -> int:
        """Bytes of other processes' records that may be taken over beside what this one has to record."""
        return self.slow // 2 - self._counts.bytes

    def weigh(self) -> bool:
        """Returns whether journal or disk are filling up, and makes `pressed` say so."""
        self.pressed = self._counts.bytes > self.slow or self.disk is not None
        return self.pressed

    def strain(self) -> float:
        """Returns how near payloads are to being left out, or the reserve of a full disk to its end: 0 to 1."""
        strain = (self._counts.bytes - self.slow) / max(1, self.soft - self.slow)
        if self.disk is not None:
            strain = max(strain, 1 - self._reserve.left / self._reserve.size)
        return min(1.0, max(0.0, strain))

    def refuses(self, promised: int) -> Trouble | None:
        """Returns why one more record might find no room, not even its light form; None when it will.

        `promised` is the number of records that are to come in any case.
        """
        needed = (promised + 1) * LIGHT
        if self.disk == "disk_broken" or (self.disk is not None and self._reserve.left < needed):
            return self.disk
        return "journal_full" if self._counts.bytes + needed > self.max_bytes else None

    def failed(self, number: int | None) -> None:
        """Takes note of an error of the disk."""
        self.error = errno.errorcode.get(number or 0, str(number))
        found: Disk = "disk_full" if number in NO_ROOM else "disk_broken"
        if self.disk != found:
            self.disk, self.pressed = found, True
            if self._fails.take() is not None:
                _log.error("journal_disk_fails", disk=found, error=self.error, reserve=self._reserve.left)

    def tend(self, writable: Callable[[], bool]) -> None:
        """Fills the reserve, at the start and after hard times; without one the disk counts as full.

        Those times are over when there is a reserve again and the disk is `writable`.
        """
        if self.disk is None:
            if not self._reserve.left and not self.refill():
                self.failed(errno.ENOSPC)
        elif self.refill() and (self.disk == "disk_full" or writable()):
            if self._mended.take() is not None:
                _log.warning("journal_disk_mended", was=self.disk, error=self.error)
            self.disk = None

    def spend(self, size: int) -> bool:
        """Gives the disk back so much of the reserve; returns whether there was any left."""
        spent = self._reserve.spend(size)
        self._counts.reserve = self._reserve.left
        return spent

    def refill(self) -> bool:
        """Takes from the disk what the reserve lacks; returns whether there is one."""
        filled = self._reserve.fill()
        self._counts.reserve = self._reserve.left
        return filled

    def shed(self) -> None:
        """Counts a payload that was left out, and says so once a minute."""
        self._counts.shed_payloads += 1
        self._say("journal_payloads_shed", self._shed)

    def lost(self) -> None:
        """Counts a record that was not kept, and says so once a minute."""
        self._counts.shed_records += 1
        self._say("journal_records_lost", self._lost)

    def close(self) -> None:
        """Gives the reserve back."""
        self._reserve.close()
        self._counts.reserve = 0

    def _say(self, event: str, sampler: Sampler) -> None:
        if (held := sampler.take()) is None:
            return
        counts = self._counts
        _log.error(
            event,
            bytes=counts.bytes,
            bound=self.max_bytes,
            pending=counts.pending,
            disk=self.disk,
            error=self.error,
            before=held,
        )
