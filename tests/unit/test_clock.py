import time

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from ingate import clock

# The years 1 to 9999.
moments = st.integers(-62_135_596_800 * clock.SECOND, 253_402_300_800 * clock.SECOND - 1)


def test_now_is_in_microseconds():
    """It lies between two readings of the clock."""
    before = time.time()
    assert before * clock.SECOND - 1 <= clock.now() <= time.time() * clock.SECOND + 1


@given(moments)
def test_a_moment_survives_the_message(moment):
    """Before 1970 too, where nanoseconds still count forward."""
    stamp = clock.to_proto(moment)
    assert 0 <= stamp.nanos < 1_000_000_000
    assert clock.from_proto(stamp) == moment
    assert stamp.ToMicroseconds() == moment


@given(moments, st.integers(0, 999))
def test_nanoseconds_are_rounded_down(moment, rest):
    """A message is never later than it says."""
    stamp = clock.to_proto(moment)
    stamp.nanos += rest
    assert clock.from_proto(stamp) == moment


def test_no_moment_is_no_message():
    """A field that is given None stays unset; an empty message is the epoch."""
    assert clock.to_proto(None) is None
    assert clock.from_proto(Timestamp()) == 0
    assert clock.DAY == 24 * clock.HOUR == 24 * 60 * clock.MINUTE == 24 * 60 * 60 * clock.SECOND
