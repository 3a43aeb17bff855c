import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.clock import MINUTE, SECOND
from ingate.limits.attempts import Attempts

START = 30_000_000 * MINUTE


def test_ten_attempts_in_fifteen_minutes_are_free():
    """The eleventh waits until the first is fifteen minutes old."""
    attempts = Attempts()
    assert [attempts.take("a", START + n * SECOND) for n in range(10)] == [0.0] * 10
    assert attempts.take("a", START + 60 * SECOND) == 14 * 60.0
    assert attempts.take("a", START + 15 * MINUTE) == 0.0
    assert attempts.take("a", START + 15 * MINUTE) == 1.0


def test_refused_attempts_do_not_prolong_the_wait():
    """Hammering changes nothing about when the next attempt is free."""
    attempts = Attempts(limit=1, window_us=10 * SECOND)
    attempts.take("a", START)
    assert [attempts.take("a", START + n * SECOND) for n in range(1, 10)] == [10.0 - n for n in range(1, 10)]
    assert attempts.take("a", START + 10 * SECOND) == 0.0


def test_keys_do_not_share():
    """One address does not lock out another."""
    attempts = Attempts(limit=1)
    assert attempts.take("a", START) == 0.0
    assert attempts.take("b", START) == 0.0


def test_expired_keys_make_room_and_are_not_counted():
    """Memory is given back by time alone; only a live key that is dropped counts."""
    attempts = Attempts(limit=1, window_us=SECOND, capacity=2)
    for n in range(5):
        attempts.take(f"k{n}", START + n * SECOND)
    assert (attempts.size, attempts.evicted) == (1, 0)


def test_a_full_map_forgets_the_key_that_tried_longest_ago():
    """The bound holds and what is lost is counted."""
    attempts = Attempts(limit=2, capacity=2)
    attempts.take("a", START)
    attempts.take("b", START)
    attempts.take("a", START + 1)
    attempts.take("c", START + 2)
    assert (attempts.size, attempts.evicted) == (2, 1)
    assert attempts.take("a", START + 3) > 0


def test_a_clock_that_steps_back_lengthens_no_wait_beyond_the_window():
    """Attempts stay in order whatever the clock does."""
    attempts = Attempts(limit=2, window_us=10 * SECOND)
    attempts.take("a", START)
    attempts.take("a", START - 5 * SECOND)
    assert attempts.take("a", START + 10 * SECOND) == 0.0


@pytest.mark.parametrize("arguments", [{"limit": 0}, {"window_us": 0}, {"capacity": 0}])
def test_bounds_must_be_positive(arguments):
    """A limiter that admits or holds nothing is a mistake."""
    with pytest.raises(ValueError, match="at least 1"):
        Attempts(**arguments)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 30)), max_size=80))
def test_no_stretch_of_the_window_holds_more_than_the_limit(sequence):
    """Every granted attempt has fewer than `limit` granted ones in the window before it; the wait told is enough."""
    limit, window = 3, 20
    attempts = Attempts(limit=limit, window_us=window, capacity=4)
    granted: dict[str, list[int]] = {}
    now = START
    for key, step in sequence:
        now += step
        recent = [at for at in granted.get(key, []) if at > now - window]
        wait = attempts.take(key, now)
        assert (wait == 0.0) == (len(recent) < limit)
        if wait == 0.0:
            granted.setdefault(key, []).append(now)
        else:
            assert wait == pytest.approx((min(recent[-limit:]) + window - now) / SECOND)
