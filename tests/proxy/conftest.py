"""What engine tests share."""

import pytest
import pytest_asyncio

from tests.support.taken import answers_taken
from tests.support.upstream import ScriptedUpstream


@pytest_asyncio.fixture(loop_scope="module")
async def up():
    """Yields a provider that answers as its vendor does until a test scripts it otherwise."""
    async with ScriptedUpstream() as up:
        yield up


@pytest.fixture
def taken():
    """Counts what the engine reads of answers, of connections that begin in the test."""
    with answers_taken() as count:
        yield count
