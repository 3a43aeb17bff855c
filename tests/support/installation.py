"""A fresh installation of chosen settings, on an embedded database in process or on PostgreSQL over a socket.

from tests.support.installation import install  # a fixture, for a module whose tests run on the session's loop

async def test_something(install):
    site = await install(signup="first")
"""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest_asyncio

from ingate.config import Settings
from ingate.core import open_core
from ingate.rpc import server as rpc_server
from ingate.rpc.connect import connect
from ingate.storage import open_database
from tests.support.embedded import make_embedded, migrate_to_newest
from tests.support.passwords import hash_cheaply
from tests.support.postgres import create_database, drop_database, ensure_template
from tests.support.tenancy import Site


@asynccontextmanager
async def migrated(server):
    """Yields the URL of a migrated database on a `PostgresServer`, which is dropped afterwards."""
    url = await create_database(server, await ensure_template(server, migrate_to_newest, "migrated"))
    try:
        yield url
    finally:
        await drop_database(server, url)


@pytest_asyncio.fixture(loop_scope="session", params=["sqlite", "postgres"])
async def install(request, tmp_path):
    """Returns a coroutine function that opens an installation, or opens the same one again, as a `Site`."""
    async with AsyncExitStack() as stack:
        url = ""
        if request.param == "postgres":
            url = await stack.enter_async_context(migrated(request.getfixturevalue("postgres_server")))
        else:
            make_embedded(tmp_path)

        async def opened(**settings):
            chosen = Settings(data_dir=str(tmp_path), database_url=url, database_pool=4, **settings)
            core = await stack.enter_async_context(open_core(chosen))
            hash_cheaply(core)
            if not url:
                return Site(core, core.channel)
            served = await rpc_server.start("127.0.0.1:0", core.servicers, interceptors=core.interceptors)
            stack.push_async_callback(served.stop, 0)
            return Site(core, await stack.enter_async_context(connect(served.target)))

        yield opened


def read(statement):
    """Returns what a statement selects in the installation of the directory that a command runs in."""

    async def scalars():
        async with open_database(Settings()) as database, database.read() as db:
            return (await db.scalars(statement)).all()

    return asyncio.run(scalars())
