"""Brings a database to the schema this code needs. Knows Alembic, and loads it only when there is work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ingate.db import Database
from ingate.errors import Unavailable
from ingate.migrations import HEAD

LOCK = 0x1A6A7E


async def version(database: Database) -> str | None:
    """Returns the version that the database is at, None when it is empty."""
    try:
        async with database.read() as db:
            found: str | None = await db.scalar(text("SELECT version_num FROM alembic_version"))
            return found
    except DBAPIError:
        return None


async def require(database: Database) -> None:
    """Raises Unavailable, saying what to do, unless the database is at the version that this code needs."""
    found = await version(database)
    if found != HEAD:
        raise Unavailable(f"the database is at version {found or 'none'}, not {HEAD}: run `ingate migrate` first")


async def make_ready(database: Database) -> None:
    """Upgrades an embedded database where it is older. Raises Unavailable where another is not at the right version."""
    if not database.embedded:
        await require(database)
    elif await version(database) != HEAD:
        await upgrade(database)


async def upgrade(database: Database, target: str = "head") -> None:
    """Upgrades to a version, the newest by default, under a lock that a second migration waits for.

    Raises Unavailable when the database is at a version that this code does not know.
    """
    await _run(database, lambda config: _command().upgrade(config, target))


async def downgrade(database: Database, target: str) -> None:
    """Downgrades to a version; `base` empties the database."""
    await _run(database, lambda config: _command().downgrade(config, target))


def _command() -> Any:
    from alembic import command  # noqa: PLC0415 -- a start that needs no migration need not load it

    return command


async def _run(database: Database, step: Callable[[Any], None]) -> None:
    from alembic.config import Config  # noqa: PLC0415 -- see _command
    from alembic.util import CommandError  # noqa: PLC0415 -- the same

    def in_transaction(connection: Connection) -> None:
        if not database.embedded:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
        config.attributes["connection"] = connection
        step(config)

    try:
        async with database.write() as db:
            await (await db.connection()).run_sync(in_transaction)
    except CommandError as error:
        raise Unavailable(f"cannot migrate the database: {error}") from None
