"""The database: one engine, two kinds of transaction, the same on SQLite and PostgreSQL.

Knows SQLAlchemy; knows no table. Every rpc opens exactly one transaction, by `read()` or `write()`.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from threading import Thread
from typing import Any
from weakref import WeakSet

from sqlalchemy import MetaData, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.util import await_only

from ingate import db_url
from ingate.db_session import LAST_SECONDS, PATIENCE, Session
from ingate.errors import DomainError, StorageFull, Unavailable

RETRY_SECONDS = 5
BUSY_TIMEOUT_MS = 10_000
_THREAD_SECONDS = 5.0
"""How long the thread of a closed connection to SQLite may take to end: a checkpoint, on a busy machine."""
PAGE_SIZE = 16_384
"""Bytes of a page of a new file. Exchanges fit in whole, which halves the file and the time that storing takes."""


_FULL = frozenset({sqlite3.SQLITE_FULL, "53100"})
"""Codes of SQLite and SQLSTATEs of PostgreSQL for a disk, or a file, that has no room."""
_AWAY = {
    sqlite3.SQLITE_READONLY: "the database cannot be written to: it is read-only",
    sqlite3.SQLITE_IOERR: "the disk of the database fails",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the file of the database is damaged",
    sqlite3.SQLITE_BUSY: "the database is busy",
    sqlite3.SQLITE_LOCKED: "the database is busy",
    "25006": "the database cannot be written to: it is read-only",
    "53000": "the database has no resources left",
    "53200": "the database has no memory left",
    "53300": "the database has no connections left",
    "58030": "the disk of the database fails",
}
"""What the database cannot help at the moment, by the same codes."""
_PRIMARY = 0xFF
"""SQLite says more in the bits above."""


# For a value of these types the driver searches, each time, for what converts it, and finds nothing: a quarter of what
# it takes to store an exchange. What it finds at once is a function of the interpreter that changes nothing.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(type(None), {None: None}.get)


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


class Database:
    """A pool of connections and the way to use one. `where` is the database as messages name it.

    Raises BadRequest for a URL of no database that can be used.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = url
        parsed = db_url.parse(url)
        self.where, self.embedded = parsed.where, parsed.embedded
        self._open = 0  # transactions
        self._idle: asyncio.Event | None = None  # once somebody waits for the last of them
        self._opened: WeakSet[Any] = WeakSet()  # connections to SQLite, as aiosqlite has them
        self._threads: WeakSet[Thread] = WeakSet()  # of these, one each: a thread outlives its connection a little
        if self.embedded:
            # The connection used last is the one that still has the pages, for as long as no other has written.
            self.engine = self._engine(parsed, pool_size=pool_size, pool_use_lifo=True)
            # One SQLite file has one writer. Waiting for it here is fair and costs no thread; inside SQLite it is
            # neither. It has its own connection, for statements keep the values that they were given last.
            self._writing: asyncio.Lock | None = asyncio.Lock()
            self._writer = self._engine(parsed, pool_size=1, max_overflow=0)
        else:
            self.engine = self._engine(parsed, pool_size=pool_size, pool_pre_ping=True, max_overflow=0)
            self._writing = None
            self._writer = self.engine
        writer = self._writer.execution_options(ingate_write=True)
        # A statement on a file runs in a thread, to its end in any case. A server is told to break one off.
        info = {PATIENCE: LAST_SECONDS if self.embedded else 0.0}
        self._readers = async_sessionmaker(
            self.engine, class_=Session, expire_on_commit=False, autoflush=False, info=info
        )
        self._writers = async_sessionmaker(writer, class_=Session, expire_on_commit=False, info=info)

    def _engine(self, parsed: db_url.DatabaseUrl, **options: Any) -> AsyncEngine:
        # Errors are logged, and the values of a statement are what callers said.
        engine = create_async_engine(parsed.url, hide_parameters=True, connect_args=dict(parsed.arguments), **options)
        event.listen(engine.sync_engine, "handle_error", _without_details)
        if self.embedded:
            _tune_sqlite(engine.sync_engine)
            event.listen(engine.sync_engine, "connect", self._connected)
        return engine

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Yields a session in a transaction that only reads.

        Raises Unavailable when the database does not answer or cannot read.
        """
        async with self._transaction(self._readers) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Yields a session in a transaction that commits when the block ends and rolls back when it raises.

        Raises Unavailable when the database does not answer, and then it may or may not have committed, or cannot
        write; StorageFull when its disk is full. Both undo all of it.
        """
        async with self._writing or nullcontext(), self._transaction(self._writers) as session:
            yield session

    async def aclose(self) -> None:
        """Closes every connection, and first waits a moment for those in use, whose users were cancelled.

        The threads of connections to a file answer to this loop, and are waited for as well.
        """
        if self._open:
            self._idle = asyncio.Event()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), LAST_SECONDS)
        await self.engine.dispose()
        await self._writer.dispose()
        for thread in tuple(self._threads):
            await asyncio.to_thread(thread.join, _THREAD_SECONDS)

    @asynccontextmanager
    async def _transaction(self, sessions: async_sessionmaker[Session]) -> AsyncIterator[AsyncSession]:
        """Yields a session in a transaction. A cancellation is raised once the connection is back in the pool."""
        session = sessions()
        self._open += 1
        try:
            try:
                await _connect(session)
                yield session
                await session.commit()
            finally:
                await session.close()
        except DBAPIError as error:
            told = _told(error)
            if told is None:
                raise
            raise told from error
        finally:
            self._open -= 1
            if not self._open and self._idle is not None:
                self._idle.set()

    async def shrink(self) -> None:
        """Frees what connections to SQLite keep of the file: up to 2 MiB each, for as long as they are open."""
        for connection in tuple(self._opened):
            with suppress(ValueError):  # it has been closed
                await connection.execute("PRAGMA shrink_memory")

    def _connected(self, connection: Any, _record: Any) -> None:
        self._opened.add(connection.driver_connection)
        self._threads.add(connection.driver_connection._thread)


async def _connect(session: AsyncSession) -> None:
    """Takes a connection now, where a failure can only mean that there is none to be had."""
    try:
        await session.connection()
    except (SQLAlchemyError, OSError) as error:
        told = _told(error) if isinstance(error, DBAPIError) else None
        raise told or Unavailable("the database does not answer", retry_after=RETRY_SECONDS) from error


def _told(error: DBAPIError) -> DomainError | None:
    """Returns what an error of the driver says of the database, None when it is about the statement."""
    original: Any = error.orig
    code = getattr(original, "sqlite_errorcode", None)
    code = getattr(original, "sqlstate", None) if code is None else code & _PRIMARY
    if code in _FULL:
        return StorageFull("the disk of the database is full: nothing can be stored")
    if (why := _AWAY.get(code)) is None and error.connection_invalidated:
        why = "the database went away"
    return Unavailable(why, retry_after=RETRY_SECONDS) if why else None


def _without_details(context: ExceptionContext) -> None:
    """Takes out of an error what PostgreSQL adds of the rows concerned, for errors are logged."""
    adapted = context.original_exception
    for error in (context.sqlalchemy_exception, adapted):
        if error is not None and error.args:
            error.args = (str(error.args[0]).partition("\nDETAIL:")[0], *error.args[1:])
    raised = adapted.__cause__
    if raised is not None and hasattr(raised, "detail"):
        raised.detail = None


def _insist(cursor: Any, statement: str) -> None:
    """Executes a statement for which SQLite does not wait: two switches of a new file to WAL exclude each other."""
    for left in reversed(range(100)):
        try:
            cursor.execute(statement)
        except sqlite3.OperationalError as error:
            if not left or error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY:
                raise
            await_only(asyncio.sleep(0.02))
        else:
            return


def _tune_sqlite(engine: Any) -> None:
    """Sets WAL, durability across process crashes, foreign keys, and explicit transactions."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            # First, for the switch to WAL needs the file to itself for a moment.
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            # Of no effect on a file that is there already.
            f"page_size = {PAGE_SIZE}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
        ):
            _insist(cursor, f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        # A writer takes the lock at once: upgrading a read transaction later can fail with SQLITE_BUSY.
        write = connection.get_execution_options().get("ingate_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
