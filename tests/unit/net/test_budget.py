"""The budget of bodies: bounds hold at every step, and what is given back is whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import DomainError, RateLimited, Unavailable
from ingate.net.budget import BodyBudget, Lease

PROCESS, ORGANISATION, ADDRESS = 100, 60, 30


@pytest.fixture
def budget():
    return BodyBudget(PROCESS, ORGANISATION, ADDRESS)


def test_an_address_has_its_bound(budget):
    """The bound is the last byte that fits; a refusal takes nothing, and others are not concerned."""
    lease, other = budget.lease("a"), budget.lease("b")
    lease.grow(ADDRESS)
    with pytest.raises(RateLimited) as refused:
        budget.lease("a").grow(1)
    assert refused.value.retry_after == 1
    other.grow(ADDRESS)
    assert (budget.in_use, lease.held) == (2 * ADDRESS, ADDRESS)


def test_an_organisation_has_its_own(budget):
    """Bytes leave the address when the organisation is known, and count with those of its other bodies."""
    lease = budget.lease("a")
    lease.grow(ADDRESS)
    lease.move("org")
    budget.lease("a").grow(ADDRESS)
    lease.grow(ORGANISATION - ADDRESS)
    with pytest.raises(RateLimited):
        budget.lease_for("org").grow(1)


def test_an_organisation_is_no_address(budget):
    """An address that is spelled as an organisation's id is another owner."""
    budget.lease("x").grow(ADDRESS)
    budget.lease_for("x").grow(ORGANISATION)
    assert budget.owners == 2


def test_a_refused_move_releases(budget):
    """The body cannot be kept, so its bytes are given back."""
    budget.lease_for("org").grow(ORGANISATION)
    lease = budget.lease("a")
    lease.grow(1)
    with pytest.raises(RateLimited):
        lease.move("org")
    assert (budget.in_use, budget.owners) == (ORGANISATION, 1)


def test_the_process_has_a_bound(budget):
    """It is another refusal: nobody in particular has too much."""
    budget.lease_for("one").grow(ORGANISATION)
    lease = budget.lease_for("two")
    lease.grow(PROCESS - ORGANISATION)
    with pytest.raises(Unavailable) as refused:
        lease.grow(1)
    assert refused.value.retry_after == 1
    lease.release()
    lease.grow(1)


def test_owners_without_bytes_are_forgotten(budget):
    """Releasing twice gives nothing twice."""
    leases = [budget.lease(f"a{index}") for index in range(50)]
    for lease in leases:
        lease.grow(2)
    for lease in leases * 2:
        lease.release()
    assert (budget.in_use, budget.owners) == (0, 0)


class Yielding(Lease):
    """A body that can be dropped until it is `complete`; `refusal` says why it was."""

    complete = False
    refusal = None

    def can_give_way(self):
        return not self.complete

    def give_way(self, refusal):
        self.refusal = refusal()
        self.release()


@pytest.fixture
def yielding(budget, monkeypatch):
    """Returns a function that returns a body of an organisation, whose age is known from its second byte on."""
    monkeypatch.setattr("ingate.net.budget._LARGE", 1)

    def make(organisation, size):
        lease = Yielding(budget, "")
        lease.move(organisation)
        lease.grow(size)
        return lease

    return make


def test_younger_bodies_give_way(budget, yielding):
    """The oldest is completed, the youngest goes first, and one that is complete stays."""
    oldest, older, complete, youngest = (yielding(name, 24) for name in "abcd")
    complete.complete = True
    oldest.grow(26)
    assert [isinstance(lease.refusal, Unavailable) for lease in (older, complete, youngest)] == [False, False, True]
    with pytest.raises(Unavailable):
        older.grow(30)  # what is older does not give way
    oldest.grow(10)
    assert isinstance(older.refusal, Unavailable)
    assert (oldest.held, budget.in_use) == (60, 84)


def test_nobody_gives_way_for_what_another_organisation_may_not_have(yielding):
    """Who has all that its organisation may have takes it from its own younger bodies only."""
    older, other, younger = yielding("a", 30), yielding("b", 30), yielding("a", 30)
    with pytest.raises(RateLimited):
        younger.grow(1)
    older.grow(1)
    assert other.refusal is None
    assert isinstance(younger.refusal, RateLimited)
    with pytest.raises(RateLimited):
        older.grow(30)
    assert (older.held, other.refusal) == (31, None)


def test_nobody_gives_way_in_vain(yielding):
    """A body that would not fit even so is refused alone, whoever holds the bytes that it lacks."""
    oldest, complete, own, other = yielding("a", 20), yielding("a", 30), yielding("a", 5), yielding("b", 30)
    complete.complete = True
    with pytest.raises(RateLimited):
        oldest.grow(20)
    assert (own.refusal, other.refusal) == (None, None)
    complete.complete = False
    oldest.grow(20)
    assert [isinstance(lease.refusal, RateLimited) for lease in (own, complete, other)] == [True, True, False]


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["grow", "move", "release"]), st.integers(0, 70), st.booleans())
    )
)
def test_the_sums_agree(steps):
    """Whatever happens: `in_use` is the sum of the leases, no bound is passed, and nothing is left at the end."""
    budget = BodyBudget(PROCESS, ORGANISATION, ADDRESS)
    leases = [budget.lease("ab"[index % 2]) for index in range(6)]
    owner = {id(lease): ("address", "ab"[index % 2]) for index, lease in enumerate(leases)}
    for index, step, size, first in steps:
        lease = leases[index]
        try:
            if step == "grow":
                lease.grow(size)
            elif step == "move":
                owner[id(lease)] = ("organisation", str(first))
                lease.move(str(first))
            else:
                lease.release()
        except DomainError:
            pass
        held = {}
        for each in leases:
            held[owner[id(each)]] = held.get(owner[id(each)], 0) + each.held
        assert budget.in_use == sum(held.values()) <= PROCESS
        assert all(size <= (ADDRESS if kind == "address" else ORGANISATION) for (kind, _), size in held.items())
    for lease in leases:
        lease.release()
    assert (budget.in_use, budget.owners) == (0, 0)
