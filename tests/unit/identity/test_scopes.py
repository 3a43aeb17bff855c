import itertools

from hypothesis import given
from hypothesis import strategies as st

from gen.ingate.access.v1.access_pb2 import SCOPE_ADMIN, Role, Scope
from ingate.identity.scopes import BY_ROLE, pack, unpack
from ingate.identity.tables import Key

SCOPES = st.sets(st.sampled_from(sorted(set(Scope.values()) - {0})))


@given(SCOPES)
def test_what_is_packed_comes_back(scopes):
    """In a form that fits its column and does not depend on the order."""
    stored = pack(scopes)
    assert unpack(stored) == scopes
    assert stored == pack([*sorted(scopes, reverse=True), *scopes])
    assert len(stored) <= Key.scopes.type.length


def test_each_role_may_all_that_the_lower_ones_may():
    """Every role has scopes, and only admins and owners have the one that manages."""
    roles = sorted(set(Role.values()) - {0})
    assert roles == sorted(BY_ROLE)
    for lower, higher in itertools.pairwise(roles):
        assert BY_ROLE[lower] <= BY_ROLE[higher]
    assert [SCOPE_ADMIN in BY_ROLE[role] for role in roles] == [False, False, True, True]
