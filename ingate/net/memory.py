"""Gives memory back to the system that bodies have left behind. Knows no bodies.

The C library keeps what is freed, and large blocks too once it has seen one freed. Where there is no glibc, nothing is
done: others give back by themselves.
"""

import ctypes
import sys

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
