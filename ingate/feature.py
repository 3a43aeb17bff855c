"""What a feature is to the process that runs it: one value, which `ingate.compose` adds up. Knows no feature."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import grpc.aio

from ingate.condition import Condition
from ingate.config import Settings
from ingate.db import Base, Database
from ingate.entitlements import RateLimits
from ingate.identity.changes import Changes
from ingate.identity.last_used import LastUsed
from ingate.net.addresses import AddressPolicy
from ingate.proxy.ports import Transport
from ingate.vault import Vault

Purge = Callable[[Database, str], Awaitable[None]]
"""Deletes what a feature keeps of an organisation, given its id; called again whenever there may be more."""
CheckMasterKey = Callable[[Database, bytes | None, str], Awaitable[None]]
"""Raises Unavailable where a master key, if there is one, does not open what a feature has sealed.

Its last argument says where that key is looked for.
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process has to build features from."""

    settings: Settings
    database: Database
    vault: Vault
    changes: Changes
    last_used: LastUsed
    rate_limits: RateLimits
    channel: grpc.aio.Channel
    """To every servicer of the process: how features reach one another."""
    as_gateway: tuple[tuple[str, str], ...]
    """The metadata that proves a gateway, for what gateways alone may call."""
    policy: AddressPolicy
    """Which addresses may be called."""
    transports: Mapping[bool, Transport]
    """How a provider is called, by whether it is the demo model."""
    condition: Condition
    purges: tuple[Callable[[str], Awaitable[None]], ...]
    """What deletes an organisation's rows in every feature, given its id."""
    closing: AsyncExitStack
    """Closes what a servicer opens, before the database closes."""

    def of(self, feature: "Feature") -> "Parts":
        """Returns the parts as a feature sees them: of the settings, those that it states."""
        own = SimpleNamespace(**{name: getattr(self.settings, name) for name in feature.settings})
        return replace(self, settings=cast("Settings", own))


@dataclass(frozen=True, slots=True)
class Job:
    """Work beside the requests. `run` is called anew when it dies, with the feature's parts and its servicers.

    A job that returns is over where it `may_end`, and has died where not.
    """

    name: str
    run: Callable[[Parts, Mapping[str, Any]], Coroutine[Any, Any, None]]
    may_end: bool = False


@dataclass(frozen=True, slots=True)
class Feature:
    """What a feature adds to a process: `servicers` by full service name, each built once.

    `tables` are its rows. Those of an organisation that no foreign key deletes with it are deleted by `purge`.
    `settings` are the names of all that it reads.
    """

    servicers: Mapping[str, Callable[[Parts], Any]] = field(default_factory=dict)
    jobs: tuple[Job, ...] = ()
    purge: Purge | None = None
    tables: tuple[type[Base], ...] = ()
    settings: frozenset[str] = frozenset()
    check_master_key: CheckMasterKey | None = None
