from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from rest_facade.timestamps import from_text, to_text, to_text_millis

FIRST, LAST = -62_135_596_800, 253_402_300_799


@given(st.integers(FIRST, LAST), st.integers(0, 999_999))
def test_round_trip(seconds, micros):
    """What is written is read back, to the microsecond."""
    stamp = Timestamp(seconds=seconds, nanos=micros * 1000)

    assert from_text(to_text(stamp)) == stamp


@given(st.datetimes(timezones=st.just(UTC)))
def test_agrees_with_the_standard_library(moment):
    """The text of any moment is read as that moment."""
    stamp = from_text(moment.isoformat())

    assert stamp.ToDatetime(tzinfo=UTC) == moment
    assert datetime.fromisoformat(to_text(stamp)) == moment


def test_fraction_only_when_there_is_one():
    """Whole seconds have no fraction, others six digits; the other style always three."""
    assert to_text(Timestamp(seconds=1775039400)) == "2026-04-01T10:30:00Z"
    assert to_text(Timestamp(seconds=1775039400, nanos=5_000)) == "2026-04-01T10:30:00.000005Z"
    assert to_text_millis(Timestamp(seconds=1775039400)) == "2026-04-01T10:30:00.000Z"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-04-01T12:30:00+02:00", 1775039400),
        ("2026-04-01t10:30:00z", 1775039400),
        ("2026-04-01T04:45:00-05:45", 1775039400),
        ("2026-04-01T10:30:00.123456789Z", 1775039400),
    ],
)
def test_zones_and_fractions(text, seconds):
    """Offsets are applied, digits beyond microseconds are cut."""
    stamp = from_text(text)

    assert stamp.seconds == seconds
    assert stamp.nanos in {0, 123_456_000}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-04-01",
        "2026-04-01T10:30:00",
        "2026-04-01 10:30:00Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-04-01T24:00:00Z",
        "2026-04-01T10:30:60Z",
        "2026-04-01T10:30:00+24:00",
        "2026-04-01T10:30:00+02:60",
        "2026-04-01T10:30:00+0200",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "٢٠٢٦-04-01T10:30:00Z",
        "2026-04-01T10:30:00Z\n",
        "2026-04-01T10:30:00.Z",
    ],
)
def test_anything_else_is_refused(text):
    """Dates that do not exist, missing zones and other alphabets' digits are errors."""
    with pytest.raises(ValueError):  # noqa: PT011 -- the text of the error is whatever the date library says
        from_text(text)
