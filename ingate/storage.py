"""Where an installation keeps what it knows: the data directory and the database of its settings.

Knows no table and no version; opens, and says what is wrong in words for the operator.
"""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog
from sqlalchemy.engine import make_url

from ingate.config import Settings
from ingate.db import Database
from ingate.errors import DomainError, Unavailable
from ingate.vault import MASTER_KEY_FILE

EMBEDDED_FILE = "ingate.db"
REACH_SECONDS = 15.0
OTHERS = 0o077
"""Permissions of everybody but the owner."""

_log = structlog.get_logger(__name__)


def data_dir(settings: Settings) -> Path:
    """Returns the data directory, made with mode 0700 if missing. Raises Unavailable when that is not possible."""
    path = Path(settings.data_dir).absolute()
    with inside(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def keep_private(directory: Path) -> None:
    """Takes from others what they may do with the files of an installation, as older ones have left them.

    A directory that others may enter is told of, and left as its owner has made it.
    """
    for path in (directory / MASTER_KEY_FILE, *(directory / "journal").glob("*")):
        _close_to_others(path)
    if others_may(directory):
        _log.warning("data_directory_open_to_others", directory=str(directory))


def embedded_files(directory: Path) -> tuple[Path, ...]:
    """Returns the files of an embedded database in the data directory, whether they are there or not."""
    return _database_files(directory / EMBEDDED_FILE)


def others_may(path: Path) -> bool:
    """Tells whether anybody but its owner may do anything with a file or directory that is there."""
    return path.exists() and bool(path.stat().st_mode & OTHERS)


def _database_files(path: Path) -> tuple[Path, ...]:
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _make_private(path: Path) -> None:
    """Makes the file of an embedded database unless it exists, and takes from others what they may do with it.

    SQLite gives the files beside it the same mode, whatever the umask.
    """
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for file in _database_files(path):
        _close_to_others(file)


def _close_to_others(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and mode & OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("file_open_to_others", path=str(path), error=error.strerror)


@contextmanager
def inside(directory: Path) -> Iterator[None]:
    """Raises Unavailable, naming the data directory, for an OSError in the block."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"cannot use the data directory {directory}: {error.strerror or error}") from None


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Yields the database of the settings, whatever version it is at.

    Raises Unavailable, saying where it was looked for, when it does not answer.
    """
    url = settings.database_url or f"sqlite+aiosqlite:///{data_dir(settings) / EMBEDDED_FILE}"
    database = Database(url, pool_size=settings.database_pool)
    try:
        await _reach(database)
        yield database
    finally:
        await database.aclose()


async def _reach(database: Database) -> None:
    url = make_url(database.url)
    try:
        if database.embedded:
            path = Path(str(url.database))
            _make_private(path)
            # The driver's thread outlives a failure to open the file, and then complains about it.
            sqlite3.connect(path).close()
        async with asyncio.timeout(REACH_SECONDS), database.read():
            return
    except DomainError as error:
        problem = error.__cause__ or error
    except Exception as error:  # noqa: BLE001 -- drivers raise their own types for refused passwords and the like
        problem = error
    where = url.database if database.embedded else f"{url.database} at {url.host or 'localhost'}:{url.port or 5432}"
    reason = type(getattr(problem, "orig", None) or problem).__name__
    raise Unavailable(f"cannot use the database {where} ({reason}): check database_url, and that it is up") from None
