"""Calls the stored providers of an installation, and its own, once each. Makes nothing and changes nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import select

from gen.ingate.providers.v1.provider_service_pb2 import TestProviderResponse
from ingate.config import Settings
from ingate.db import Database
from ingate.errors import BadRequest
from ingate.identity.tables import Org
from ingate.net import addresses
from ingate.providers import messages
from ingate.providers.demo import DemoTransport
from ingate.providers.probe import tried
from ingate.providers.shared import shared_routes
from ingate.providers.tables import Provider
from ingate.proxy.ports import Transport
from ingate.proxy.upstream import UpstreamPool
from ingate.vault import KEY_BYTES, Vault


@dataclass(frozen=True, slots=True)
class Trial:
    """How one call went. `org` is the slug of whose provider it is, empty for the installation's own."""

    org: str
    name: str
    ok: bool
    status_code: int | None = None
    latency_ms: float | None = None
    error: str | None = None

    @property
    def sentence(self) -> str:
        """What came of it, in words."""
        if not self.ok:
            return f"{self.name}: {self.error}"
        return f"{self.name} answered {self.status_code} in {self.latency_ms or 0:.0f} ms"


async def trials(
    settings: Settings, database: Database, key: bytes | None, *, org: str | None = None, name: str | None = None
) -> AsyncIterator[Trial]:
    """Yields how each provider answered: all, those of an organisation, or one of its providers."""
    listed = select(Provider, Org.slug).join(Org, Org.id == Provider.org_id).order_by(Org.slug, Provider.name)
    if org is not None:
        listed = listed.where(Org.slug == org)
    if name is not None:
        listed = listed.where(Provider.name == name)
    async with database.read() as db:
        rows = (await db.execute(listed)).all()
    policy = addresses.policy(settings.allow_private_upstreams, settings.ssrf_allowed_hosts, embedded=database.embedded)
    pool = UpstreamPool()
    transports: dict[bool, Transport] = {False: pool, True: DemoTransport()}
    vault = Vault(key or bytes(KEY_BYTES))
    try:
        for row, slug in rows:
            if row.sealed_key and key is None:
                yield Trial(slug, row.name, ok=False, error="its key cannot be opened: there is no master key")
                continue
            try:
                said = await tried(messages.route(row, vault), policy, transports, org=row.org_id)
            except BadRequest as error:
                yield Trial(slug, row.name, ok=False, error=error.message)
            else:
                yield _trial(slug, row.name, said)
        if org is None:
            for route in shared_routes(settings):
                try:
                    yield _trial("", route.name, await tried(route, policy, transports))
                except BadRequest as error:
                    yield Trial("", route.name, ok=False, error=error.message)
    finally:
        await pool.aclose()


def _trial(org: str, name: str, said: TestProviderResponse) -> Trial:
    status = said.status_code if said.HasField("status_code") else None
    return Trial(org, name, said.ok, status, said.latency_ms, said.error or None)
