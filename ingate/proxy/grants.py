"""What keys may do, as this process knows it: see `Snapshots`."""

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
    """What one key may do; what it may reach is its organisation's `Policy`.

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
        """Returns the grant of a key, by its hash, when the core need not be asked. Raises Unauthenticated."""
        grant = self._snapshots.known(digest)
        if grant is not None and grant.expires_at is not None and grant.expires_at <= clock.now():
            raise Unauthenticated(REFUSED)
        return grant

    async def grant(self, digest: bytes) -> Grant:
        """Returns the grant of a key, by its hash. Raises Unauthenticated, or Unavailable when the core cannot say."""
        grant = await self._snapshots.get(digest)
        if grant is None or (grant.expires_at is not None and grant.expires_at <= clock.now()):
            raise Unauthenticated(REFUSED)
        return grant

    async def _ask(self, digest: bytes, strange: bool) -> Grant | str | None:
        found = await self._admission.grant(digest, strange=strange)
        return compile_grant(found) if isinstance(found, GrantMessage) else found


def compile_grant(message: GrantMessage) -> Grant:
    """Returns the grant that the core has told."""
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
