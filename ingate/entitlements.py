"""Entitlements: what an organisation may use by its plan, and how much.

Proxying, recording, usage, keys and providers belong to every plan and are no feature. Knows neither organisations
nor where the numbers are overridden.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FREE = "free"
ENTERPRISE = "enterprise"

PROMPTS = "prompts"
EVALS = "evals"
DATASETS = "datasets"
PLAYGROUND = "playground"
RESPONSE_CACHING = "response_caching"
GUARDRAILS = "guardrails"
BUDGETS = "budgets"
WEBHOOKS = "webhooks"
AUDIT = "audit"
BYOS = "byos"
PII_REDACTION = "pii_redaction"

FEATURES = frozenset(
    {
        PROMPTS,
        EVALS,
        DATASETS,
        PLAYGROUND,
        RESPONSE_CACHING,
        GUARDRAILS,
        BUDGETS,
        WEBHOOKS,
        AUDIT,
        BYOS,
        PII_REDACTION,
    }
)
"""Every feature that a plan may have or lack, as `ingate.options.v1.Access.feature` names it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan."""

    name: str
    features: frozenset[str]


PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        FREE: Plan(FREE, frozenset()),
        ENTERPRISE: Plan(ENTERPRISE, FEATURES),
    }
)


def plan(name: str) -> Plan:
    """Returns the plan of that name; a name that nobody knows gets what the least plan has."""
    return PLANS.get(name, PLANS[FREE])


def features(name: str) -> frozenset[str]:
    """Returns the features of a plan."""
    return plan(name).features


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests a minute of keys that state no limit of their own, by plan."""

    free: int
    enterprise: int

    def of(self, plan_name: str, own: int | None) -> int:
        """Returns a key's limit: its own, else that of the plan."""
        return own or (self.enterprise if plan(plan_name).name == ENTERPRISE else self.free)
