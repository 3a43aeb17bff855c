"""Every test here runs on both transports: what holds on a socket holds in process."""

from pathlib import Path

import pytest

from tests.support.transports import TRANSPORTS

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    # grpc.aio has one completion queue per process: events that arrive for a loop of an earlier test, closed by
    # now, raise and take later ones with them. So these tests share one loop.
    for item in items:
        if item.path.parent == _HERE:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(params=sorted(TRANSPORTS))
def connect(request):
    return TRANSPORTS[request.param]
