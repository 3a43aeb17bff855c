"""How an organisation comes to be: with its owner, in one transaction. Does not know who may sign up."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER, ROLE_OWNER
from ingate import clock, ids, key_formats
from ingate.db import Database
from ingate.errors import Conflict, Forbidden
from ingate.identity import audit, scopes
from ingate.identity.emails import email_key
from ingate.identity.tables import Key, Member, Org, User

MAX_ORGS = 20
"""Organisations that one person makes at most."""
MAX_NAME = 200
LOCK = 0x1A6A80


def new_org(slug: str, name: str, plan: str) -> Org:
    """Returns the row of a new organisation, not yet stored."""
    return Org(id=ids.uuid7(), slug=slug, name=name.strip() or slug, plan=plan, created_at=clock.now(), founding=False)


def new_user(email: str, display_name: str, password_hash: str) -> User:
    """Returns the row of a new account, not yet stored. Raises BadRequest for an address that cannot be kept."""
    return User(
        id=ids.uuid7(),
        email=email,
        email_key=email_key(email),
        display_name=display_name.strip() or email.partition("@")[0][:MAX_NAME],
        password_hash=password_hash,
        created_at=clock.now(),
        demo=False,
    )


async def inhabited(db: AsyncSession) -> bool:
    """Tells whether the installation has a person; the owner of its own example does not count."""
    return await db.scalar(select(User.id).where(User.demo.is_(False)).limit(1)) is not None


async def one_at_a_time(db: AsyncSession, database: Database) -> None:
    """Keeps others who call this waiting until the commit."""
    if not database.embedded:  # Which has one writer at a time.
        await db.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))


async def found(db: AsyncSession, org: Org, user: User, *, slug_field: str = "org_slug") -> None:
    """Adds an organisation with its owner to the transaction, and their account unless it is there.

    Raises Conflict naming the field that is taken; IntegrityError where another transaction takes it meanwhile.
    """
    if await db.scalar(select(Org.id).where(Org.slug == org.slug)):
        raise Conflict(f"{slug_field} {org.slug} is taken", fields={slug_field: "is taken"})
    if user not in db:
        if await db.scalar(select(User.id).where(User.email_key == user.email_key)):
            raise Conflict("email has an account already", fields={"email": "has an account already"})
        db.add(user)
    org.created_by = user.id
    db.add(org)
    await db.flush()
    db.add(Member(org_id=org.id, user_id=user.id, role=ROLE_OWNER, created_at=org.created_at))
    audit.record(db, "org.create", org.id, org_id=org.id, actor_id=user.id, slug=org.slug)


def first_key(db: AsyncSession, org: Org, user: User, name: str = "first key") -> str:
    """Adds a member's key to the transaction, and returns its secret."""
    secret = key_formats.new_secret()
    db.add(
        Key(
            id=ids.uuid7(),
            org_id=org.id,
            name=name,
            secret_hash=ids.secret_hash(secret),
            role=ROLE_MEMBER,
            scopes=scopes.pack(scopes.BY_ROLE[ROLE_MEMBER]),
            created_by=user.id,
            created_at=clock.now(),
            preview=key_formats.preview(secret),
        )
    )
    return secret


async def founder(db: AsyncSession, user_id: str) -> User:
    """Returns a person who may make one more organisation, and keeps them from making another until the commit.

    Raises Forbidden naming the bound.
    """
    user = await db.get_one(User, user_id, with_for_update={"key_share": True})
    made = await db.scalar(select(func.count()).select_from(Org).where(Org.created_by == user_id)) or 0
    if made >= MAX_ORGS:
        raise Forbidden(f"a person makes at most {MAX_ORGS} organisations", metadata={"limit": str(MAX_ORGS)})
    return user
