import pytest

from ingate import entitlements
from ingate.rpc.services import rpcs


def test_the_free_plan_has_no_features_and_enterprise_has_all():
    """The table of plans is this simple today."""
    assert entitlements.features("free") == frozenset()
    assert entitlements.features("enterprise") == entitlements.FEATURES


def test_rate_limits():
    """A key's own number wins over that of its plan."""
    limits = entitlements.RateLimits(free=600, enterprise=60_000)
    assert limits.of("free", None) == 600
    assert limits.of("enterprise", None) == 60_000
    assert limits.of("enterprise", 7) == 7


@pytest.mark.parametrize("name", ["", "FREE", "platinum", "enterprise "])
def test_a_plan_that_nobody_knows_gets_the_least(name):
    """An unknown name opens nothing."""
    assert entitlements.plan(name) is entitlements.PLANS["free"]


def test_every_feature_that_an_rpc_asks_for_is_in_a_plan():
    """A feature that no plan can have would shut the rpc for everyone."""
    assert {rpc.access.feature for rpc in rpcs().values() if rpc.access.feature} <= entitlements.FEATURES
