import pytest

from ingate.auth.throttle import Throttle, place_of
from ingate.errors import RateLimited

ACCOUNT, PLACE = 10, 100


def failures_until_refused(throttle, *tries):
    """Returns how many failures in turn, each an address and an account, go through; at most 300."""
    for number in range(300):
        address, account = tries[number % len(tries)]
        try:
            throttle.check(place_of(address), account)
        except RateLimited:
            return number
        throttle.failed(place_of(address), account)
    return 300


@pytest.fixture
def throttle():
    return Throttle()


@pytest.mark.parametrize(
    "addresses",
    [
        ["203.0.113.9"],
        [""],
        ["not an address"],
        ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::"],
        ["203.0.113.9", "::ffff:203.0.113.9"],
        ["2001:DB8::1", "2001:db8:0::1"],
        ["fe80::1%eth0", "fe80::1%eth1"],
    ],
)
def test_one_place_counts_as_one(throttle, addresses):
    """Spellings of one address, and the addresses of one IPv6 network, share their failures."""
    assert failures_until_refused(throttle, *((address, "ann") for address in addresses)) == ACCOUNT


@pytest.mark.parametrize(
    ("one", "other"),
    [("203.0.113.9", "203.0.113.10"), ("2001:db8::1", "2001:db8:0:1::1"), ("::1", "127.0.0.1"), ("", "127.0.0.1")],
)
def test_places_count_apart(throttle, one, other):
    """What one of them used up is there for the other: strangers do not lock an account."""
    assert failures_until_refused(throttle, (one, "ann")) == ACCOUNT
    assert failures_until_refused(throttle, (other, "ann")) == ACCOUNT


def test_a_place_has_a_hundred_for_all_accounts(throttle):
    """Whoever tries one password on many accounts is stopped too."""
    tries = [("203.0.113.9", f"a{number}") for number in range(300)]
    assert failures_until_refused(throttle, *tries) == PLACE


def test_whoever_guesses_names_is_stopped_sooner(throttle):
    """Ten accounts that do not exist shut the place, for those that do as well: which they are is not told."""
    place = place_of("203.0.113.9")
    for _ in range(9):
        throttle.guessed(place)
    throttle.check(place, "ann")
    throttle.guessed(place)
    with pytest.raises(RateLimited) as refused:
        throttle.check(place, "ann")
    assert refused.value.retry_after > 0
    throttle.check(place_of("203.0.113.10"), "ann")


def test_a_crowd_does_not_push_a_counter_out():
    """Failures from other places, as many as there are places for and more, give nobody another try."""
    throttle = Throttle(capacity=20)
    assert failures_until_refused(throttle, ("203.0.113.9", "ann")) == ACCOUNT
    for number in range(1000):
        throttle.failed(place_of(f"10.{number >> 8}.{number & 255}.7"), f"x{number}")
    assert failures_until_refused(throttle, ("203.0.113.9", "ann")) == 0


def test_a_refusal_says_when_to_come_back(throttle):
    """In a quarter of an hour at most, the first time."""
    failures_until_refused(throttle, ("203.0.113.9", "ann"))
    with pytest.raises(RateLimited) as refused:
        throttle.check(place_of("203.0.113.9"), "ann")
    assert 0 < refused.value.retry_after <= 15 * 60


def test_holders_count_by_what_they_hold(throttle):
    """Whoever holds one session or invitation uses up its tries and nobody else's."""
    for _ in range(10):
        throttle.check_holder("mine")
        throttle.holder_failed("mine")
    with pytest.raises(RateLimited):
        throttle.check_holder("mine")
    throttle.check_holder("yours")
