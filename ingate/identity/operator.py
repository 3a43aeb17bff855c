"""The operator: the person who runs commands on the machine.

They act as an organisation's owner, by a short session, and make organisations whatever the setting `signup` says.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from gen.ingate.access.v1.access_pb2 import ROLE_OWNER
from ingate import clock, ids
from ingate.db import Database
from ingate.errors import Conflict, NotFound
from ingate.identity import audit, founding
from ingate.identity.emails import email_key
from ingate.identity.holder import role_word
from ingate.identity.tables import Member, Org, Session, User


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


async def make_org(database: Database, org: Org, owner: User) -> tuple[bool, str]:
    """Stores an organisation with its owner and a first key, in one transaction.

    An account that the owner's address has already is taken as it is; the example's owner is nobody else's account.
    Returns whether the account is new, and the key's secret. The installation's first organisation and its example are
    founding ones. Raises Conflict.
    """
    try:
        async with database.write() as db:
            await founding.one_at_a_time(db, database)
            org.founding = owner.demo or not await founding.inhabited(db)
            known = await db.scalar(select(User).where(User.email_key == email_key(owner.email)))
            person = owner if known is None or known.demo is not owner.demo else known
            await founding.found(db, org, person)
            secret = founding.first_key(db, org, person)
    except IntegrityError:
        raise Conflict("org_slug or email is taken") from None
    return person is owner, secret


async def add_member(database: Database, org_slug: str, user: User, role: int) -> bool:
    """Makes a person a member of an organisation; an account that the address has already is taken as it is.

    Returns whether the account is new. Raises NotFound for the organisation, Conflict for who is a member.
    """
    try:
        async with database.write() as db:
            org = await db.scalar(select(Org).where(Org.slug == org_slug))
            if org is None:
                raise NotFound(f"there is no organisation {org_slug}")
            known = await db.scalar(select(User).where(User.email_key == user.email_key))
            person = known or user
            if known is None:
                db.add(user)
                await db.flush()
            db.add(Member(org_id=org.id, user_id=person.id, role=role, created_at=clock.now()))
            audit.record(db, "user.add", person.id, org_id=org.id, actor_id=person.id, role=role_word(role))
    except IntegrityError:
        raise Conflict(f"{user.email} is a member of {org_slug} already") from None
    return known is None


async def reset_password(database: Database, email: str, password_hash: str) -> None:
    """Gives an account another password and ends its sessions. Raises NotFound."""
    async with database.write() as db:
        user = await db.scalar(select(User).where(User.email_key == email_key(email)))
        if user is None:
            raise NotFound(f"there is no account {email}")
        user.password_hash = password_hash
        await db.execute(delete(Session).where(Session.user_id == user.id))
