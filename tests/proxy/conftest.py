"""What engine tests share."""

import pytest_asyncio

from tests.support.upstream import ScriptedUpstream


@pytest_asyncio.fixture(loop_scope="module")
async def up():
    """Yields a provider that answers as its vendor does until a test scripts it otherwise."""
    async with ScriptedUpstream() as up:
        yield up
