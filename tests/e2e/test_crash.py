"""What callers were answered is on record: after a kill, behind a locked database, and when PostgreSQL was away."""

import asyncio
import os
import signal
import sqlite3
import time
from contextlib import asynccontextmanager, contextmanager

import httpx

from tests.support import proctree
from tests.support.outside import ask, client, command, recorded, settled, spawn
from tests.support.postgres import admin, create_database, shared_server
from tests.support.waiting import eventually

CONNECTIONS = 16
ANSWERED = 150
LONGEST_EXIT = 25.0


def journal_bytes(data_dir):
    """Returns the size of what waits in the journal."""
    return sum(path.stat().st_size for path in (data_dir / "journal").glob("*.journal"))


@contextmanager
def locked(database):
    """Holds an SQLite database's write lock, as a backup or a careless script does."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=10)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@asynccontextmanager
async def frozen(server):
    """Stops every process of a PostgreSQL server, which then answers nobody and refuses nobody."""
    members = list(proctree.tree(server.pid))
    for pid in members:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in members:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def refusing(server, url):
    """Ends every connection to a database and lets none in, as while it restarts."""
    name = url.rpartition("/")[2]
    async with admin(server) as connection:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        try:
            yield
        finally:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


async def hammer(spawned, done):
    """Calls on 16 connections, streamed and whole by turns, until the gateway dies; notes each answer that is whole."""

    async def caller(http):
        number = 0
        while True:
            number += 1
            try:
                done.add(await ask(http, stream=bool(number % 2)))
            except httpx.TransportError:
                return

    async with client(spawned) as http:
        await asyncio.gather(*(caller(http) for _ in range(CONNECTIONS)))


async def test_a_kill_loses_nothing_that_was_answered(tmp_path):
    """After SIGKILL under load and with a torn tail in the journal, each whole answer is on record, and once."""
    done = set()
    with spawn(tmp_path) as spawned:
        load = asyncio.create_task(hammer(spawned, done))
        await eventually(lambda: load.done() or len(done) >= ANSWERED, timeout=30)
        await asyncio.to_thread(spawned.child.kill)
        await load
    assert len(done) >= ANSWERED
    torn = max((tmp_path / "journal").glob("*.journal"))
    with torn.open("ab") as file:
        file.write(b"\xff\x00\x00\x00torn")

    with spawn(tmp_path) as again:
        async with client(again) as http:
            assert again.key == spawned.key
            await ask(http)
            await settled(http, done)
        assert [path.name for path in (tmp_path / "journal").glob("*.corrupt")] == [f"{torn.stem}.corrupt"]


async def test_a_locked_database_stops_no_call(tmp_path):
    """While another process holds the write lock for two seconds, calls are answered; afterwards all are on record."""
    with spawn(tmp_path) as spawned:
        async with client(spawned) as http:
            ids = [await ask(http)]
            await settled(http, ids)
            with locked(tmp_path / "ingate.db"):
                until = time.monotonic() + 2
                while time.monotonic() < until:
                    ids += await asyncio.gather(*(ask(http, stream=True) for _ in range(4)))
                assert len(await recorded(http)) == 1
            await settled(http, ids)


async def test_postgresql_away_stops_no_call(tmp_path):
    """Frozen or refusing connections, the database keeps no caller waiting; what happened meanwhile is on record."""
    with shared_server(tmp_path) as server:
        url = await create_database(server)
        assert command("migrate", "--database-url", url).wait(30) == 0
        data = tmp_path / "data"
        with spawn(data, "--database-url", url, "--grant-seconds", "300") as spawned:
            async with client(spawned) as http:
                ids = [await ask(http)]
                await settled(http, ids)
                for away in (frozen(server), refusing(server, url)):
                    async with away:
                        held = journal_bytes(data)
                        ids += [await ask(http, stream=bool(number % 2)) for number in range(50)]
                        assert journal_bytes(data) > held
                    await settled(http, ids)
                async with frozen(server):
                    ids.append(await ask(http))
                    spawned.child.signal(signal.SIGTERM)
                    assert await spawned.child.wait_exit(LONGEST_EXIT) == 0
        with spawn(data, "--database-url", url) as again:
            async with client(again) as http:
                await settled(http, ids)
