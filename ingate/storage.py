"""Where an installation keeps what it knows: the data directory and the database of its settings.

Knows no table and no version; opens, and says what is wrong in words for the operator.
"""

import asyncio
import errno
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog

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
        reason = error.strerror or error
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            who = f"for user {os.geteuid()}"
            raise Unavailable(f"the data directory {directory} is read-only {who}: {reason} (data_dir)") from None
        raise Unavailable(f"cannot use the data directory {directory}: {reason} (data_dir)") from None


@asynccontextmanager
async def open_database(settings: Settings, *, make: bool = True) -> AsyncIterator[Database]:
    """Yields the database of the settings, whatever version it is at.

    Raises Unavailable, saying where it was looked for and why it cannot be used; where it is a file that is not there,
    unless that is to be made.
    """
    url = settings.database_url or _embedded_url(settings, make=make)
    database = Database(url, pool_size=settings.database_pool)
    try:
        if not make and database.embedded:
            _require_file(database.where)
        await _reach(database)
        yield database
    finally:
        await database.aclose()


def _require_file(path: str) -> None:
    if not Path(path).exists():
        raise Unavailable(
            f"there is no database {path} yet: `ingate serve` makes it, or `ingate orgs create SLUG EMAIL` with a first"
            " organisation; one that is elsewhere is named with --data-dir or --database-url"
        )


def _embedded_url(settings: Settings, *, make: bool) -> str:
    if not make:
        return f"sqlite:///{Path(settings.data_dir).absolute() / EMBEDDED_FILE}"
    directory = data_dir(settings)
    with inside(directory):
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(errno.EROFS, "nothing can be written there")
    return f"sqlite:///{directory / EMBEDDED_FILE}"


async def _reach(database: Database) -> None:
    try:
        if database.embedded:
            _try_file(Path(database.where))
        async with asyncio.timeout(REACH_SECONDS), database.read():
            return
    except DomainError as error:
        problem = error.__cause__ or error
    except Exception as error:  # noqa: BLE001 -- drivers raise their own types for refused passwords and the like
        problem = error
    setting = "data_dir or database_url" if database.embedded else "database_url"
    raise Unavailable(f"cannot use the database {database.where}: {_reason(problem)} (check {setting})") from None


def _try_file(path: Path) -> None:
    """Opens the file of an embedded database, made private and if missing; raises OSError or sqlite3.Error."""
    _make_private(path)
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EROFS, "it is read-only")
    # The driver's thread outlives a failure to open the file, and then complains about it.
    sqlite3.connect(path).close()


def _reason(problem: BaseException) -> str:
    """Returns in a few words why a database cannot be used. Servers and systems quote no password in theirs."""
    original = getattr(problem, "orig", None)
    cause = problem if original is None else getattr(original, "__cause__", None) or original
    if isinstance(cause, TimeoutError):
        return f"no answer within {REACH_SECONDS:g} seconds"
    if isinstance(cause, OSError) and cause.errno and cause.strerror:
        return cause.strerror
    return str(cause).partition("\n")[0] or type(cause).__name__
