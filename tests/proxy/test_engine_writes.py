"""Who changes something finds it changed with their next request."""

import pytest
import pytest_asyncio

from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest, RevokeKeyRequest
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from gen.ingate.proxy.v1.proxy_service_pb2 import ForwardRequest
from gen.ingate.proxy.v1.proxy_service_pb2_grpc import ProxyServiceStub
from tests.support.gateway import checked, gateway
from tests.support.postgres import create_database, drop_database
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
ROUNDS = 25
"""Of some changes each, for either kind of news: more than 200 changes in all, on each database."""


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["sqlite", "postgres"])
async def gw(request):
    if request.param == "sqlite":
        async with gateway() as gw:
            yield gw
        return
    server = request.getfixturevalue("postgres_server")
    url = await create_database(server)
    async with gateway(database_url=url) as gw:
        yield gw
    await drop_database(server, url)


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw):
    return await gw.signup()


@pytest.fixture(params=["news", "no news"], autouse=True)
def news(request, gw, monkeypatch):
    """Whether the gateway also hears through the database: then it does so twice, and while the next call is served."""
    if request.param == "no news":
        changes = gw.core.servicers["ingate.gateway.v1.GatewayService"]._changes

        async def nothing():
            pass

        monkeypatch.setattr(changes, "_poll", nothing)


async def test_a_provider_is_used_as_soon_as_it_is_created_or_changed(org, up):
    """Never refused, and never sent to the address of before."""
    async with ScriptedUpstream() as other:
        for number in range(ROUNDS):
            name = f"p{number}"
            headers = {"x-ingate-provider": name}
            before, after = (up, other) if number % 2 else (other, up)
            await org.provider(name, "openai", before.url)
            seen = before.seen
            answer = await org.http.post(CHAT, json=ASK, headers=headers)
            assert (answer.status_code, before.seen) == (200, seen + 1), answer.text
            checked(await org.admin.put(f"/api/v1/providers/{name}", json={"base_url": after.url}))
            seen = after.seen
            answer = await org.http.post(CHAT, json=ASK, headers=headers)
            assert (answer.status_code, after.seen) == (200, seen + 1), answer.text
        assert (await org.admin.delete(f"/api/v1/providers/{name}")).status_code == 204
        assert (await org.http.post(CHAT, json=ASK, headers=headers)).status_code == 400


async def test_a_key_works_from_its_creation_to_its_revocation(org, up):
    """And not for one call longer."""
    await org.provider("openai", "openai", up.url)
    for _ in range(ROUNDS):
        made = checked(await org.admin.post("/api/v1/keys", json={"name": "k"}))
        headers = {"x-ingate-key": made["key"]}
        assert (await org.http.post(CHAT, json=ASK, headers=headers)).status_code == 200
        assert (await org.admin.delete(f"/api/v1/keys/{made['id']}")).status_code == 204
        assert (await org.http.post(CHAT, json=ASK, headers=headers)).status_code == 401


async def test_a_change_over_grpc_is_as_soon_seen_over_rest(gw, org, up):
    """Both doors lead to one gateway."""
    await org.provider("openai", "openai", up.url)
    channel = await gw.channel()
    keys, owner = KeyServiceStub(channel), (("authorization", f"Bearer {org.token}"),)
    for _ in range(ROUNDS):
        made = await keys.CreateKey(CreateKeyRequest(name="k"), metadata=owner)
        headers = {"x-ingate-key": made.key}
        assert (await org.http.post(CHAT, json=ASK, headers=headers)).status_code == 200
        await keys.RevokeKey(RevokeKeyRequest(key_id=made.description.id), metadata=owner)
        assert (await org.http.post(CHAT, json=ASK, headers=headers)).status_code == 401


async def test_a_change_over_rest_is_as_soon_seen_over_grpc(gw, org, up):
    """The provider that a call names is there, with its address of now."""
    forward = ProxyServiceStub(await gw.channel()).Forward
    key = (("x-ingate-key", org.key), ("x-ingate-provider", "p"))
    async with ScriptedUpstream() as other:
        await org.provider("p", "openai", other.url)
        for number in range(ROUNDS):
            now = up if number % 2 else other
            checked(await org.admin.put("/api/v1/providers/p", json={"base_url": now.url}))
            seen = now.seen
            request = ForwardRequest(method="GET", target="/v1/models")
            [started, *_] = [event async for event in forward(request, metadata=key)]
            assert (started.started.status, now.seen) == (200, seen + 1)
