"""Whoever is cancelled in the middle of a transaction leaves no trace: no row, no connection, no task, no log line."""

import asyncio
import gc
import logging
import random
import threading
import time

import pytest
from sqlalchemy import text

from ingate.db import Database
from tests.support.waiting import eventually

ROUNDS, WRITERS, ROWS = 15, 6, 3


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path}/x.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
async def database(url):
    database = Database(url, pool_size=3)
    async with database.write() as session:
        await session.execute(text("DROP TABLE IF EXISTS cancelled"))
        await session.execute(text("CREATE TABLE cancelled (writer BIGINT, n BIGINT)"))
    yield database
    await database.aclose()


async def write(database, writer):
    async with database.write() as session:
        for n in range(ROWS):
            await session.execute(text("INSERT INTO cancelled VALUES (:writer, :n)"), {"writer": writer, "n": n})


def workers():
    """Returns the threads of connections to files."""
    return [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]


async def others():
    """Tells whether no task but the test's own is left."""
    return asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("times", [1, 3])
async def test_writers_that_are_cancelled_under_load(database, caplog, times):
    """At any moment, once or several times: all of a write is there or nothing, and the pool is as it was."""
    chance = random.Random(times)
    pool = database._writer.pool
    done = set()
    with caplog.at_level(logging.WARNING, "sqlalchemy"), caplog.at_level(logging.WARNING, "asyncio"):
        for turn in range(ROUNDS):
            writers = {turn * WRITERS + n: None for n in range(WRITERS)}
            for writer in writers:
                writers[writer] = asyncio.create_task(write(database, writer))
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            for task in chance.sample(list(writers.values()), WRITERS - 1):
                for _ in range(times):
                    task.cancel()
                    await asyncio.sleep(0)
            ended = await asyncio.gather(*writers.values(), return_exceptions=True)
            assert [it for it in ended if it is not None and not isinstance(it, asyncio.CancelledError)] == []
            done |= {writer for writer, it in zip(writers, ended, strict=True) if it is None}
            assert pool.checkedout() == 0
        await eventually(others)
        gc.collect()
    assert caplog.records == []
    async with database.read() as session:
        found = (await session.execute(text("SELECT writer, count(*) FROM cancelled GROUP BY writer"))).all()
    assert {count for _, count in found} == {ROWS}
    assert done <= {writer for writer, _ in found}


async def test_a_connection_is_used_on_after_a_cancellation(tmp_path):
    """That of a file, whose statements end in any case: it is the same one, clean."""
    database = Database(f"sqlite:///{tmp_path}/x.db", pool_size=1)
    async with database.write() as session:
        await session.execute(text("CREATE TABLE cancelled (writer BIGINT, n BIGINT)"))
        before = (await session.connection()).sync_connection.connection.driver_connection
    writing = asyncio.create_task(write(database, 1))
    await eventually(lambda: database._writer.pool.checkedout() == 1)
    writing.cancel()
    await asyncio.wait({writing})
    assert writing.cancelled()
    async with database.write() as session:
        assert (await session.connection()).sync_connection.connection.driver_connection is before
        assert await session.scalar(text("SELECT count(*) FROM cancelled")) == 0
    await database.aclose()


async def test_a_statement_on_a_server_is_broken_off(postgres_url):
    """Nobody waits for the end of a long one that has nobody left to read it."""
    database = Database(postgres_url, pool_size=1)
    sleeping = asyncio.Event()

    async def sleep():
        async with database.read() as session:
            await session.execute(text("SELECT 1"))
            sleeping.set()
            await session.execute(text("SELECT pg_sleep(600)"))

    task = asyncio.create_task(sleep())
    await sleeping.wait()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=60)
    assert task.cancelled()
    async with database.read() as session:
        left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = 'active'"
        assert await session.scalar(text(left)) == 0
    await database.aclose()


async def test_what_is_closed_has_no_thread_left(tmp_path):
    """Not even that of a connection whose user was cancelled in the moment of the end."""
    database = Database(f"sqlite:///{tmp_path}/x.db", pool_size=3)
    async with database.write() as session:
        await session.execute(text("CREATE TABLE cancelled (writer BIGINT, n BIGINT)"))
    slow = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000) SELECT count(*) FROM c"

    async def read():
        async with database.read() as session:
            await session.execute(text(slow))

    readers = [asyncio.create_task(read()) for _ in range(3)]
    await eventually(lambda: database.engine.pool.checkedout() == 3)
    for reader in readers:
        reader.cancel()
    await database.aclose()
    assert workers() == []
    await asyncio.gather(*readers, return_exceptions=True)


async def test_the_threads_of_closed_connections_are_waited_for(tmp_path, monkeypatch):
    """However long the last of their work takes that nobody hears of, for they answer to this loop."""
    monkeypatch.setattr("aiosqlite.core.LOG.debug", lambda said, *_: time.sleep(0.02 * said.startswith("operation")))
    database = Database(f"sqlite:///{tmp_path}/x.db", pool_size=3)
    async with database.read() as one, database.read() as other:
        for session in (one, other):
            await session.scalar(text("SELECT 1"))
    await database.aclose()
    assert workers() == []
