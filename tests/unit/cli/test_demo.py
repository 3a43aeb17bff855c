"""The credentials that `--demo` prints work, whatever became of the file and the database since the last start."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import delete, func, select, update

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER
from ingate import clock, ids, migrate
from ingate.auth.passwords import Passwords
from ingate.cli import demo
from ingate.db import Database
from ingate.identity import founding, operator
from ingate.identity.tables import Key, Member, Org, User
from tests.support.embedded import make_embedded
from tests.support.installation import migrated


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request, tmp_path):
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{make_embedded(tmp_path)}"
        else:
            url = await stack.enter_async_context(migrated(request.getfixturevalue("postgres_server")))
        database = Database(url, pool_size=4)
        stack.push_async_callback(database.aclose)
        yield database


async def ensure(database, directory):
    return await demo.ensure(database, directory, "enterprise")


async def change(database, statement):
    async with database.write() as db:
        await db.execute(statement)


async def check(database, made):
    """Asserts that a key calls and a password signs in, by what the database says."""
    now = clock.now()
    async with database.read() as db:
        key = await db.scalar(select(Key).where(Key.secret_hash == ids.secret_hash(made.key)))
        owner = await db.scalar(select(User).where(User.email == made.email))
        org = await db.scalar(select(Org).where(Org.slug == demo.ORG))
    assert (key.org_id, key.role, owner.demo) == (org.id, ROLE_MEMBER, True)
    assert all(end is None or end > now for end in (key.revoked_at, key.expires_at))
    passwords = Passwords(urgent=True)
    assert await passwords.matches(owner.password_hash, made.password)
    passwords.close()


async def count(database, table):
    async with database.read() as db:
        return await db.scalar(select(func.count()).select_from(table))


async def test_what_works_stays(database, tmp_path):
    """From start to start, in a file that only its user may read."""
    first = await ensure(database, tmp_path)
    await check(database, first)
    assert await ensure(database, tmp_path) == first
    assert (tmp_path / demo.FILE).stat().st_mode & 0o777 == 0o600
    assert (await count(database, Key), await count(database, Org), await count(database, User)) == (1, 1, 1)


async def test_a_fresh_directory_on_an_old_database(database, tmp_path):
    """There are new credentials, and the key of the old directory goes on working."""
    (tmp_path / "old").mkdir()
    old = await ensure(database, tmp_path / "old")
    new = await ensure(database, tmp_path)
    assert (new.key != old.key, new.password != old.password) == (True, True)
    await check(database, new)
    again = await ensure(database, tmp_path / "old")
    assert again.key == old.key
    await check(database, again)


@pytest.mark.parametrize(
    ("values", "survives"),
    [
        ({"revoked_at": 1}, False),
        ({"expires_at": 1}, False),
        ({"secret_hash": b"x" * 32}, False),
        ({"revoked_at": clock.now() + clock.DAY}, True),
    ],
)
async def test_a_dead_key_is_replaced(database, tmp_path, values, survives):
    """Revoked, expired or unknown; one that works for a while longer is not. The password stays."""
    first = await ensure(database, tmp_path)
    await change(database, update(Key).values(**values))
    second = await ensure(database, tmp_path)
    await check(database, second)
    assert (second.key == first.key, second.password) == (survives, first.password)


async def test_a_password_that_was_changed_is_replaced(database, tmp_path):
    """The key stays."""
    first = await ensure(database, tmp_path)
    await change(database, update(User).values(password_hash="another"))
    second = await ensure(database, tmp_path)
    await check(database, second)
    assert (second.key, second.password != first.password) == (first.key, True)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]", b'{"email":"x","password":"y","key":"z"}'])
async def test_a_file_that_says_nothing_true_is_written_anew(database, tmp_path, text):
    """Whatever stands in it."""
    await ensure(database, tmp_path)
    (tmp_path / demo.FILE).write_bytes(text)
    made = await ensure(database, tmp_path)
    await check(database, made)
    assert await ensure(database, tmp_path) == made


async def test_a_database_that_was_emptied(database, tmp_path):
    """The file outlives it, and what it says is not believed."""
    first = await ensure(database, tmp_path)
    await migrate.downgrade(database, "base")
    await migrate.upgrade(database)
    second = await ensure(database, tmp_path)
    assert second.key != first.key
    await check(database, second)


async def test_an_organisation_that_was_deleted_comes_back(database, tmp_path):
    """With the owner that there is."""
    await ensure(database, tmp_path)
    await change(database, delete(Org))
    made = await ensure(database, tmp_path)
    await check(database, made)
    assert await count(database, User) == 1


async def test_an_organisation_of_that_name_that_is_somebody_elses(database, tmp_path):
    """No credential is made for it, and none is printed."""
    owner = founding.new_user("ada@a.example", "", "x")
    await operator.make_org(database, founding.new_org(demo.ORG, "", "free"), owner)
    assert await ensure(database, tmp_path) is None
    assert await count(database, Key) == 1
    said = demo.greeting(None, "http://h")
    assert "sk-ingate" not in said
    assert "belongs to somebody here" in said


async def test_an_owner_who_was_removed_gets_nothing(database, tmp_path):
    """Neither a key nor a password is made for whom the organisation does not belong to."""
    await ensure(database, tmp_path)
    await change(database, delete(Member))
    assert await ensure(database, tmp_path) is None


async def test_gateways_that_start_at_once_agree(database, tmp_path):
    """On one directory."""
    made = await asyncio.gather(*(ensure(database, tmp_path) for _ in range(4)))
    assert len({it.key for it in made}) == 1
    await check(database, made[0])
