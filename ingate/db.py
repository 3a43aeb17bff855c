"""The database: one engine, two kinds of transaction, the same on SQLite and PostgreSQL.

Knows SQLAlchemy; knows no table. Every rpc opens exactly one transaction, by `read()` or `write()`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

BUSY_TIMEOUT_MS = 10_000


class Base(DeclarativeBase):
    """The parent of every table, with names for constraints so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def normalise_url(url: str) -> str:
    """Returns the URL with the driver this project uses: plain `postgresql://` means asyncpg, `sqlite://` aiosqlite."""
    parsed = make_url(url)
    driver = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
    return parsed.set(drivername=driver.get(parsed.drivername, parsed.drivername)).render_as_string(hide_password=False)


class Database:
    """A pool of connections and the way to use one."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = normalise_url(url)
        self.embedded = self.url.startswith("sqlite")
        # One SQLite file has one writer. Waiting for it here is fair and costs no thread; inside SQLite it is neither.
        self._writing = asyncio.Lock() if self.embedded else None
        options: dict[str, Any] = {} if self.embedded else {"pool_pre_ping": True, "max_overflow": 0}
        self.engine = create_async_engine(self.url, pool_size=pool_size, **options)
        if self.embedded:
            _tune_sqlite(self.engine.sync_engine)
        writer = self.engine.execution_options(ingate_write=True)
        self._readers = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._writers = async_sessionmaker(writer, expire_on_commit=False)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Yields a session in a transaction that only reads."""
        async with self._readers() as session, session.begin():
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Yields a session in a transaction that commits when the block ends and rolls back when it raises."""
        async with self._writing or nullcontext(), self._writers() as session, session.begin():
            yield session

    async def aclose(self) -> None:
        """Closes every connection."""
        await self.engine.dispose()


def _tune_sqlite(engine: Any) -> None:
    """Sets WAL, durability across process crashes, foreign keys, and explicit transactions."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        # A writer takes the lock at once: upgrading a read transaction later can fail with SQLITE_BUSY.
        write = connection.get_execution_options().get("ingate_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
