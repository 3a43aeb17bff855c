"""pytest-grpc's fixtures, asynchronous, over a real core: the same tests run on each transport and each database.

A test module names its stub by a fixture `grpc_stub_cls` and asks for `grpc_stub`. Its tests share one core for each
database and keep apart by organisation: `tenant` is a fresh one.
"""

from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio

from gen.ingate.exchanges.v1.record_service_pb2_grpc import RecordServiceStub
from ingate.config import Settings
from ingate.core import open_core
from ingate.rpc import server as rpc_server
from ingate.rpc.connect import connect
from ingate.rpc.services import services
from ingate.vault import MASTER_KEY_FILE
from rest_facade.app import Facade
from rest_facade.dialects.ingate import INGATE
from rest_facade.transcoder import Calls
from tests.support.embedded import make_embedded
from tests.support.installation import migrated
from tests.support.passwords import hash_cheaply
from tests.support.tenants import sign_up, via_gateway


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    # A core serves all tests of a module, so they share its loop; and one loop for all modules, since grpc.aio has
    # one completion queue per process, where an event for a loop that is closed by now takes later ones with it.
    for item in items:
        names = getattr(item, "fixturenames", ())
        if {"core", "migrated_postgres"}.intersection(names) and "_grpc_server" not in names:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session")
async def migrated_postgres(postgres_server):
    """The URL of a migrated database of this test's own."""
    async with migrated(postgres_server) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database_kind(request):
    return request.param


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def database_url(database_kind, request):
    """The URL of a migrated database, or "" for the embedded one, which is in the data directory."""
    if database_kind == "sqlite":
        yield ""
        return
    async with migrated(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture(scope="module")
def settings(request, database_url, tmp_path_factory):
    """The settings of the module's core; a module changes them by `core_settings`."""
    directory = str(tmp_path_factory.mktemp("core"))
    if not database_url:
        make_embedded(directory)
    plain = Settings(data_dir=directory, database_url=database_url, database_pool=4, signup="open")
    return msgspec.structs.replace(plain, **getattr(request.module, "core_settings", {}))


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def core(settings):
    async with open_core(settings) as opened:
        hash_cheaply(opened)
        yield opened


@pytest.fixture(scope="module")
def grpc_servicer(core):
    """The core's servicers by full service name."""
    return core.servicers


@pytest.fixture(scope="module")
def grpc_interceptors(core):
    return core.interceptors


@pytest.fixture(scope="module")
def grpc_add_to_server():
    """Adds servicers to any server that generated code knows."""

    def add(servicers, server):
        for name, servicer in servicers.items():
            services()[name].add_to_server(servicer, server)

    return add


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=["inprocess", "socket"])
async def grpc_channel(request, core, grpc_servicer, grpc_interceptors):
    """A channel to every servicer behind the interceptors."""
    if request.param == "inprocess":
        yield core.channel
        return
    server = await rpc_server.start("127.0.0.1:0", grpc_servicer, interceptors=grpc_interceptors, door=core.door)
    try:
        async with connect(server.target) as channel:
            yield channel
    finally:
        await server.stop(0)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def http(core, grpc_channel):
    """An HTTP client of the facade, which calls the services through the module's channel."""
    facade = Facade(grpc_channel, (INGATE,), None, calls=Calls(gateway_token=core.gateway_token))
    port = await facade.start("127.0.0.1", 0)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False, verify=False
    ) as client:
        yield client
    await facade.drain(1.0)


@pytest.fixture(scope="module")
def gateway(core):
    """The metadata of a gateway that speaks for nobody."""
    return (("x-ingate-gateway", core.gateway_token),)


@pytest.fixture(scope="module")
def recording(grpc_channel):
    """The stub by which gateways report exchanges."""
    return RecordServiceStub(grpc_channel)


@pytest.fixture
def via(core):
    """The metadata of a gateway that speaks for an address of this test's own."""
    return via_gateway(core.gateway_token)


@pytest_asyncio.fixture(loop_scope="session")
async def tenant(grpc_channel, core):
    """A fresh organisation."""
    return await sign_up(grpc_channel, core.gateway_token)


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(grpc_channel, core):
    """Another fresh organisation."""
    return await sign_up(grpc_channel, core.gateway_token)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def bystander(grpc_channel, core):
    """An organisation of the module's, for the many tests of calls that change nothing."""
    return await sign_up(grpc_channel, core.gateway_token)


@pytest_asyncio.fixture(loop_scope="session")
async def second_core(core, settings, tmp_path):
    """Another core on the same database with the same master key, and a data directory of its own."""
    url = settings.database_url or core.database.url
    shared = {"database_url": url, "master_key": (Path(settings.data_dir) / MASTER_KEY_FILE).read_text().strip()}
    async with open_core(msgspec.structs.replace(settings, data_dir=str(tmp_path), **shared)) as opened:
        yield opened
