"""Time as the code uses it: integer microseconds since the Unix epoch, UTC.

One integer type on every database and in every comparison, so there is no naive or aware, and no rounding.
"""

import time

from google.protobuf.timestamp_pb2 import Timestamp

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def now() -> int:
    """Returns the current time in microseconds."""
    return time.time_ns() // 1000


def to_proto(micros: int | None) -> Timestamp | None:
    """Returns the message for a time, or None for none, which leaves a message field unset."""
    if micros is None:
        return None
    seconds, rest = divmod(micros, SECOND)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def from_proto(stamp: Timestamp) -> int:
    """Returns the microseconds of a message, rounded down."""
    return stamp.seconds * SECOND + stamp.nanos // 1000
