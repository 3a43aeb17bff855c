import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER
from gen.ingate.providers.v1 import provider_pb2
from gen.ingate.providers.v1 import provider_service_pb2 as pb
from gen.ingate.providers.v1.provider_service_pb2_grpc import ProviderServiceStub
from ingate.providers.tables import Provider
from tests.support.tenants import refusal

core_settings = {"allow_private_upstreams": "no", "demo": True}

OPENAI, ANTHROPIC = provider_pb2.PROVIDER_TYPE_OPENAI, provider_pb2.PROVIDER_TYPE_ANTHROPIC
COMPATIBLE, AZURE = provider_pb2.PROVIDER_TYPE_OPENAI_COMPATIBLE, provider_pb2.PROVIDER_TYPE_AZURE_OPENAI
DEMO = provider_pb2.PROVIDER_TYPE_DEMO
PASSTHROUGH = provider_pb2.AUTH_MODE_PASSTHROUGH
SECRET = "sk-canary-5e3d0f"
UNSENDABLE = [
    "Connection",
    "Content-Length",
    "Expect",
    "host",
    "HTTP2-Settings",
    "keep-alive",
    "Max-Forwards",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "X-Ingate-Key",
    "x-ingate-provider",
]
"""Headers that are not a provider's to read, or the gateway's own to send."""


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return ProviderServiceStub


async def create(stub, tenant, **fields):
    request = pb.CreateProviderRequest(**{"name": "main", "type": OPENAI} | fields)
    return (await stub.CreateProvider(request, metadata=tenant.owner)).provider


async def update(stub, tenant, name="main", **fields):
    request = pb.UpdateProviderRequest(name=name, **fields)
    return (await stub.UpdateProvider(request, metadata=tenant.owner)).provider


async def defaults(stub, tenant):
    listed = await stub.ListProviders(pb.ListProvidersRequest(), metadata=tenant.owner)
    return [provider.name for provider in listed.items if provider.is_default]


async def test_a_type_brings_its_defaults(grpc_stub, tenant):
    """A name and a type are enough where the type has an address."""
    made = await create(grpc_stub, tenant, type=ANTHROPIC)
    assert (made.base_url, made.auth_header, made.auth_format) == ("https://api.anthropic.com", "x-api-key", "{key}")
    assert (made.enabled, made.is_default, made.has_api_key, made.timeout_ms) == (True, False, False, 300_000)
    assert made.auth_mode == provider_pb2.AUTH_MODE_API_KEY
    got = await grpc_stub.GetProvider(pb.GetProviderRequest(name="main"), metadata=tenant.owner)
    assert got.provider == made


async def test_an_update_changes_what_it_states_and_no_more(grpc_stub, tenant):
    """Unstated fields stay, an empty address is the type's own again, an empty key is none."""
    fields = {"api_key": SECRET, "models": ["a", "b"], "headers": {"X-Team": "blue"}, "timeout_ms": 1000}
    made = await create(grpc_stub, tenant, base_url="https://eu.example.com/prefix/", **fields)
    assert made.has_api_key
    changed = await update(grpc_stub, tenant, enabled=False)
    assert (changed.enabled, changed.base_url, changed.has_api_key) == (False, "https://eu.example.com/prefix/", True)
    assert (list(changed.models), dict(changed.headers)) == (["a", "b"], {"x-team": "blue"})
    assert changed.updated_at.ToMicroseconds() > made.updated_at.ToMicroseconds()
    assert changed.created_at == made.created_at
    emptied = await update(grpc_stub, tenant, base_url="", api_key="", enabled=True, auth_mode=PASSTHROUGH)
    assert (emptied.base_url, emptied.has_api_key) == ("https://api.openai.com", False)
    assert (emptied.enabled, emptied.auth_mode, emptied.timeout_ms) == (True, PASSTHROUGH, 1000)


async def test_pages_go_by_name(grpc_stub, tenant):
    """The list is in the order of names and says how many there are."""
    for name in ("c", "a", "b"):
        await create(grpc_stub, tenant, name=name)
    pages = [
        await grpc_stub.ListProviders(pb.ListProvidersRequest(limit=2, offset=offset), metadata=tenant.owner)
        for offset in (0, 2)
    ]
    assert [[provider.name for provider in page.items] for page in pages] == [["a", "b"], ["c"]]
    assert {page.total for page in pages} == {3}


async def test_what_is_deleted_is_gone(grpc_stub, tenant):
    """Get, update, test and a second delete say not found, and the name is free again."""
    await create(grpc_stub, tenant)
    await grpc_stub.DeleteProvider(pb.DeleteProviderRequest(name="main"), metadata=tenant.owner)
    for method, request in (
        (grpc_stub.GetProvider, pb.GetProviderRequest(name="main")),
        (grpc_stub.UpdateProvider, pb.UpdateProviderRequest(name="main", enabled=False)),
        (grpc_stub.TestProvider, pb.TestProviderRequest(name="main")),
        (grpc_stub.DeleteProvider, pb.DeleteProviderRequest(name="main")),
    ):
        assert (await refusal(method(request, metadata=tenant.owner))).code is StatusCode.NOT_FOUND
    assert (await create(grpc_stub, tenant)).name == "main"


async def test_deletes_and_updates_at_once_leave_no_trace_of_a_race(grpc_stub, tenant):
    """One delete succeeds, every other call finds either the provider or nothing."""
    await create(grpc_stub, tenant)
    calls = [grpc_stub.DeleteProvider(pb.DeleteProviderRequest(name="main"), metadata=tenant.owner) for _ in range(4)]
    change = pb.UpdateProviderRequest(name="main", enabled=True)
    calls += [grpc_stub.UpdateProvider(change, metadata=tenant.owner) for _ in range(4)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, pb.DeleteProviderResponse) for result in results) == 1
    codes = {result.code() for result in results if isinstance(result, AioRpcError)}
    assert codes == {StatusCode.NOT_FOUND}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "Main"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"type": 0}, "type"),
        ({"type": 99}, "type"),
        ({"type": COMPATIBLE}, "base_url"),
        ({"type": AZURE, "base_url": ""}, "base_url"),
        ({"base_url": "ftp://example.com"}, "base_url"),
        ({"base_url": "http://127.0.0.1:9"}, "base_url"),
        ({"base_url": "https://[::1]"}, "base_url"),
        ({"base_url": "https://example.com/é"}, "base_url"),
        ({"base_url": "https://example.com/" + "x" * 2048}, "base_url"),
        ({"auth_mode": 0}, "auth_mode"),
        ({"auth_mode": 9}, "auth_mode"),
        ({"api_key": "line\r\nbreak"}, "api_key"),
        ({"api_key": "schlüssel"}, "api_key"),
        ({"api_key": "x" * 8193}, "api_key"),
        ({"api_key": SECRET, "auth_format": "Bearer"}, "auth_format"),
        ({"auth_header": "x y"}, "auth_header"),
        ({"auth_format": "Bearer\n{key}"}, "auth_format"),
        ({"timeout_ms": 0}, "timeout_ms"),
        ({"timeout_ms": 3_600_001}, "timeout_ms"),
        ({"models": [""]}, "models"),
        ({"models": ["x" * 1025]}, "models"),
        ({"models": ["m"] * 1001}, "models"),
        ({"headers": {"x y": "v"}}, "headers"),
        ({"headers": {"Host": "v"}}, "headers"),
        ({"headers": {"x": "a\r\nb: c"}}, "headers"),
        ({"headers": {f"h{n}": "v" for n in range(51)}}, "headers"),
        *(({"auth_header": name}, "auth_header") for name in UNSENDABLE),
        *(({"headers": {name: "v"}}, "headers") for name in UNSENDABLE),
        ({"auth_format": "{key}{key}"}, "auth_format"),
        ({"auth_format": ""}, "auth_format"),
        ({"auth_format": "{KEY}"}, "auth_format"),
        ({"auth_format": " {key}"}, "auth_format"),
        ({"auth_format": "{key}\x00"}, "auth_format"),
        ({"auth_format": "{key} é"}, "auth_format"),
        ({"auth_header": "", "auth_format": "Bearer"}, "auth_format"),
        ({"auth_header": "x-é"}, "auth_header"),
        ({"auth_header": "x" * 129}, "auth_header"),
        ({"api_key": f" {SECRET}"}, "api_key"),
        ({"api_key": f"{SECRET} "}, "api_key"),
        ({"api_key": f"{SECRET}\x00"}, "api_key"),
        ({"headers": {"": "v"}}, "headers"),
        ({"headers": {"x" * 129: "v"}}, "headers"),
        ({"headers": {"x": " v"}}, "headers"),
        ({"headers": {"x": "vé"}}, "headers"),
        ({"headers": {"x": "v" * 8193}}, "headers"),
        ({"headers": {f"h{n}": "v" * 8000 for n in range(3)}}, "headers"),
        ({"headers": {"X-Team": "a", "x-team": "b"}}, "headers"),
        ({"models": ["a\nb"]}, "models"),
        ({"base_url": "http://0x7f.1"}, "base_url"),
        ({"base_url": "https://.example.com"}, "base_url"),
        ({"base_url": "https://example.com/%2e%2e"}, "base_url"),
        ({"base_url": "http://169.254.169.254"}, "base_url"),
        ({"base_url": "http://metadata.google.internal"}, "base_url"),
    ],
)
async def test_a_provider_that_makes_no_sense_is_refused(grpc_stub, bystander, fields, field):
    """The refusal names the field, shows no key, and nothing is stored."""
    request = pb.CreateProviderRequest(**{"name": "main", "type": OPENAI} | fields)
    failure = await refusal(grpc_stub.CreateProvider(request, metadata=bystander.owner))
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, [field])
    assert not fields.get("api_key") or fields["api_key"] not in failure.message
    listed = await grpc_stub.ListProviders(pb.ListProvidersRequest(), metadata=bystander.owner)
    assert listed.total == 0


async def test_an_update_that_makes_no_sense_changes_nothing(grpc_stub, tenant):
    """The provider is as it was, its place as the default included."""
    await create(grpc_stub, tenant, name="old", is_default=True)
    made = await create(grpc_stub, tenant)
    for fields in ({"type": 0}, {"auth_mode": 0}, {"base_url": "x"}, {"type": COMPATIBLE, "base_url": ""}):
        failure = await refusal(update(grpc_stub, tenant, is_default=True, **fields))
        assert failure.code is StatusCode.INVALID_ARGUMENT
    got = await grpc_stub.GetProvider(pb.GetProviderRequest(name="main"), metadata=tenant.owner)
    assert got.provider == made
    assert await defaults(grpc_stub, tenant) == ["old"]


async def test_the_default_is_handed_over(grpc_stub, tenant):
    """A new default takes the place of the one before, whether it is created or updated, and may be given up."""
    await create(grpc_stub, tenant, name="a", is_default=True)
    await create(grpc_stub, tenant, name="b", is_default=True)
    assert await defaults(grpc_stub, tenant) == ["b"]
    await update(grpc_stub, tenant, "a", is_default=True)
    assert await defaults(grpc_stub, tenant) == ["a"]
    await update(grpc_stub, tenant, "a", is_default=False)
    assert await defaults(grpc_stub, tenant) == []


async def test_a_name_that_is_taken_costs_the_default_nothing(grpc_stub, tenant):
    """A create that fails with a conflict does not take the default away."""
    await create(grpc_stub, tenant, name="a", is_default=True)
    failure = await refusal(create(grpc_stub, tenant, name="a", is_default=True))
    assert (failure.code, list(failure.fields)) == (StatusCode.ALREADY_EXISTS, ["name"])
    assert await defaults(grpc_stub, tenant) == ["a"]


async def test_of_many_defaults_at_once_one_remains(grpc_stub, tenant):
    """Creates and updates that all want to be the default leave exactly one."""
    for name in ("a", "b", "c"):
        await create(grpc_stub, tenant, name=name)
    updates = [update(grpc_stub, tenant, name, is_default=True) for name in ("a", "b", "c")]
    creates = [create(grpc_stub, tenant, name=name, is_default=True) for name in ("d", "e", "f")]
    await asyncio.gather(*updates, *creates)
    assert len(await defaults(grpc_stub, tenant)) == 1


async def test_of_one_name_created_at_once_one_is_made(grpc_stub, tenant):
    """The others are told that it is taken."""
    results = await asyncio.gather(*(create(grpc_stub, tenant) for _ in range(5)), return_exceptions=True)
    failures = [result.code() for result in results if isinstance(result, AioRpcError)]
    assert failures == [StatusCode.ALREADY_EXISTS] * 4


async def test_organisations_do_not_see_one_another(grpc_stub, tenant, stranger):
    """The same name is two providers; neither side finds the other's."""
    await create(grpc_stub, tenant, base_url="https://one.example")
    assert (await refusal(update(grpc_stub, stranger, enabled=False))).code is StatusCode.NOT_FOUND
    await create(grpc_stub, stranger, base_url="https://two.example", is_default=True)
    await grpc_stub.DeleteProvider(pb.DeleteProviderRequest(name="main"), metadata=stranger.owner)
    got = await grpc_stub.GetProvider(pb.GetProviderRequest(name="main"), metadata=tenant.owner)
    assert got.provider.base_url == "https://one.example"


async def test_members_read_and_do_not_change(grpc_stub, tenant):
    """A member's key lists providers and is refused to change or test any."""
    await create(grpc_stub, tenant)
    _, member = await tenant.issue(ROLE_MEMBER)
    assert (await grpc_stub.ListProviders(pb.ListProvidersRequest(), metadata=member)).total == 1
    for method, request in (
        (grpc_stub.CreateProvider, pb.CreateProviderRequest(name="n", type=OPENAI)),
        (grpc_stub.UpdateProvider, pb.UpdateProviderRequest(name="main")),
        (grpc_stub.DeleteProvider, pb.DeleteProviderRequest(name="main")),
        (grpc_stub.TestProvider, pb.TestProviderRequest(name="main")),
    ):
        assert (await refusal(method(request, metadata=member))).code is StatusCode.PERMISSION_DENIED


async def test_a_stored_key_is_sealed_and_never_shown(grpc_stub, tenant, core):
    """No answer has it, and neither has the row, in any encoding."""
    made = await create(grpc_stub, tenant, api_key=SECRET)
    changed = await update(grpc_stub, tenant, enabled=False)
    listed = await grpc_stub.ListProviders(pb.ListProvidersRequest(), metadata=tenant.owner)
    async with core.database.read() as db:
        row = await db.get_one(Provider, (tenant.org_id, "main"))
    everything = repr([made, changed, listed, {name: str(value) for name, value in vars(row).items()}])
    assert SECRET not in everything
    assert SECRET.encode() not in row.sealed_key
    assert len(row.sealed_key) > len(SECRET)


MOVES = {
    "host": {"base_url": "https://evil.example/v1"},
    "port": {"base_url": "https://good.example:8443/v1"},
    "scheme": {"base_url": "http://good.example/v1"},
    "subdomain": {"base_url": "https://x.good.example/v1"},
    "trailing dot": {"base_url": "https://good.example./v1"},
    "the type's own": {"base_url": ""},
    "type and address": {"type": ANTHROPIC, "base_url": ""},
    "into the demo": {"type": DEMO, "base_url": "https://evil.example/v1"},
    "switched off": {"enabled": False, "base_url": "https://evil.example/v1"},
    "in another mode": {"auth_mode": PASSTHROUGH, "base_url": "https://evil.example/v1"},
    "header": {"auth_header": "x-request-id"},
    "format": {"auth_format": "token {key}"},
}


@pytest.mark.parametrize("fields", MOVES.values(), ids=MOVES)
async def test_a_stored_key_goes_nowhere_else(grpc_stub, tenant, core, fields):
    """Whoever moves a provider states its key again, in the same update; else the stored one is forgotten."""
    await create(grpc_stub, tenant, base_url="https://good.example/v1", api_key=SECRET, is_default=True)
    before = await sealed(core, tenant)
    assert (await update(grpc_stub, tenant, api_key="sk-canary-new", **fields)).has_api_key
    assert await sealed(core, tenant) not in {before, None}
    await grpc_stub.DeleteProvider(pb.DeleteProviderRequest(name="main"), metadata=tenant.owner)
    await create(grpc_stub, tenant, base_url="https://good.example/v1", api_key=SECRET)
    assert not (await update(grpc_stub, tenant, timeout_ms=7, **fields)).has_api_key
    assert await sealed(core, tenant) is None
    moved_back = await update(grpc_stub, tenant, type=OPENAI, base_url="https://good.example/v1")
    assert not moved_back.has_api_key


async def test_a_key_stays_where_it_is(grpc_stub, tenant):
    """Changes that leave it where it goes need no key: path, type, mode and back, the same address otherwise put."""
    await create(grpc_stub, tenant, base_url="https://good.example/v1", api_key=SECRET)
    for fields in (
        {"base_url": "https://good.example/v2/other"},
        {"base_url": "https://GOOD.example:443/v1/"},
        {"type": COMPATIBLE},
        {"auth_mode": PASSTHROUGH},
        {"auth_mode": provider_pb2.AUTH_MODE_API_KEY},
        {"auth_header": "Authorization", "auth_format": "Bearer {key}"},
        {"headers": {"x-team": "red"}, "models": ["m"], "enabled": False, "is_default": True},
    ):
        assert (await update(grpc_stub, tenant, **fields)).has_api_key


async def test_no_detour_takes_a_key_along(grpc_stub, tenant):
    """Not by way of the demo, whose address is not looked at, nor by way of deleting and creating anew."""
    await create(grpc_stub, tenant, base_url="https://good.example", api_key=SECRET)
    assert not (await update(grpc_stub, tenant, type=DEMO)).has_api_key
    await update(grpc_stub, tenant, type=DEMO, base_url="https://evil.example", api_key=SECRET)
    assert not (await update(grpc_stub, tenant, type=OPENAI)).has_api_key
    await grpc_stub.DeleteProvider(pb.DeleteProviderRequest(name="main"), metadata=tenant.owner)
    assert not (await create(grpc_stub, tenant, base_url="https://good.example")).has_api_key


async def sealed(core, tenant):
    """Returns what the database holds of the key of `main`."""
    async with core.database.read() as db:
        return (await db.get_one(Provider, (tenant.org_id, "main"))).sealed_key
