import _sqlite3
import asyncio
import ctypes
import itertools
import sqlite3
import subprocess
import sys
import threading
import traceback
from contextlib import AsyncExitStack, closing
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from ingate import db
from ingate.db import Database
from ingate.errors import Conflict, StorageFull, Unavailable
from tests.support.small_disk import fill, small_disk

counters = itertools.count()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path}/x.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
async def database(url):
    database = Database(url, pool_size=4)
    yield database
    await database.aclose()


@pytest.fixture
async def table(database):
    """An empty table of two integers, which only this test uses."""
    table = Table(f"t{next(counters)}", MetaData(), Column("id", BigInteger, primary_key=True), Column("n", BigInteger))
    async with database.write() as session:
        await (await session.connection()).run_sync(table.metadata.create_all)
    return table


async def rows(database, table):
    async with database.read() as session:
        return (await session.execute(select(table).order_by(table.c.id))).all()


async def write(database, *statements, then=None):
    """Runs statements in one write, and raises an error at its end where one is given."""
    async with database.write() as session:
        for statement in statements:
            await session.execute(statement)
        if then is not None:
            raise then


async def test_a_write_that_ends_is_kept_and_one_that_raises_is_not(database, table):
    """The error comes out as it went in, and the next write works."""
    await write(database, insert(table).values(id=1, n=1))
    with pytest.raises(Conflict, match="no"):
        await write(database, update(table).values(n=2), then=Conflict("no"))
    with pytest.raises(IntegrityError):
        await write(database, insert(table).values(id=2, n=2), insert(table).values(id=1, n=2))
    await write(database, insert(table).values(id=3, n=3))
    assert await rows(database, table) == [(1, 1), (3, 3)]


async def test_a_write_that_is_cancelled_is_not_kept(database, table):
    """And holds up nobody after it."""
    inside = asyncio.Event()

    async def linger():
        async with database.write() as session:
            await session.execute(insert(table).values(id=1, n=1))
            inside.set()
            await asyncio.Event().wait()

    first = asyncio.create_task(linger())
    await inside.wait()
    second = asyncio.create_task(linger())
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert await rows(database, table) == []
    await write(database, insert(table).values(id=1, n=2))


async def test_readers_do_not_see_what_is_not_committed(database, table):
    """A write in progress holds up no reader."""
    async with database.write() as session:
        await session.execute(insert(table).values(id=1, n=1))
        assert await rows(database, table) == []
    assert await rows(database, table) == [(1, 1)]


async def test_what_a_read_gave_is_there_after_it(database):
    """A row or a number outlives its transaction."""
    async with database.read() as session:
        found = await session.scalar(text("SELECT 41 + 1"))
    assert found == 42


async def test_concurrent_writers_all_get_their_turn(url, table, database):
    """Forty writers that read and then write, through two pools as of two processes, lose no update and none fails."""
    async with database.write() as session:
        await session.execute(insert(table).values(id=1, n=0))
    other = Database(url, pool_size=4)

    async def add_one(through):
        async with through.write() as session:
            found = await session.scalar(select(table.c.n).where(table.c.id == 1).with_for_update())
            await asyncio.sleep(0)
            await session.execute(update(table).values(n=found + 1))

    try:
        await asyncio.gather(*(add_one(through) for _ in range(20) for through in (database, other)))
    finally:
        await other.aclose()
    assert await rows(database, table) == [(1, 40)]


async def test_more_readers_than_connections_wait(database, table):
    """They take turns, and no connection is left behind."""

    async def read():
        async with database.read() as session:
            await session.scalar(text("SELECT 1"))

    await asyncio.gather(*(read() for _ in range(40)))
    assert database.engine.pool.checkedout() == 0


async def test_an_embedded_database_is_tuned(tmp_path):
    """WAL, foreign keys, large pages, and a patience for other processes' writes, on every connection."""
    database = Database(f"sqlite:///{tmp_path}/x.db")
    async with database.read() as one, database.read() as other:
        for session in (one, other):
            found = [
                await session.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "foreign_keys", "busy_timeout", "page_size")
            ]
            assert found == ["wal", 1, db.BUSY_TIMEOUT_MS, db.PAGE_SIZE]
    await database.aclose()


def test_values_that_need_no_adapting_are_bound_as_they_are():
    """The driver finds what it looks for, instead of searching for it with every value."""
    given = (b"", b"\0bytes", True, False, None)
    with closing(sqlite3.connect(":memory:")) as connection:
        found = connection.execute("SELECT ?, ?, ?, ?, ?", given).fetchone()
    assert found == (b"", b"\0bytes", 1, 0, None)
    assert {type(value) for value in given} <= {kind for kind, _ in sqlite3.adapters}


async def test_a_file_keeps_the_pages_it_was_made_with(tmp_path):
    """What an older version made is read and written on."""
    with closing(sqlite3.connect(tmp_path / "x.db")) as made:
        made.executescript(
            "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1)"
        )
    database = Database(f"sqlite:///{tmp_path}/x.db")
    async with database.write() as session:
        await session.execute(text("INSERT INTO t VALUES (2)"))
    async with database.read() as session:
        assert await session.scalar(text("PRAGMA page_size")) == 4096
        assert await session.scalar(text("SELECT sum(n) FROM t")) == 3
    await database.aclose()


async def test_a_file_that_another_process_keeps_is_unavailable(tmp_path, monkeypatch):
    """Past the patience for it, whoever writes is told to come back; readers go on."""
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 50)
    ours, theirs = Database(f"sqlite:///{tmp_path}/x.db"), Database(f"sqlite:///{tmp_path}/x.db")
    async with theirs.write():
        with pytest.raises(Unavailable) as refused:
            async with ours.write():
                raise AssertionError("never gets here")
        assert refused.value.retry_after > 0
        async with ours.read() as session:
            assert await session.scalar(text("SELECT 1")) == 1
    async with ours.write():
        pass
    await ours.aclose()
    await theirs.aclose()


@pytest.mark.parametrize("url", ["sqlite:////no/such/directory/x.db", "postgresql://u:canary@127.0.0.1:1/d"])
async def test_a_database_that_is_not_there_is_unavailable(url):
    """To readers and writers, without its address."""
    database = Database(url)
    for transaction in (database.read, database.write):
        with pytest.raises(Unavailable) as refused:
            async with transaction():
                raise AssertionError("never gets here")
        assert "canary" not in refused.value.message
        assert "127" not in refused.value.message
    await database.aclose()
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            # The driver's thread outlives a failure to open the file, and would find the next test's loop closed.
            await asyncio.to_thread(thread.join, 10)


async def test_a_connection_that_breaks_is_unavailable_and_replaced(postgres_url):
    """In the middle of a transaction too; the next one has another."""
    database = Database(postgres_url)

    async def lose_it():
        killer = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
        async with database.write() as session:
            ours = await session.scalar(text("SELECT pg_backend_pid()"))
            await killer.execute("SELECT pg_terminate_backend($1)", ours)
            await killer.close()
            await session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await lose_it()
    async with database.read() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await database.aclose()


async def test_a_statement_that_is_wrong_is_not_unavailable(database):
    """It is our own fault, and stays what it is."""
    with pytest.raises(DBAPIError, match="nowhere"):
        await write(database, text("SELECT * FROM nowhere"))


async def test_an_error_does_not_repeat_the_values_of_its_statement(database):
    """Errors are logged; what callers said is not."""
    said = "x" * 40  # which lines of this file, in the traceback, do not spell out
    with pytest.raises(DBAPIError) as failed:
        async with database.write() as session:
            await session.execute(text("SELECT nothing_of_this_name(CAST(:said AS TEXT))"), {"said": said})
    assert "nothing_of_this_name" in str(failed.value)
    assert said not in "".join(traceback.format_exception(failed.value))


async def test_an_error_does_not_repeat_the_rows_it_is_about(database, table):
    """PostgreSQL would."""
    n = 10**15 // 7
    with pytest.raises(IntegrityError) as failed:
        async with database.write() as session:
            await session.execute(insert(table).values([{"id": n, "n": 1}, {"id": n, "n": 2}]))
    assert table.name in str(failed.value)
    assert str(n) not in "".join(traceback.format_exception(failed.value))


async def test_a_full_database_says_so_and_keeps_nothing_of_the_write(tmp_path):
    """What was there can still be read, and there is room again when there is."""
    database = Database(f"sqlite:///{tmp_path}/x.db", pool_size=1)
    await write(database, text("CREATE TABLE t (n BLOB)"), text("INSERT INTO t VALUES (1)"))
    async with database.write() as session:
        await session.execute(text("PRAGMA max_page_count = 4"))
    with pytest.raises(StorageFull, match="full") as full:
        await write(database, text("INSERT INTO t VALUES (2)"), text("INSERT INTO t VALUES (zeroblob(200000))"))
    assert str(tmp_path) not in full.value.message
    async with database.write() as session:
        assert (await session.execute(text("SELECT count(*) FROM t"))).scalar() == 1
        await session.execute(text("PRAGMA max_page_count = 1000"))
    await write(database, text("INSERT INTO t VALUES (zeroblob(200000))"))
    await database.aclose()


async def test_a_disk_that_is_full_is_a_full_database(tmp_path):
    """A real one, at the statement or at the commit; what fits again is written again."""
    with small_disk(tmp_path / "disk", 4) as disk:
        database = Database(f"sqlite:///{disk}/x.db", pool_size=1)
        await write(database, text("CREATE TABLE t (n BLOB)"))
        filler = fill(disk)
        with pytest.raises(StorageFull):
            await write(database, *[text("INSERT INTO t VALUES (zeroblob(100000))")] * 30)
        async with database.read() as session:
            assert await session.scalar(text("SELECT count(*) FROM t")) == 0
        filler.unlink()
        await write(database, text("INSERT INTO t VALUES (zeroblob(100000))"))
        await database.aclose()


WITHOUT_GROWTH = """
import asyncio, resource, sys
from sqlalchemy import text
from ingate.db import Database
from ingate.errors import Unavailable
async def main():
    database = Database(f"sqlite:///{sys.argv[1]}/x.db", pool_size=1)
    async with database.write() as session:
        await session.execute(text("CREATE TABLE t (n BLOB)"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        async with database.write() as session:
            await session.execute(text("INSERT INTO t VALUES (zeroblob(1000000))"))
    except Unavailable as error:
        assert "disk" in error.message, error.message
    else:
        raise AssertionError("was written")
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM t")) == 0
    await database.aclose()
asyncio.run(main())
"""


def test_a_file_that_may_not_grow_is_unavailable(tmp_path):
    """A limit of the system on the size of files."""
    subprocess.run([sys.executable, "-c", WITHOUT_GROWTH, str(tmp_path)], check=True, cwd=Path.cwd(), timeout=60)


async def test_a_database_that_is_read_only_is_unavailable(database, table):
    """Writers hear what is wrong; readers go on."""
    read_only = "PRAGMA query_only = ON" if database.embedded else "SET TRANSACTION READ ONLY"
    with pytest.raises(Unavailable, match="read-only") as refused:
        await write(database, text(read_only), insert(table).values(id=1, n=1))
    assert refused.value.retry_after > 0
    if database.embedded:
        async with database.read() as session:
            await session.execute(text("PRAGMA query_only = OFF"))
    assert await rows(database, table) == []


@pytest.mark.parametrize(
    ("state", "error"), [("53100", StorageFull), ("53300", Unavailable), ("53200", Unavailable), ("58030", Unavailable)]
)
async def test_what_postgresql_lacks_is_no_fault_of_ours(postgres_url, state, error):
    """Disk, connections, memory, or a disk that fails: told apart by their states."""
    database = Database(postgres_url)
    with pytest.raises(error):
        await write(database, text(f"DO $$ BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = '{state}'; END $$"))
    async with database.read() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await database.aclose()


def held_by_sqlite():
    """Returns the bytes that SQLite holds in this process."""
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_memory_used.restype = ctypes.c_int64
    return library.sqlite3_memory_used()


async def test_memory_for_large_values_is_given_back(tmp_path):
    """Statements keep the last values they were given, and connections the pages they have read."""
    database = Database(f"sqlite:///{tmp_path}/x.db")
    table = Table("large", MetaData(), Column("id", BigInteger, primary_key=True), Column("value", LargeBinary))
    async with database.write() as session:
        await (await session.connection()).run_sync(table.metadata.create_all)
    before = held_by_sqlite()
    large = bytes(2**21)

    async def store(number):
        async with database.write() as session:
            await session.execute(insert(table).values(id=number, value=large))

    async def read():
        async with database.read() as session:
            assert len((await session.execute(select(table))).all()) == 8

    async with AsyncExitStack() as reading:
        for number in range(8):
            await store(number)
            session = await reading.enter_async_context(database.read())
            await session.scalar(text("SELECT 1"))
    await asyncio.gather(*(read() for _ in range(8)))
    assert held_by_sqlite() - before > 2 * len(large)
    await database.shrink()
    assert held_by_sqlite() - before < 2 * len(large)
    await database.aclose()
    await database.shrink()  # does nothing
