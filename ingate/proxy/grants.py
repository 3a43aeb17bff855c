"""The grants of keys: what each may do, cached as `Snapshots` describes."""

from dataclasses import dataclass

from gen.ingate.access.v1.access_pb2 import SCOPE_PROXY
from gen.ingate.gateway.v1.grant_pb2 import Grant as GrantMessage
from ingate import clock
from ingate.errors import Unauthenticated
from ingate.proxy.admission import Admission
from ingate.proxy.news import News
from ingate.proxy.snapshots import Snapshots

REFUSED = "the key is missing, unknown, expired or revoked"


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights of one key. The providers that it may reach are in its organisation's `Policy`.

    The limits are requests a minute and an hour, 0 for none.
    """

    org_id: str
    key_id: str
    may_proxy: bool
    rate_limit: int
    expires_at: int | None
    app_id: str = ""
    team_id: str = ""
    hourly_limit: int = 0


class Grants:
    """Grants by the hash of a key's secret."""

    def __init__(self, admission: Admission, news: News, *, ttl: float) -> None:
        self._admission = admission
        self._snapshots = Snapshots(self._ask, news, ttl=ttl)
        news.tell(keys=self._snapshots.forget)
        self.aclose = self._snapshots.aclose

    def known(self, digest: bytes) -> Grant | None:
        """Returns the cached grant of a key, by its hash, None where the core must be asked. Raises Unauthenticated."""
        grant = self._snapshots.known(digest)
        if grant is not None and grant.expires_at is not None and grant.expires_at <= clock.now():
            raise Unauthenticated(REFUSED)
        return grant

    async def grant(self, digest: bytes) -> Grant:
        """Returns the grant of a key, by its hash. Raises Unauthenticated, and Unavailable where the core is silent."""
        grant = await self._snapshots.get(digest)
        if grant is None or (grant.expires_at is not None and grant.expires_at <= clock.now()):
            raise Unauthenticated(REFUSED)
        return grant

    async def _ask(self, digest: bytes, strange: bool) -> Grant | str | None:
        found = await self._admission.grant(digest, strange=strange)
        return compile_grant(found) if isinstance(found, GrantMessage) else found


def compile_grant(message: GrantMessage) -> Grant:
    """Returns the grant of a message of the core."""
    return Grant(
        org_id=message.org_id,
        key_id=message.key_id,
        may_proxy=SCOPE_PROXY in message.scopes,
        rate_limit=message.rate_limit_per_minute,
        expires_at=clock.from_proto(message.expires_at) if message.HasField("expires_at") else None,
        app_id=message.app_id,
        team_id=message.team_id,
        hourly_limit=message.rate_limit_per_hour,
    )
