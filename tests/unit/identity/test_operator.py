import pytest
from sqlalchemy import func, select

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, ROLE_OWNER
from ingate import clock, ids
from ingate.db import Database
from ingate.errors import NotFound
from ingate.identity.operator import owner_session
from ingate.identity.tables import Member, Org, Session, User
from tests.support.embedded import make_embedded


@pytest.fixture
async def database(tmp_path):
    """A database with the organisation `acme`, its admin `ann` and its owner `bob`."""
    opened = Database(f"sqlite:///{make_embedded(tmp_path)}")
    async with opened.write() as db:
        db.add(Org(id="acme-id", slug="acme", name="Acme", plan="free", created_at=1))
        for number, name in enumerate(("ann", "bob")):
            fields = {"email": name, "email_key": name, "display_name": name, "password_hash": ""}
            db.add(User(id=name, created_at=number, **fields))
        await db.flush()
        db.add(Member(org_id="acme-id", user_id="ann", role=ROLE_ADMIN, created_at=1))
        db.add(Member(org_id="acme-id", user_id="bob", role=ROLE_OWNER, created_at=2))
    yield opened
    await opened.aclose()


async def test_the_operator_acts_as_an_owner_for_as_long_as_it_takes(database):
    """The session is there inside the block, stored as a hash, and gone afterwards, failure or not."""

    async def count():
        async with database.read() as db:
            return await db.scalar(select(func.count()).select_from(Session))

    async def act():
        async with owner_session(database, "acme") as token:
            async with database.read() as db:
                session = await db.scalar(select(Session))
            assert (session.user_id, session.org_id) == ("bob", "acme-id")
            assert session.token_hash == ids.secret_hash(token)
            assert session.expires_at - session.created_at == clock.MINUTE
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await act()
    assert await count() == 0


async def test_an_organisation_that_is_not_there_is_named(database):
    """The failure says which one was meant."""
    with pytest.raises(NotFound, match="nowhere"):
        async with owner_session(database, "nowhere"):
            raise AssertionError
