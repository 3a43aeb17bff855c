"""Where an installation keeps what it knows: the data directory and the database of its settings.

Knows no table and no version; opens, and says what is wrong in words for the operator.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from ingate.config import Settings
from ingate.db import Database
from ingate.errors import DomainError, Unavailable

EMBEDDED_FILE = "ingate.db"
REACH_SECONDS = 15.0


def data_dir(settings: Settings) -> Path:
    """Returns the data directory, made with mode 0700 if missing. Raises Unavailable when that is not possible."""
    path = Path(settings.data_dir).absolute()
    with inside(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


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
            # The driver's thread outlives a failure to open the file, and then complains about it.
            sqlite3.connect(str(url.database)).close()
        async with asyncio.timeout(REACH_SECONDS), database.read():
            return
    except DomainError as error:
        problem = error.__cause__ or error
    except Exception as error:  # noqa: BLE001 -- drivers raise their own types for refused passwords and the like
        problem = error
    where = url.database if database.embedded else f"{url.database} at {url.host or 'localhost'}:{url.port or 5432}"
    reason = type(getattr(problem, "orig", None) or problem).__name__
    raise Unavailable(f"cannot use the database {where} ({reason}): check database_url, and that it is up") from None
