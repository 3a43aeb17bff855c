import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.clock import HOUR, MINUTE
from ingate.limits.window import Decision, FixedWindows, RateWindows

START = 30_000_000 * MINUTE


def test_a_window_grants_exactly_its_limit():
    """The limit-th request passes and the next one does not."""
    windows = FixedWindows()
    granted = [windows.take("k", 3, START + at).allowed for at in range(5)]
    assert granted == [True, True, True, False, False]


def test_a_decision_says_how_the_window_stands():
    """Limit, remaining and the start of the next minute come with every answer."""
    windows = FixedWindows()
    assert windows.take("k", 2, START + 5) == Decision(True, 2, 1, START + MINUTE)
    assert windows.take("k", 2, START + 6) == Decision(True, 2, 0, START + MINUTE)
    assert windows.take("k", 2, START + 7) == Decision(False, 2, 0, START + MINUTE)


def test_the_minute_turns_for_everyone():
    """A new minute starts every key anew and leaves nothing of the old one in memory."""
    windows = FixedWindows()
    for number in range(100):
        windows.take(f"k{number}", 1, START)
    assert windows.take("k0", 1, START + MINUTE - 1).allowed is False
    assert windows.take("k0", 1, START + MINUTE).allowed is True
    assert windows.size == 1


def test_a_lowered_limit_holds_at_once():
    """A limit that falls below what was used refuses, and never shows a negative rest."""
    windows = FixedWindows()
    for _ in range(8):
        windows.take("k", 10, START)
    assert windows.take("k", 5, START) == Decision(False, 5, 0, START + MINUTE)


@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_at_all_refuses(limit):
    """A limit of nothing grants nothing."""
    assert FixedWindows().take("k", limit, START) == Decision(False, limit, 0, START + MINUTE)


def test_a_clock_that_steps_back_a_little_refills_nothing():
    """Going back across the turn of a minute stays in the later window."""
    windows = FixedWindows()
    windows.take("k", 1, START)
    assert windows.take("k", 1, START - 1) == Decision(False, 1, 0, START + MINUTE)
    assert not windows.take("k", 1, START).allowed


def test_a_clock_that_was_far_ahead_does_not_freeze_the_windows():
    """A clock that is set right by more than a minute starts over."""
    windows = FixedWindows()
    windows.take("k", 1, START + 60 * MINUTE)
    assert windows.take("k", 1, START) == Decision(True, 1, 0, START + MINUTE)


def test_a_full_map_gives_up_its_oldest_and_counts_it():
    """The bound holds, the oldest window goes, the others keep their counts."""
    windows = FixedWindows(capacity=3)
    for key in "abcd":
        windows.take(key, 1, START)
    assert (windows.size, windows.evicted) == (3, 1)
    assert not windows.take("d", 1, START).allowed
    assert windows.take("a", 1, START).allowed


def test_capacity_must_be_positive():
    """A map that holds nothing is a mistake."""
    with pytest.raises(ValueError, match="capacity"):
        FixedWindows(capacity=0)


takes = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(min_value=0, max_value=5),
        st.integers(min_value=0, max_value=MINUTE),
    ),
    max_size=60,
)


@given(takes)
def test_no_window_ever_exceeds_its_limit(sequence):
    """For every sequence: grants of a key in a minute fit its limit, and a refusal means that it would not have."""
    windows = FixedWindows()
    now = START
    used: dict[tuple[str, int], int] = {}
    for key, limit, step in sequence:
        now += step
        window = (key, now // MINUTE)
        decision = windows.take(key, limit, now)
        fits = used.get(window, 0) < limit
        assert decision.allowed == fits
        if fits:
            used[window] = used.get(window, 0) + 1
        assert decision.remaining == max(0, limit - used.get(window, 0))
        assert now < decision.reset_us <= now + MINUTE
        assert decision.reset_us % MINUTE == 0


@given(takes, st.integers(min_value=1, max_value=2))
def test_the_map_is_bounded_for_every_sequence(sequence, capacity):
    """No sequence of keys makes it grow beyond its capacity."""
    windows = FixedWindows(capacity=capacity)
    now = START
    for key, limit, step in sequence:
        now += step
        windows.take(key, limit, now)
        assert windows.size <= capacity


def test_an_hour_bounds_what_minutes_would_allow():
    """Of three requests a minute and four an hour, the fourth of the next minute is refused until the hour turns."""
    windows = RateWindows()
    hour = START // HOUR * HOUR
    first = [windows.spend("k", 3, 4, hour) for _ in range(4)]
    assert [decision.allowed for decision in first] == [True, True, True, False]
    assert [decision.word for decision in first] == ["minute"] * 4
    later = [windows.spend("k", 3, 4, hour + MINUTE) for _ in range(2)]
    assert later == [Decision(True, 4, 0, hour + HOUR, HOUR), Decision(False, 4, 0, hour + HOUR, HOUR)]
    assert later[1].word == "hour"
    assert windows.spend("k", 3, 4, hour + HOUR).allowed


def test_what_the_minute_refuses_takes_nothing_from_the_hour():
    """Ten refused requests leave the hour as it was, and other keys have hours of their own."""
    windows = RateWindows()
    hour = START // HOUR * HOUR
    for _ in range(11):
        windows.spend("k", 1, 3, hour)
    assert [windows.spend("k", 1, 3, hour + at * MINUTE).allowed for at in range(1, 4)] == [True, True, False]
    assert windows.spend("other", 1, 3, hour + MINUTE).allowed


def test_no_limit_is_no_window():
    """Without a limit nothing is counted; with one alone, that one."""
    windows = RateWindows()
    assert windows.spend("k", 0, 0, START) is None
    assert (windows.minutes.size, windows.hours.size) == (0, 0)
    assert [windows.spend("k", 0, 1, START).allowed for _ in range(2)] == [True, False]
    assert [windows.spend("j", 1, 0, START).allowed for _ in range(2)] == [True, False]
