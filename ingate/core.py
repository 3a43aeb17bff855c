"""The features of Ingate. A new one is a line here."""

from contextlib import AbstractAsyncContextManager

from ingate.audit.feature import FEATURE as AUDIT
from ingate.auth.feature import FEATURE as AUTH
from ingate.compose import Core, compose
from ingate.config import Settings
from ingate.exchanges.feature import FEATURE as EXCHANGES
from ingate.feature import Feature
from ingate.gateway.feature import FEATURE as GATEWAY
from ingate.identity.feature import FEATURE as IDENTITY
from ingate.keys.feature import FEATURE as KEYS
from ingate.orgs.feature import FEATURE as ORGS
from ingate.providers.feature import FEATURE as PROVIDERS
from ingate.system.feature import FEATURE as SYSTEM

__all__ = ["FEATURES", "Core", "open_core"]

FEATURES: tuple[Feature, ...] = (IDENTITY, AUDIT, AUTH, EXCHANGES, GATEWAY, KEYS, ORGS, PROVIDERS, SYSTEM)
"""Their jobs start in this order, and end in the opposite one."""


def open_core(settings: Settings) -> AbstractAsyncContextManager[Core]:
    """Returns the context of a running core with every feature: see `compose`."""
    return compose(settings, FEATURES)
