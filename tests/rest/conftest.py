"""A facade on loopback over a stand-in core on loopback."""

import grpc
import httpx
import pytest

from rest_facade.app import Facade
from rest_facade.dialects.ingate import INGATE
from rest_facade.http1 import Limits
from rest_facade.transcoder import Calls
from tests.rest.raw import KEY
from tests.rest.stand_in import StandIn


@pytest.fixture
async def core():
    """A stand-in core, and its channel in `core.channel`."""
    stand_in = StandIn()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(stand_in.handlers())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stand_in.server = server
    stand_in.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    yield stand_in
    await stand_in.channel.close()
    await server.stop(0)


@pytest.fixture
async def serve(core):
    """Returns a function that starts a facade with other settings, drained after the test."""
    started = []

    async def start(dialects=(INGATE,), proxy=None, **options):
        facade = Facade(core.channel, dialects, proxy, **options)
        await facade.start("127.0.0.1", 0)
        started.append(facade)
        return facade

    yield start
    for facade in started:
        await facade.drain(1.0)


@pytest.fixture
async def facade(serve):
    """A facade of the Ingate dialect without a proxy, with small limits."""
    return await serve(
        calls=Calls(max_body=100_000, patience=1.0, timeout=20.0, gateway_token="gateway-secret"),
        limits=Limits(head_time=0.5, idle=5.0),
    )


@pytest.fixture
async def client(facade):
    """An HTTP client of that facade, with a credential.

    As for all clients of plain HTTP in tests, `verify` is off: loading certificates takes longer than most tests.
    """
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{facade.port}", timeout=10, headers=KEY, verify=False
    ) as client:
        yield client


@pytest.fixture
async def stranger(facade):
    """An HTTP client of that facade that shows no credential."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", timeout=10, verify=False) as client:
        yield client
