"""The operator: whoever runs commands on the machine acts as an organisation's owner, by a short session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import delete, select

from gen.ingate.access.v1.access_pb2 import ROLE_OWNER
from ingate import clock, ids
from ingate.db import Database
from ingate.errors import NotFound
from ingate.identity.tables import Member, Org, Session


@asynccontextmanager
async def owner_session(database: Database, org_slug: str) -> AsyncIterator[str]:
    """Yields the token of a session that ends with the block, or in a minute. Raises NotFound."""
    owner = (
        select(Member)
        .join(Org, Org.id == Member.org_id)
        .where(Org.slug == org_slug, Member.role == ROLE_OWNER)
        .order_by(Member.created_at)
        .limit(1)
    )
    token = ids.new_session_token()
    now = clock.now()
    async with database.write() as db:
        member = await db.scalar(owner)
        if member is None:
            raise NotFound(f"there is no organisation {org_slug}")
        session = Session(
            id=ids.uuid7(),
            token_hash=ids.secret_hash(token),
            user_id=member.user_id,
            org_id=member.org_id,
            created_at=now,
            expires_at=now + clock.MINUTE,
        )
        db.add(session)
    try:
        yield token
    finally:
        async with database.write() as db:
            await db.execute(delete(Session).where(Session.id == session.id))
