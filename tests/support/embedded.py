"""Embedded databases for tests that are not about how they come to be: copies of one, migrated once in a checkout."""

import shutil
from pathlib import Path

from ingate import migrate, migrations
from ingate.db import Database
from ingate.storage import EMBEDDED_FILE
from tests.support.builds import built
from tests.support.postgres import run_sync


async def migrate_to_newest(url):
    """Brings the database of a URL to the newest version and closes it."""
    database = Database(url)
    try:
        await migrate.upgrade(database)
    finally:
        await database.aclose()


def make_embedded(data_dir):
    """Writes a database of the newest version where a process with that data directory looks, and returns its path.

    The directory is made if missing.
    """
    path = Path(data_dir) / EMBEDDED_FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return shutil.copyfile(built("embedded", _versions(), _build) / EMBEDDED_FILE, path)


def _versions():
    return sorted(Path(migrations.__file__).parent.rglob("*.py"))


def _build(directory):
    path = directory / EMBEDDED_FILE
    path.unlink(missing_ok=True)
    run_sync(migrate_to_newest(f"sqlite:///{path}"))
