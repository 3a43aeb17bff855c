"""Files of an installation are their owner's alone."""

import os
import stat

import pytest
import structlog
from sqlalchemy import text

from ingate.config import Settings
from ingate.core import open_core
from ingate.storage import EMBEDDED_FILE, open_database
from ingate.vault import MASTER_KEY_FILE


@pytest.fixture
def careless():
    """A umask that keeps nobody out."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(directory):
    return {str(it.relative_to(directory)): stat.S_IMODE(it.stat().st_mode) for it in directory.rglob("*")}


async def test_files_are_private_whatever_the_umask(tmp_path, careless):
    """The database and what SQLite puts beside it, the journal, the master key; and their directories."""
    data = tmp_path / "data"
    async with open_core(Settings(data_dir=str(data))) as core:
        async with core.database.write() as session:
            await session.execute(text("CREATE TABLE t (n INTEGER)"))
        found = modes(data)
        assert {EMBEDDED_FILE, f"{EMBEDDED_FILE}-wal", f"{EMBEDDED_FILE}-shm", MASTER_KEY_FILE} <= found.keys()
        assert any(name.endswith(".journal") for name in found)
        assert found.pop("journal") == 0o700
        assert set(found.values()) == {0o600}
        assert stat.S_IMODE(data.stat().st_mode) == 0o700


async def test_files_of_older_versions_are_mended_at_the_start(tmp_path, careless):
    """A directory that others may enter is left as it is, and told of."""
    data = tmp_path / "data"
    (data / "journal").mkdir(parents=True)
    for name in ("journal/rejected.journal", EMBEDDED_FILE):
        (data / name).touch()
    async with open_core(Settings(data_dir=str(data))):
        pass
    for name in ("journal/rejected.journal", EMBEDDED_FILE, MASTER_KEY_FILE):
        (data / name).chmod(0o644)
    with structlog.testing.capture_logs() as lines:
        async with open_core(Settings(data_dir=str(data))):
            found = modes(data)
            del found["journal"]
            assert set(found.values()) == {0o600}
    assert stat.S_IMODE(data.stat().st_mode) == 0o777
    assert [it["event"] for it in lines if it["log_level"] == "warning"] == ["data_directory_open_to_others"]


async def test_a_database_elsewhere_is_private_too(tmp_path, careless):
    """Where a URL names its file."""
    async with open_database(Settings(database_url=f"sqlite:///{tmp_path}/mine.db")) as database:
        async with database.write() as session:
            await session.execute(text("CREATE TABLE t (n INTEGER)"))
        assert modes(tmp_path) == {"mine.db": 0o600, "mine.db-wal": 0o600, "mine.db-shm": 0o600}
