"""Gives memory that was freed after a peak back to the system. Knows no bodies.

The C library keeps what is freed, and large blocks too once it has seen one freed. Where there is no glibc, nothing is
done: others give back by themselves.
"""

import ctypes
import os
import sys
from pathlib import Path

MUCH = 16 * 1024 * 1024
"""Bytes that are worth giving back."""
TIMES = 18
"""How often it is tried after a peak."""
_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGESIZE") if hasattr(os, "sysconf") else 4096
_M_TRIM_THRESHOLD = -1
_KEPT = 16 * 1024 * 1024
"""As much as is free at the end of a heap stays there: a body of 100 KB comes with each request, and to give its pages
back and fault them in again takes as long as writing it to the disk."""
_M_MMAP_THRESHOLD = -3
_LARGE = 1024 * 1024
"""Larger blocks are mapped one by one and unmapped when they are freed; smaller ones come quicker from the heap."""


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


_libc = _glibc()


def settle() -> None:
    """Has large blocks given back when they are freed, and smaller ones kept. To be called at start."""
    if _libc is not None:
        _libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        _libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Gives back what is free now. Takes some milliseconds after a peak."""
    if _libc is not None:
        _libc.malloc_trim(0)


class Trimmer:
    """Gives back what is free after the memory of this process has grown much. `trim` is to be called now and then."""

    __slots__ = ("_left", "_low")

    def __init__(self) -> None:
        self._low = resident()
        self._left = 0

    def trim(self) -> bool:
        """Gives memory back if a peak is over; tells whether it tried.

        It tries `TIMES` times after a peak, since the C library frees little by little. What stays then counts as
        needed.
        """
        held = resident()
        if held >= self._low + MUCH:
            self._left = TIMES
        elif not self._left:
            self._low = min(self._low, held)
            return False
        self._left -= 1
        give_back()
        self._low = resident()
        return True


def resident() -> int:
    """Returns the bytes of this process that are in memory; 0 where the system does not say."""
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE
    except OSError:
        return 0
