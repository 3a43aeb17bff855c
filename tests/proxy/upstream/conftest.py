"""Every test of the upstream pool runs on asyncio's loop and on uvloop."""

import asyncio

import pytest
import uvloop

from ingate.proxy.upstream import UpstreamPool
from ingate.proxy.upstream.tls import client_context

# Loading the certificates of the system anew takes longer than most tests.
_CONTEXT = client_context()


def pytest_asyncio_loop_factories():
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def make_pool():
    """Makes pools that know no proxy, and closes them; none may be left with a connection.

    They share a TLS context; `ssl_context=None` has a pool make its own, as in a process.
    """
    pools = []

    def make(**options):
        pools.append(UpstreamPool(**{"environ": {}, "ssl_context": _CONTEXT} | options))
        return pools[-1]

    yield make
    for pool in pools:
        await pool.aclose()
        assert (pool.open, pool.idle, pool.in_use) == (0, 0, 0)


@pytest.fixture
def pool(make_pool):
    return make_pool()
