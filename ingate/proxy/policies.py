"""The policies of organisations: what all keys of each may reach, cached as `Snapshots` describes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from gen.ingate.gateway.v1.policy_pb2 import Policy as PolicyMessage
from gen.ingate.providers.v1.route_pb2 import Route as Provider
from ingate.errors import BadRequest
from ingate.net.addresses import AddressPolicy
from ingate.proxy.admission import Admission
from ingate.proxy.news import News
from ingate.proxy.ports import Timeouts, Transport
from ingate.proxy.snapshots import CAPACITY, Snapshots
from ingate.proxy.target import Target, compile_target

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """The providers that the keys of an organisation may reach, ready to be called.

    Policies have the same `fingerprint` if they are of one organisation and have the same providers.
    """

    org_id: str
    fingerprint: bytes
    targets: tuple[Target, ...]


class Policies:
    """Policies by organisation, and the targets of providers that settings define.

    `addresses` says which addresses may be called. `transports` has the network at False, the demo model at True.
    """

    def __init__(
        self,
        admission: Admission,
        news: News,
        transports: Mapping[bool, Transport],
        timeouts: Timeouts,
        *,
        ttl: float,
        addresses: AddressPolicy,
    ) -> None:
        self._admission = admission
        self._transports = transports
        self._timeouts = timeouts
        self._addresses = addresses
        self._snapshots = Snapshots(self._ask, news, ttl=ttl)
        news.tell(policies=self._snapshots.forget)
        self._fixed: dict[tuple[str, str], tuple[Target, ...]] = {}
        self.known = self._snapshots.known
        self.aclose = self._snapshots.aclose

    async def policy(self, org_id: str) -> Policy:
        """Returns the policy of an organisation. Raises Unavailable when the core does not answer."""
        found = await self._snapshots.get(org_id)
        assert found is not None  # every organisation has a policy, if an empty one
        return found

    def fixed(self, provider: Provider, org_id: str) -> tuple[Target, ...]:
        """Returns the target of a provider of an ingress, which gets an organisation's requests as they are.

        It is made once for each. Raises BadRequest where the provider's address may not be called.
        """
        known = self._fixed.get((org_id, provider.name))
        if known is not None:
            return known
        target = self._target(provider, org_id, verbatim=True)
        if len(self._fixed) >= CAPACITY:
            self._fixed.clear()  # those in use are compiled again at once
        targets = self._fixed[org_id, provider.name] = (target,)
        return targets

    def _target(self, provider: Provider, org_id: str, *, verbatim: bool = False) -> Target:
        return compile_target(
            provider, self._timeouts, self._addresses, self._transports, org=org_id, verbatim=verbatim
        )

    async def _ask(self, org_id: str, _strange: bool) -> Policy | str:
        found = await self._admission.policy(org_id)
        return self._compiled(found) if isinstance(found, PolicyMessage) else found

    def _compiled(self, message: PolicyMessage) -> Policy:
        targets = []
        fingerprint = hashlib.sha256(message.org_id.encode())
        for route in message.routes:
            fingerprint.update(route.SerializeToString(deterministic=True))
            try:
                targets.append(self._target(route, message.org_id))
            except BadRequest as error:
                log.warning("provider_unusable", org=message.org_id, provider=route.name, problem=error.message)
        return Policy(message.org_id, fingerprint.digest(), tuple(targets))
