"""Sessions: opened for people who proved who they are."""

from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.auth.v1 import session_pb2
from ingate import clock, ids
from ingate.identity import known
from ingate.identity.tables import Session
from ingate.rpc.principal import principal


async def open_session(
    db: AsyncSession, user_id: str, org_id: str | None, hours: int, place: str
) -> tuple[str, Session]:
    """Adds a session to the transaction, and returns its token and its row. The person is known at the place now."""
    token = ids.new_session_token()
    now = clock.now()
    session = Session(
        id=ids.uuid7(),
        token_hash=ids.secret_hash(token),
        user_id=user_id,
        org_id=org_id,
        address=principal().address,
        created_at=now,
        expires_at=now + hours * clock.HOUR,
    )
    db.add(session)
    await known.remember(db, user_id, place)
    return token, session


def message(row: Session) -> session_pb2.Session:
    """Returns the message for a session, as the caller's own session sees it."""
    return session_pb2.Session(
        id=row.id,
        org_id=row.org_id,
        ip_address=row.address,
        created_at=clock.to_proto(row.created_at),
        expires_at=clock.to_proto(row.expires_at),
        current=row.id == principal().session_id,
    )
