import asyncio
import contextlib
import itertools

import pytest
from grpc import StatusCode
from sqlalchemy import update

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, SCOPE_PROXY, SCOPE_READ
from gen.ingate.gateway.v1 import gateway_service_pb2 as pb
from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest, GetKeyRequest, RevokeKeyRequest
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from gen.ingate.providers.v1 import provider_service_pb2 as providers_pb
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI
from gen.ingate.providers.v1.provider_service_pb2_grpc import ProviderServiceStub
from ingate import clock, ids
from ingate.identity.tables import Key, Org
from tests.support.tenants import refusal
from tests.support.waiting import eventually

SECRET = "sk-canary-901b"
PATIENCE = 5


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return GatewayServiceStub


def admit(stub, secret, gateway):
    return stub.Admit(pb.AdmitRequest(key_hash=ids.secret_hash(secret)), metadata=gateway)


async def test_a_grant_says_what_the_key_may_do(grpc_stub, tenant, gateway):
    """Role, scopes, plan, limit and end as the key was created."""
    ends = clock.to_proto(clock.now() + clock.HOUR)
    answer, _ = await tenant.issue(ROLE_ADMIN, [SCOPE_READ, SCOPE_PROXY], rate_limit_per_minute=9, expires_at=ends)
    grant = (await admit(grpc_stub, answer.key, gateway)).grant
    assert (grant.org_id, grant.key_id, grant.role) == (tenant.org_id, answer.description.id, ROLE_ADMIN)
    assert (list(grant.scopes), grant.plan) == ([SCOPE_PROXY, SCOPE_READ], "enterprise")
    assert (grant.rate_limit_per_minute, grant.expires_at) == (9, ends)
    assert not grant.HasField("app_id")


async def test_a_policy_says_where_requests_can_go(grpc_stub, grpc_channel, tenant, gateway):
    """To the organisation's own providers, with their credentials; of one that does not exist, nowhere."""
    provider = providers_pb.CreateProviderRequest(name="main", type=PROVIDER_TYPE_OPENAI, api_key=SECRET)
    await ProviderServiceStub(grpc_channel).CreateProvider(provider, metadata=tenant.owner)
    policy = (await grpc_stub.GetPolicy(pb.GetPolicyRequest(org_id=tenant.org_id), metadata=gateway)).policy
    assert policy.org_id == tenant.org_id
    assert [(route.name, route.api_key) for route in policy.routes] == [("main", SECRET)]
    nobody = (await grpc_stub.GetPolicy(pb.GetPolicyRequest(org_id="nobody"), metadata=gateway)).policy
    assert list(nobody.routes) == []
    missing = grpc_stub.GetPolicy(pb.GetPolicyRequest(), metadata=gateway)
    assert (await refusal(missing)).code is StatusCode.INVALID_ARGUMENT


async def test_the_plan_gives_the_limit_of_a_key_that_states_none(grpc_stub, tenant, gateway, core, settings):
    """A change of plan shows with the next grant."""
    secret = tenant.answer.api_key
    assert (await admit(grpc_stub, secret, gateway)).grant.rate_limit_per_minute == settings.rate_limit_enterprise
    async with core.database.write() as db:
        await db.execute(update(Org).where(Org.id == tenant.org_id).values(plan="free"))
    grant = (await admit(grpc_stub, secret, gateway)).grant
    assert (grant.plan, grant.rate_limit_per_minute) == ("free", settings.rate_limit_free)
    assert not grant.HasField("expires_at")


async def test_a_key_that_does_not_work_is_not_admitted(grpc_stub, grpc_channel, tenant, gateway, core):
    """Unknown, revoked and expired ones are answered alike."""
    revoked, expired = [(await tenant.issue())[0] for _ in range(2)]
    await KeyServiceStub(grpc_channel).RevokeKey(RevokeKeyRequest(key_id=revoked.description.id), metadata=tenant.owner)
    async with core.database.write() as db:
        await db.execute(update(Key).where(Key.id == expired.description.id).values(expires_at=clock.now()))
    secrets = (revoked.key, expired.key, "sk-ingate-unknown", tenant.answer.token)
    failures = [await refusal(admit(grpc_stub, secret, gateway)) for secret in secrets]
    assert all(failure == failures[0] for failure in failures)
    assert failures[0].code is StatusCode.UNAUTHENTICATED


async def test_a_key_that_ends_later_is_admitted_until_then(grpc_stub, tenant, gateway, core):
    """The grant ends with the earlier of expiry and revocation."""
    answer, _ = await tenant.issue(expires_at=clock.to_proto(clock.now() + 2 * clock.HOUR))
    soon = clock.now() + clock.HOUR
    async with core.database.write() as db:
        await db.execute(update(Key).where(Key.id == answer.description.id).values(revoked_at=soon))
    assert clock.from_proto((await admit(grpc_stub, answer.key, gateway)).grant.expires_at) == soon


@pytest.mark.parametrize(
    ("key_hash", "code"),
    [
        (b"", StatusCode.INVALID_ARGUMENT),
        (b"x" * 33, StatusCode.INVALID_ARGUMENT),
        (b"\0" * 31, StatusCode.UNAUTHENTICATED),
    ],
)
async def test_a_hash_that_is_none_is_refused(grpc_stub, gateway, key_hash, code):
    """It never counts as a key."""
    failure = await refusal(grpc_stub.Admit(pb.AdmitRequest(key_hash=key_hash), metadata=gateway))
    assert failure.code is code


@contextlib.asynccontextmanager
async def news_of(stub, gateway, org_id):
    """A function that returns the epoch of the organisation's next change, and whether it is its keys or its policy.

    The stream is live when this is entered.
    """
    call = stub.Watch(pb.WatchRequest(), metadata=gateway)
    hello = await call.read()
    assert [*hello.org_ids, *hello.policy_org_ids] == []
    epochs = [hello.epoch]

    async def following():
        async with asyncio.timeout(PATIENCE):
            while True:
                news = await call.read()
                assert news.epoch == epochs[-1] + bool(news.org_ids or news.policy_org_ids)
                epochs.append(news.epoch)
                changed = (org_id in news.org_ids, org_id in news.policy_org_ids)
                if any(changed):
                    return news.epoch, *changed

    try:
        yield following
    finally:
        call.cancel()


async def test_watchers_hear_of_every_change_to_keys_and_providers(grpc_stub, grpc_channel, tenant, gateway):
    """Creating and revoking keys, and creating, changing and deleting providers; the epochs have no gap."""
    keys, providers = KeyServiceStub(grpc_channel), ProviderServiceStub(grpc_channel)
    async with (
        news_of(grpc_stub, gateway, tenant.org_id) as first,
        news_of(grpc_stub, gateway, tenant.org_id) as second,
    ):
        made = await keys.CreateKey(CreateKeyRequest(name="k"), metadata=tenant.owner)
        told = [await first()]
        for call, request in (
            (keys.RevokeKey, RevokeKeyRequest(key_id=made.description.id)),
            (providers.CreateProvider, providers_pb.CreateProviderRequest(name="p", type=PROVIDER_TYPE_OPENAI)),
            (providers.UpdateProvider, providers_pb.UpdateProviderRequest(name="p", enabled=False)),
            (providers.DeleteProvider, providers_pb.DeleteProviderRequest(name="p")),
        ):
            await call(request, metadata=tenant.owner)
            told.append(await first())
        epochs = [epoch for epoch, *_ in told]
        assert epochs == sorted(set(epochs))
        assert [changed for _, *changed in told] == [[True, False]] * 2 + [[False, True]] * 3
        assert [await second() for _ in told] == told


async def test_what_fails_or_only_reads_is_no_news(grpc_stub, grpc_channel, tenant, gateway):
    """After calls that change nothing, the next news is that of the change after them."""
    keys, providers = KeyServiceStub(grpc_channel), ProviderServiceStub(grpc_channel)
    provider = providers_pb.CreateProviderRequest(name="p", type=PROVIDER_TYPE_OPENAI)
    await providers.CreateProvider(provider, metadata=tenant.owner)
    async with news_of(grpc_stub, gateway, tenant.org_id) as following:
        await refusal(providers.CreateProvider(provider, metadata=tenant.owner))
        await refusal(keys.GetKey(GetKeyRequest(key_id="x"), metadata=tenant.owner))
        await refusal(keys.RevokeKey(RevokeKeyRequest(key_id="x"), metadata=tenant.owner))
        await tenant.issue()
        before, *_ = await following()
        await tenant.issue()
        assert await following() == (before + 1, True, False)


async def test_a_change_by_another_core_is_heard(grpc_stub, tenant, gateway, second_core):
    """A second core on the same database revokes a key; watchers of the first hear of it."""
    answer, _ = await tenant.issue()
    async with news_of(grpc_stub, gateway, tenant.org_id) as following:
        revoke = RevokeKeyRequest(key_id=answer.description.id)
        await KeyServiceStub(second_core.channel).RevokeKey(revoke, metadata=tenant.owner[-1:])
        assert await following()
    assert (await refusal(admit(grpc_stub, answer.key, gateway))).code is StatusCode.UNAUTHENTICATED


async def test_watchers_are_told_that_there_is_no_news(grpc_stub, gateway):
    """Time and again, so that a silent stream is a broken one."""
    call = grpc_stub.Watch(pb.WatchRequest(), metadata=gateway)
    async with asyncio.timeout(PATIENCE):
        words = [await call.read() for _ in range(3)]
    call.cancel()
    for before, after in itertools.pairwise(words):
        assert after.epoch == before.epoch + bool(after.org_ids or after.policy_org_ids)


async def test_a_watcher_that_leaves_is_forgotten(grpc_stub, tenant, gateway, core):
    """Its queue is gone, and changes go on."""
    changes = core.servicers["ingate.gateway.v1.GatewayService"]._changes  # what is bounded is not in the API
    before = len(changes._listeners)
    async with news_of(grpc_stub, gateway, tenant.org_id):
        assert len(changes._listeners) == before + 1
    await eventually(lambda: len(changes._listeners) == before)
    assert (await tenant.issue())[0].key


async def test_only_gateways_may_ask(grpc_stub, tenant):
    """Whoever shows anything but the gateway token alone is unauthenticated, an owner too."""
    key_hash = ids.secret_hash(tenant.answer.api_key)
    code = StatusCode.UNAUTHENTICATED
    for metadata in (tenant.owner, tenant.key, (), (("x-ingate-gateway", "wrong"),)):
        assert (await refusal(grpc_stub.Admit(pb.AdmitRequest(key_hash=key_hash), metadata=metadata))).code is code
        policy = grpc_stub.GetPolicy(pb.GetPolicyRequest(org_id=tenant.org_id), metadata=metadata)
        assert (await refusal(policy)).code is code
        assert (await refusal(grpc_stub.Watch(pb.WatchRequest(), metadata=metadata).read())).code is code
