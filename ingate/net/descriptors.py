"""How many descriptors this process may have, and how many of them callers may take. Knows no connection."""

import sys
from dataclasses import dataclass

if sys.platform != "win32":
    import resource

_LEAST_SPARE = 64
_SPARE_SHARE = 4
"""One in so many is kept for what is not a caller: providers, the database, the journal."""


@dataclass(frozen=True, slots=True)
class Room:
    """Descriptors are numbered from 0, and the lowest free number is taken.

    One that gets number `crowded` is told so and closed soon; one that gets `full` is closed at once.
    """

    crowded: int
    full: int


def make_room() -> Room:
    """Raises the soft limit to the hard one, and returns what callers may take of it."""
    if sys.platform == "win32":
        return Room(sys.maxsize, sys.maxsize)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):
            pass  # some systems have a lower limit of their own that they do not state
    return room(sys.maxsize if soft == resource.RLIM_INFINITY else soft)


def room(limit: int) -> Room:
    """Returns what callers may take of so many descriptors."""
    spare = min(max(_LEAST_SPARE, limit // _SPARE_SHARE), limit // 2)
    return Room(limit - spare, limit - spare // 2)
