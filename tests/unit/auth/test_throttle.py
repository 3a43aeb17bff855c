import pytest

from ingate.auth.throttle import Throttle
from ingate.errors import RateLimited
from ingate.limits.attempts import Attempts

LIMIT = 10


def attempts_until_refused(throttle, *checks):
    """Returns how many checks in turn go through, at most 100."""
    for number in range(100):
        try:
            throttle.check(*checks[number % len(checks)])
        except RateLimited:
            return number
    return 100


@pytest.fixture
def throttle():
    return Throttle(Attempts())


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
    """Spellings of one address, and the addresses of one IPv6 network, share their attempts."""
    assert attempts_until_refused(throttle, *((address,) for address in addresses)) == LIMIT


@pytest.mark.parametrize(
    ("one", "other"),
    [("203.0.113.9", "203.0.113.10"), ("2001:db8::1", "2001:db8:0:1::1"), ("::1", "127.0.0.1"), ("", "127.0.0.1")],
)
def test_places_count_apart(throttle, one, other):
    """What one of them used up is there for the other."""
    assert attempts_until_refused(throttle, (one,)) == LIMIT
    assert attempts_until_refused(throttle, (other,)) == LIMIT


def test_an_account_counts_wherever_the_attempts_come_from(throttle):
    """The eleventh for it is refused, from an address never seen before; other accounts are not."""
    places = [(f"10.0.0.{number}", "ann@example.com") for number in range(50)]
    assert attempts_until_refused(throttle, *places) == LIMIT
    throttle.check("10.0.0.200", "bob@example.com")


def test_a_refusal_says_when_to_come_back(throttle):
    """In a quarter of an hour at most."""
    attempts_until_refused(throttle, ("203.0.113.9",))
    with pytest.raises(RateLimited) as refused:
        throttle.check("203.0.113.9")
    assert 0 < refused.value.retry_after <= 15 * 60
