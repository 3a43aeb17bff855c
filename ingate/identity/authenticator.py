"""From a credential in call metadata to the principal who holds it. Knows the identity tables and no rpc."""

from sqlalchemy import ColumnElement, Select, select

from ingate import clock, ids, vendor_keys
from ingate.db import Database
from ingate.entitlements import RateLimits
from ingate.errors import Unauthenticated
from ingate.identity.last_used import LastUsed
from ingate.identity.scopes import unpack
from ingate.identity.tables import Key, Member, Org, Session
from ingate.rpc.interceptors.authenticate import credential
from ingate.rpc.principal import Principal

REFUSED = "the credential is unknown, expired or revoked"


class Authenticator:
    """Answers who a caller is, from the database, for every call anew: what is revoked is refused at once."""

    def __init__(self, database: Database, last_used: LastUsed, rate_limits: RateLimits) -> None:
        self._database = database
        self._last_used = last_used
        self._rate_limits = rate_limits

    async def authenticate(self, metadata: dict[str, str]) -> Principal:
        """Returns the principal of the session or key in the metadata. Raises Unauthenticated."""
        secret = credential(metadata) or ""
        if secret.startswith(ids.SESSION_PREFIX):
            return await self._session(secret)
        return await self._key(secret)

    async def _session(self, token: str) -> Principal:
        query = (
            select(Session, Member.role, Org.plan)
            .outerjoin(Member, (Member.user_id == Session.user_id) & (Member.org_id == Session.org_id))
            .outerjoin(Org, Org.id == Member.org_id)
            .where(Session.token_hash == ids.secret_hash(token), Session.expires_at > clock.now())
        )
        async with self._database.read() as db:
            row = (await db.execute(query)).one_or_none()
        if row is None:
            raise Unauthenticated(REFUSED)
        session, role, plan = row
        return Principal(
            kind="user",
            org_id=(session.org_id or "") if role else "",
            user_id=session.user_id,
            session_id=session.id,
            role=role or 0,
            plan=plan or "",
        )

    async def _key(self, secret: str) -> Principal:
        async with self._database.read() as db:
            row = (await db.execute(live_key(ids.secret_hash(secret)))).one_or_none()
        if row is None:
            raise Unauthenticated(vendor_keys.advice((secret,)) or REFUSED)
        key, plan = row
        self._last_used.touch(key.id)
        return Principal(
            kind="key",
            org_id=key.org_id,
            key_id=key.id,
            app_id=key.app_id or "",
            team_id=key.team_id or "",
            role=key.role,
            workspace=key.workspace,
            scopes=unpack(key.scopes),
            plan=plan,
            rate_limit=0 if key.unlimited else self._rate_limits.of(plan, key.rate_limit),
            hourly_limit=key.hourly_limit or 0,
        )


def live_key(secret_hash: bytes) -> Select[Key, str]:
    """Returns the query for the key with this hash and its plan, if it works at this moment."""
    return (
        select(Key, Org.plan)
        .join(Org, Org.id == Key.org_id)
        .where(
            Key.secret_hash == secret_hash,
            *working(),
        )
    )


def working() -> tuple[ColumnElement[bool], ...]:
    """Returns what holds for keys that work at this moment."""
    now = clock.now()
    return (
        Key.active.is_(True),
        Key.revoked_at.is_(None) | (Key.revoked_at > now),
        Key.expires_at.is_(None) | (Key.expires_at > now),
    )
