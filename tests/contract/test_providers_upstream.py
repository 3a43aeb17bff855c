import asyncio

import pytest
from grpc import StatusCode
from sqlalchemy import update

from gen.ingate.providers.v1 import provider_pb2
from gen.ingate.providers.v1 import provider_service_pb2 as pb
from gen.ingate.providers.v1.provider_service_pb2_grpc import ProviderServiceStub
from gen.ingate.providers.v1.route_service_pb2 import ListRoutesRequest
from gen.ingate.providers.v1.route_service_pb2_grpc import RouteServiceStub
from ingate.providers.messages import context
from ingate.providers.tables import Provider
from ingate.proxy.upstream import dial as dialling
from ingate.vault import KEY_BYTES, Vault
from tests.support.ports import free_port
from tests.support.tenants import refusal
from tests.support.upstream import ScriptedUpstream, accept_only, garbage, stall, status
from tests.support.waiting import PATIENCE

core_settings = {
    "allow_private_upstreams": "yes",
    "demo": True,
    "openai_api_key": "sk-shared-openai",
    "shared_providers": "all",
    "ollama_host": "ollama.internal:11434",
}

OPENAI, DEMO = provider_pb2.PROVIDER_TYPE_OPENAI, provider_pb2.PROVIDER_TYPE_DEMO
GEMINI, HTTP = provider_pb2.PROVIDER_TYPE_GEMINI, provider_pb2.PROVIDER_TYPE_HTTP
OLLAMA = provider_pb2.PROVIDER_TYPE_OLLAMA
SECRET = "sk-canary-77aa01"


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return ProviderServiceStub


async def create(stub, tenant, name="main", **fields):
    request = pb.CreateProviderRequest(name=name, **{"type": OPENAI} | fields)
    return (await stub.CreateProvider(request, metadata=tenant.owner)).provider


async def try_out(stub, tenant, name="main"):
    return await stub.TestProvider(pb.TestProviderRequest(name=name), metadata=tenant.owner)


def ask_routes(tenant, metadata):
    return RouteServiceStub(tenant.channel).ListRoutes(ListRoutesRequest(org_id=tenant.org_id), metadata=metadata)


async def routes(tenant, gateway):
    answer = await ask_routes(tenant, gateway)
    return {route.name: route for route in answer.routes}


@pytest.mark.parametrize(
    ("kind", "path", "credential"),
    [
        (OPENAI, "/eu/models", ("authorization", f"Bearer {SECRET}")),
        (GEMINI, "/eu/v1beta/models", ("x-goog-api-key", SECRET)),
        (OLLAMA, "/eu/api/tags", None),
        (HTTP, "/eu/", ("authorization", f"Bearer {SECRET}")),
    ],
)
async def test_a_try_asks_for_the_models_with_the_key(grpc_stub, tenant, kind, path, credential):
    """One GET under the base URL's prefix, with the credential where the type puts it, and the answer's status."""
    async with ScriptedUpstream() as up:
        up.enqueue(status(200, body=b'{"data":[]}'))
        await create(grpc_stub, tenant, type=kind, base_url=f"{up.url}/eu/", api_key=SECRET, headers={"X-Team": "b"})
        tried = await try_out(grpc_stub, tenant)
        [request] = up.requests
    assert (tried.ok, tried.status_code, tried.HasField("error")) == (True, 200, False)
    assert 0 < tried.latency_ms < 10_000
    assert (request.method, request.path, request.header("x-team")) == (b"GET", path, b"b")
    sent = [(name.decode(), value.decode()) for name, value in request.headers if SECRET.encode() in value]
    assert sent == ([credential] if credential else [])


@pytest.mark.parametrize(
    ("code", "ok"), [(204, True), (401, False), (403, False), (404, False), (429, False), (503, False)]
)
async def test_a_try_judges_the_status(grpc_stub, bystander, code, ok):
    """A refusal of the credential and a failure of the provider are said in words without the key."""
    name = f"s{code}"
    async with ScriptedUpstream() as up:
        up.enqueue(status(code))
        await create(grpc_stub, bystander, name, base_url=up.url, api_key=SECRET)
        tried = await try_out(grpc_stub, bystander, name)
    assert (tried.ok, tried.status_code, bool(tried.error)) == (ok, code, not ok)
    assert SECRET not in tried.error
    await grpc_stub.DeleteProvider(pb.DeleteProviderRequest(name=name), metadata=bystander.owner)


async def test_a_try_that_gets_no_answer_says_why(grpc_stub, tenant):
    """Refused connections, silence, nonsense and names that do not resolve are answers too, and soon."""
    async with ScriptedUpstream() as up:
        up.script("/silent/models", stall())
        up.script("/odd/models", garbage())
        addresses = {
            "refused": f"http://127.0.0.1:{free_port()}",
            "silent": f"{up.url}/silent",
            "odd": f"{up.url}/odd",
            "nameless": "http://no-such-host.invalid",
        }
        for name, url in addresses.items():
            await create(grpc_stub, tenant, name, base_url=url, timeout_ms=300)
        tried = await asyncio.gather(*(try_out(grpc_stub, tenant, name) for name in addresses))
    for result in tried:
        assert (result.ok, result.HasField("status_code"), bool(result.error)) == (False, False, True)
        assert result.latency_ms < 10_000


async def test_a_try_holds_no_transaction(grpc_stub, tenant, core):
    """While a provider is silent, more tries than there are connections leave the database free for others."""
    async with ScriptedUpstream() as up:
        for _ in range(8):
            up.enqueue(accept_only())
        await create(grpc_stub, tenant, base_url=up.url, timeout_ms=60_000)
        calls = [asyncio.ensure_future(try_out(grpc_stub, tenant)) for _ in range(8)]
        await up.wait_connections(8)
        async with asyncio.timeout(PATIENCE):
            assert (await create(grpc_stub, tenant, "other")).name == "other"
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await up.wait_closed_connections()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("auth_header", "content-length"),
        ("auth_header", "x y"),
        ("auth_format", "Bearer"),
        ("headers", {"host": "evil.example"}),
        ("headers", {"x-a": "b\r\nx-c: d"}),
        ("base_url", "http://169.254.169.254"),
        ("base_url", "http://.example.com"),
    ],
)
async def test_what_is_stored_and_cannot_be_sent_says_so(grpc_stub, tenant, core, field, value):
    """A row from before a rule is a refusal that names the field, not a failure of ours."""
    await create(grpc_stub, tenant, base_url="https://good.example", api_key=SECRET)
    async with core.database.write() as db:
        mine = (Provider.org_id == tenant.org_id, Provider.name == "main")
        await db.execute(update(Provider).where(*mine).values({field: value}))
    failure = await refusal(try_out(grpc_stub, tenant))
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, [field])


async def test_a_try_calls_no_metadata_service(grpc_stub, tenant, monkeypatch):
    """A name that comes to resolve to one is judged when it is connected to, in every mode."""
    opened = []

    async def look_up(host, port):
        return [(0, 1, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(dialling, "_look_up", look_up)
    monkeypatch.setattr(dialling, "start_connection", opened.append)
    await create(grpc_stub, tenant, base_url="http://innocent.example")
    tried = await try_out(grpc_stub, tenant)
    assert (tried.ok, tried.error, opened) == (False, "the host has no address that this gateway calls", [])


async def test_the_demo_answers_a_try(grpc_stub, tenant):
    """It needs neither address nor key."""
    await create(grpc_stub, tenant, type=DEMO)
    assert (await try_out(grpc_stub, tenant)).ok


async def test_routes_carry_the_key_in_the_clear_to_gateways_alone(grpc_stub, tenant, gateway):
    """They list the organisation's enabled providers by name, then the installation's that no name hides."""
    await create(grpc_stub, tenant, "zeta", api_key=SECRET, is_default=True, models=["m"], headers={"a": "b"})
    await create(grpc_stub, tenant, "alpha", enabled=False)
    await create(grpc_stub, tenant, "openai", base_url="https://mine.example")
    found = await routes(tenant, gateway)
    assert list(found) == ["openai", "zeta", "ollama", "demo"]
    assert (found["zeta"].api_key, found["zeta"].is_default, found["zeta"].shared) == (SECRET, True, False)
    assert (list(found["zeta"].models), dict(found["zeta"].headers)) == (["m"], {"a": "b"})
    assert (found["openai"].base_url, found["openai"].api_key) == ("https://mine.example", "")
    assert (found["ollama"].base_url, found["ollama"].shared) == ("http://ollama.internal:11434", True)
    for metadata in (tenant.owner, ()):
        assert (await refusal(ask_routes(tenant, metadata))).code is StatusCode.UNAUTHENTICATED


async def test_a_disabled_provider_hides_the_shared_one_of_its_name(grpc_stub, tenant, gateway):
    """Whoever turns their own off does not end up on the installation's bill."""
    await create(grpc_stub, tenant, "openai", enabled=False)
    assert "openai" not in await routes(tenant, gateway)


async def test_a_key_sealed_under_another_master_key_stays_closed(grpc_stub, tenant, core, gateway):
    """Its provider has no route and says so when tried; the others have theirs; a new key mends it."""
    stub = grpc_stub
    await create(grpc_stub, tenant, "openai", api_key=SECRET, is_default=True)
    await create(grpc_stub, tenant, "keyless", base_url="https://keyless.example")
    async with core.database.write() as db:
        row = await db.get_one(Provider, (tenant.org_id, "openai"))
        row.sealed_key = Vault(b"k" * KEY_BYTES).seal(SECRET, context(row))
    assert list(await routes(tenant, gateway)) == ["keyless", "ollama", "demo"]
    bearer = tenant.owner[-1:]
    failure = await refusal(stub.TestProvider(pb.TestProviderRequest(name="openai"), metadata=bearer))
    assert "master key" in failure.message
    shown = await stub.GetProvider(pb.GetProviderRequest(name="openai"), metadata=bearer)
    assert shown.provider.has_api_key
    await stub.UpdateProvider(pb.UpdateProviderRequest(name="openai", api_key="sk-new"), metadata=bearer)
    assert (await routes(tenant, gateway))["openai"].api_key == "sk-new"


async def test_a_sealed_key_moved_to_another_row_stays_closed(grpc_stub, tenant, core, gateway):
    """Whoever can write to the database cannot make one provider's key go to another's address."""
    await create(grpc_stub, tenant, "good", api_key=SECRET)
    await create(grpc_stub, tenant, "evil", base_url="https://evil.example", api_key="x")
    async with core.database.write() as db:
        sealed = (await db.get_one(Provider, (tenant.org_id, "good"))).sealed_key
        mine = (Provider.org_id == tenant.org_id, Provider.name == "evil")
        await db.execute(update(Provider).where(*mine).values(sealed_key=sealed))
    found = await routes(tenant, gateway)
    assert "evil" not in found
    assert found["good"].api_key == SECRET
