import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.clock import MINUTE, SECOND
from ingate.limits.attempts import SWEEP_US, Attempts, Terms

START = 30_000_000 * MINUTE
TEN = Terms(limit=10)


def subject(name, network="net"):
    return (name, network, "")


def fail(attempts, name, times, now=START, *, part="", network="net"):
    for _ in range(times):
        attempts.failed(subject(name, network), now, part)


def test_ten_failures_in_fifteen_minutes_are_free():
    """The tenth shuts the subject for a quarter of an hour; those that are older than that do not count."""
    attempts = Attempts(TEN)
    fail(attempts, "a", 9)
    assert attempts.wait(subject("a"), START) == 0.0
    fail(attempts, "a", 1, START + 15 * MINUTE)
    assert attempts.wait(subject("a"), START + 15 * MINUTE) == 0.0
    fail(attempts, "a", 9, START + 16 * MINUTE)
    assert attempts.wait(subject("a"), START + 16 * MINUTE) == 15 * 60.0
    assert attempts.wait(subject("a"), START + 31 * MINUTE) == 0.0


def test_asking_counts_nothing_and_keeps_nothing():
    """However often somebody asks, and under however many names."""
    attempts = Attempts(TEN)
    fail(attempts, "a", 10)
    waits = {attempts.wait(subject("a"), START + n * SECOND) for n in range(50)}
    assert len(waits) == 50
    assert max(waits) == 900.0
    assert [attempts.wait(subject(f"x{n}"), START) for n in range(100)] == [0.0] * 100
    assert attempts.size == 1


def test_waits_grow_and_are_forgotten():
    """15 minutes, 30, 60 and no more; after a time without failures as at first."""
    attempts, now, waits = Attempts(TEN), START, []
    for _ in range(4):
        fail(attempts, "a", 10, now)
        waits.append(attempts.wait(subject("a"), now) / 60)
        now += int(waits[-1] * MINUTE)
        assert attempts.wait(subject("a"), now) == 0.0
    assert waits == [15, 30, 60, 60]
    now += 15 * MINUTE
    fail(attempts, "a", 10, now)
    assert attempts.wait(subject("a"), now) == 15 * 60.0


def test_a_part_has_a_limit_of_its_own():
    """Ten for one part shut it and no other; a hundred for all of them shut the subject."""
    attempts = Attempts(Terms(limit=100), TEN)
    fail(attempts, "a", 10, part="ann")
    assert attempts.wait(subject("a"), START, "ann") == 900.0
    assert (attempts.wait(subject("a"), START, "bob"), attempts.wait(subject("b"), START, "ann")) == (0.0, 0.0)
    for number in range(9):
        fail(attempts, "a", 10, part=f"p{number}")
    assert (attempts.wait(subject("a"), START, "bob"), attempts.wait(subject("a"), START)) == (900.0, 900.0)


def test_whoever_fills_the_map_frees_nobody():
    """A full map gives up no live counter: who was held back is so still, and so are the newcomers, as one."""
    attempts = Attempts(TEN, capacity=5)
    fail(attempts, "attacker", 10)
    for number in range(1000):
        fail(attempts, f"10.0.0.{number}", 1, network=f"n{number}")
    assert attempts.wait(subject("attacker"), START) == 900.0
    assert attempts.size <= 2 * 5 + 1
    # One without a counter is judged with its network, and that with everybody where it has none either.
    assert attempts.wait(subject("newcomer", "n4"), START) == 0.0
    assert attempts.wait(subject("newcomer", "n999"), START) > 0.0
    assert attempts.wait(subject("10.0.0.0", "n0"), START) == 0.0


def test_newcomers_to_a_full_map_share_their_networks_counter():
    """Ten failures of a network's newcomers are ten, from however many addresses; another network's are apart."""
    attempts = Attempts(TEN, capacity=3)
    for number in range(3):
        fail(attempts, f"old{number}", 1)
    for number in range(10):
        assert attempts.wait(subject(f"new{number}", "crowd"), START) == 0.0
        fail(attempts, f"new{number}", 1, network="crowd")
    assert attempts.wait(subject("one more", "crowd"), START) == 900.0
    assert attempts.wait(subject("one more", "quiet"), START) == 0.0


def test_time_alone_makes_room():
    """Counters that matter no longer go, those whose parts are still shut do not."""
    attempts = Attempts(Terms(limit=100), Terms(limit=1, window_us=60 * MINUTE), capacity=2)
    fail(attempts, "part shut", 1, part="ann")
    fail(attempts, "gone", 1)
    later = START + 15 * MINUTE + SWEEP_US
    fail(attempts, "new", 1, later)
    assert attempts.size == 2
    assert attempts.wait(subject("part shut"), later, "ann") > 0


@pytest.mark.parametrize(
    ("terms", "capacity"), [(Terms(limit=0), 1), (Terms(limit=1, window_us=0), 1), (Terms(limit=1), 0)]
)
def test_bounds_must_be_positive(terms, capacity):
    """A limiter that admits or holds nothing is a mistake."""
    with pytest.raises(ValueError, match="at least 1"):
        Attempts(terms, capacity=capacity)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 30)), max_size=80), st.integers(1, 6))
def test_no_stretch_of_the_window_holds_more_failures_than_the_limit(sequence, capacity):
    """Of a subject that fails whenever it may, whatever others do to the map."""
    limit, window = 3, 20
    attempts = Attempts(Terms(limit=limit, window_us=window, longest_us=4 * window), capacity=capacity)
    failures: dict[str, list[int]] = {}
    now = START
    for name, step in sequence:
        now += step
        if attempts.wait((name, ""), now) == 0.0:
            attempts.failed((name, ""), now)
            failures.setdefault(name, []).append(now)
    for times in failures.values():
        assert all(len([at for at in times if end - window < at <= end]) <= limit for end in times)
