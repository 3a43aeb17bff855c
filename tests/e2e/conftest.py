"""What tests of clients share."""

import pytest_asyncio

from tests.support.upstream import ScriptedUpstream


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def up():
    """Yields a provider that answers as its vendor does until a test scripts it otherwise."""
    async with ScriptedUpstream() as up:
        yield up
