import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from ingate import migrate, migrations
from ingate.db import Database
from ingate.errors import Unavailable
from ingate.schema import metadata
from tests.support.postgres import create_database, drop_database


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/x.db"
        return
    server = request.getfixturevalue("postgres_server")
    made = await create_database(server)
    yield made
    await drop_database(server, made)


@pytest.fixture
async def database(url):
    database = Database(url)
    yield database
    await database.aclose()


async def look(database, question):
    """Returns what a function finds on a synchronous connection."""
    async with database.read() as session:
        return await (await session.connection()).run_sync(question)


async def tables(database):
    return set(await look(database, lambda connection: inspect(connection).get_table_names()))


def script():
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    return ScriptDirectory.from_config(config)


def test_the_code_needs_the_newest_version():
    """The number that a start compares is the head of the one chain."""
    assert script().get_heads() == [migrations.HEAD]
    assert len(script().get_bases()) == 1


async def test_a_migrated_database_is_what_the_tables_say(database):
    """Columns, types, constraints and indexes, without a difference either way."""
    await migrate.upgrade(database)

    def differences(connection):
        # Alembic takes an empty default on SQLite for another than itself.
        options = {"compare_type": True, "compare_server_default": not database.embedded}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert await look(database, differences) == []
    assert await tables(database) == {"alembic_version", *metadata.tables}
    assert await migrate.version(database) == migrations.HEAD


async def test_names_of_constraints_are_the_metadatas(database):
    """So that a later migration can refer to them on both databases."""
    await migrate.upgrade(database)

    def names(connection):
        inspector = inspect(connection)
        for table, made in metadata.tables.items():
            # SQLite cannot name a key whose numbers are never given out twice.
            unnamed = connection.dialect.name == "sqlite" and made.dialect_options["sqlite"]["autoincrement"]
            yield made.primary_key.name if unnamed else inspector.get_pk_constraint(table)["name"]
            yield from (key["name"] for key in inspector.get_foreign_keys(table))
            yield from (key["name"] for key in inspector.get_unique_constraints(table))

    found = await look(database, lambda connection: set(names(connection)))
    declared = {constraint.name for table in metadata.tables.values() for constraint in table.constraints}
    assert found == {str(name) for name in declared}


async def test_every_step_goes_back_and_forth(database):
    """Down to the empty database step by step, and up again."""
    await migrate.upgrade(database)
    before = await tables(database)
    steps = [revision.revision for revision in script().walk_revisions()]
    for target in [*steps[1:], "base"]:
        await migrate.downgrade(database, target)
        assert await migrate.version(database) == (None if target == "base" else target)
    assert await tables(database) == {"alembic_version"}
    for target in reversed(steps):
        await migrate.upgrade(database, target)
        assert await migrate.version(database) == target
    assert await tables(database) == before


ROWS = (
    "INSERT INTO orgs VALUES ('o', 'acme', 'Acme', 'free', 1)",
    "INSERT INTO users VALUES ('u', 'a@b.de', 'a@b.de', 'Ann', 'x', 1)",
    "INSERT INTO members VALUES ('o', 'u', 4, 1)",
    "INSERT INTO sessions (id, token_hash, user_id, org_id, created_at, expires_at) VALUES ('s', 't', 'u', 'o', 1, 2)",
    "INSERT INTO keys (id, org_id, name, secret_hash, role, scopes, created_at) VALUES ('k', 'o', 'n', 'h', 2, '1', 1)",
)


async def test_rows_survive_every_step(database):
    """What the first version held is there after each upgrade, and after each downgrade back to it."""
    first, *later = [revision.revision for revision in reversed(list(script().walk_revisions()))]
    await migrate.upgrade(database, first)
    async with database.write() as session:
        for row in ROWS:
            await session.execute(text(row))
    steps = [(migrate.upgrade, step) for step in later]
    steps += [(migrate.downgrade, step) for step in [first, *later][-2::-1]]
    for move, target in steps:
        await move(database, target)
        async with database.read() as session:
            for table in ("orgs", "users", "members", "sessions", "keys"):
                assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 1, (table, target)


async def test_the_earliest_organisation_is_the_founding_one(database):
    """Of those that were there before; who made one is known from its audit entry, where there is one."""
    await migrate.upgrade(database, "0002")
    async with database.write() as session:
        for number, made in (("b", 2), ("a", 1), ("c", 3)):
            await session.execute(text(f"INSERT INTO orgs VALUES ('{number}', '{number}', 'x', 'free', {made})"))
        await session.execute(
            text("INSERT INTO audit_entries VALUES ('e', 'b', 'ann', 'org.create', 'org', 'b', '{}', '', 2)")
        )
    await migrate.upgrade(database)
    async with database.read() as session:
        rows = (await session.execute(text("SELECT id, founding, created_by FROM orgs ORDER BY id"))).all()
    assert [(row[0], bool(row[1]), row[2]) for row in rows] == [
        ("a", True, None),
        ("b", False, "ann"),
        ("c", False, None),
    ]


async def test_of_concurrent_upgrades_one_works_and_the_others_wait(url):
    """As when several processes start at once; one more later changes nothing."""
    several = [Database(url) for _ in range(3)]
    try:
        await asyncio.gather(*(migrate.upgrade(database) for database in several))
        assert [await migrate.version(database) for database in several] == [migrations.HEAD] * 3
        await migrate.upgrade(several[0])
    finally:
        for database in several:
            await database.aclose()


async def test_what_is_needed_is_said_until_it_is_done(database):
    """A start on an empty or older database says which version it is at and what to run."""
    with pytest.raises(Unavailable, match=rf"version none, not {migrations.HEAD}: run `ingate migrate`"):
        await migrate.require(database)
    await migrate.upgrade(database, "0001")
    if migrations.HEAD != "0001":
        with pytest.raises(Unavailable, match="version 0001"):
            await migrate.require(database)
    await migrate.upgrade(database)
    await migrate.require(database)


async def test_a_database_of_a_newer_version_is_refused(database):
    """Neither used nor migrated, and left as it is."""
    await migrate.upgrade(database)
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="9999"):
        await migrate.require(database)
    with pytest.raises(Unavailable, match="9999"):
        await migrate.upgrade(database)
    assert await migrate.version(database) == "9999"


async def test_a_migration_that_fails_leaves_nothing(database):
    """All of it is one transaction, of tables too."""
    async with database.write() as session:
        await session.execute(text("CREATE TABLE users (id int)"))
    with pytest.raises(Exception, match="users"):
        await migrate.upgrade(database)
    assert await tables(database) <= {"users", "alembic_version"}
    assert await migrate.version(database) is None


async def test_a_database_that_is_away_is_not_an_empty_one():
    """Whoever cannot connect is not told to migrate."""
    database = Database("postgresql://u@127.0.0.1:1/d")
    with pytest.raises(Unavailable, match="does not answer"):
        await migrate.require(database)
    await database.aclose()
