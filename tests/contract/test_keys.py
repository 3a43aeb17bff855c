import asyncio
import hashlib

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from sqlalchemy import update

from gen.ingate.access.v1 import access_pb2
from gen.ingate.auth.v1.auth_service_pb2 import MeRequest
from gen.ingate.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from gen.ingate.keys.v1 import key_service_pb2 as pb
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from ingate import clock
from ingate.identity.tables import Key
from ingate.rpc.status import from_rpc_error
from tests.support.tenants import refusal

VIEWER, MEMBER, ADMIN, OWNER = (
    access_pb2.Role.Value(f"ROLE_{name}") for name in ("VIEWER", "MEMBER", "ADMIN", "OWNER")
)
PROXY, READ, ADMINISTER = access_pb2.SCOPE_PROXY, access_pb2.SCOPE_READ, access_pb2.SCOPE_ADMIN
NOWHERE = "0198c0de-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return KeyServiceStub


def soon(seconds):
    return clock.to_proto(clock.now() + int(seconds * clock.SECOND))


async def test_a_new_key_is_described_and_its_secret_shown_once(grpc_stub, tenant):
    """The answer has the secret; later descriptions have the same facts and only the hash's first digits."""
    request = pb.CreateKeyRequest(
        name="Čapek 🤖", role=VIEWER, scopes=[READ], rate_limit_per_minute=7, expires_at=soon(3600)
    )
    answer = await grpc_stub.CreateKey(request, metadata=tenant.owner)
    assert answer.key.startswith("sk-ingate-")
    assert len(answer.key) == len("sk-ingate-") + 43
    made = answer.description
    assert (made.name, made.role, list(made.scopes)) == (request.name, VIEWER, [READ])
    assert made.rate_limit_per_minute == 7
    assert made.hash_prefix == hashlib.sha256(answer.key.encode()).hexdigest()[:8]
    assert clock.from_proto(made.expires_at) == clock.from_proto(request.expires_at)
    got = await grpc_stub.GetKey(pb.GetKeyRequest(key_id=made.id), metadata=tenant.owner)
    assert got.key == made
    assert answer.key not in str(got)


async def test_a_key_is_a_member_with_all_its_scopes_unless_stated(grpc_stub, tenant):
    """Nothing stated means role member, every scope of that role, no limit of its own and no end."""
    answer = await grpc_stub.CreateKey(pb.CreateKeyRequest(name="plain"), metadata=tenant.owner)
    made = answer.description
    assert made.role == MEMBER
    assert ADMINISTER not in made.scopes
    assert len(made.scopes) == 4
    absent = ("rate_limit_per_minute", "expires_at", "last_used_at", "revoked_at", "app_id", "team_id")
    assert not any(made.HasField(name) for name in absent)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"role": 0}, "role"),
        ({"role": 99}, "role"),
        ({"scopes": [0]}, "scopes[0]"),
        ({"scopes": [99]}, "scopes[0]"),
        ({"scopes": [PROXY] * 17}, "scopes"),
        ({"scopes": [ADMINISTER]}, "scopes"),
        ({"role": VIEWER, "scopes": [PROXY]}, "scopes"),
        ({"rate_limit_per_minute": 0}, "rate_limit_per_minute"),
        ({"rate_limit_per_minute": -1}, "rate_limit_per_minute"),
        ({"expires_at": soon(-1)}, "expires_at"),
        ({"app_id": NOWHERE}, "app_id"),
        ({"team_id": "no such team"}, "team_id"),
        ({"app_id": "x" * 65}, "app_id"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(grpc_stub, bystander, fields, field):
    """The refusal names the field, and nothing is stored."""
    request = pb.CreateKeyRequest(**{"name": "bad"} | fields)
    failure = await refusal(grpc_stub.CreateKey(request, metadata=bystander.owner))
    assert failure.code is StatusCode.INVALID_ARGUMENT, failure
    assert field in failure.fields
    assert (await grpc_stub.ListKeys(pb.ListKeysRequest(), metadata=bystander.owner)).total == 1


async def test_nobody_makes_a_key_above_themselves(grpc_stub, tenant):
    """An admin's key makes admins and less, not owners; a member's key makes none."""
    _, admin = await tenant.issue(ADMIN)
    assert (await grpc_stub.CreateKey(pb.CreateKeyRequest(name="k", role=ADMIN), metadata=admin)).key
    above = await refusal(grpc_stub.CreateKey(pb.CreateKeyRequest(name="k", role=OWNER), metadata=admin))
    assert (above.code, above.reason) == (StatusCode.PERMISSION_DENIED, "FORBIDDEN")
    _, narrow = await tenant.issue(OWNER, [READ])
    for metadata in (tenant.key, narrow):
        failure = await refusal(grpc_stub.CreateKey(pb.CreateKeyRequest(name="k"), metadata=metadata))
        assert failure.code is StatusCode.PERMISSION_DENIED


async def test_pages_cover_every_key_once_newest_first(grpc_stub, tenant):
    """Pages of two have all keys, revoked ones too, and say how many there are in all."""
    made = [await tenant.issue() for _ in range(4)]
    await grpc_stub.RevokeKey(pb.RevokeKeyRequest(key_id=made[0][0].description.id), metadata=tenant.owner)
    pages = [
        await grpc_stub.ListKeys(pb.ListKeysRequest(limit=2, offset=offset), metadata=tenant.owner)
        for offset in (0, 2, 4, 6)
    ]
    assert [(len(page.items), page.total, page.limit, page.offset) for page in pages] == [
        (2, 5, 2, 0),
        (2, 5, 2, 2),
        (1, 5, 2, 4),
        (0, 5, 2, 6),
    ]
    ids = [key.id for page in pages for key in page.items]
    assert ids[:4] == [answer.description.id for answer, _ in reversed(made)]
    assert len(set(ids)) == 5


@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 201}, {"offset": -1}, {"offset": 1_000_001}])
async def test_a_page_that_cannot_be_is_refused(grpc_stub, bystander, fields):
    """Limits and offsets have bounds, which the refusal names."""
    failure = await refusal(grpc_stub.ListKeys(pb.ListKeysRequest(**fields), metadata=bystander.owner))
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, list(fields))


async def test_a_revoked_key_is_refused_at_once(grpc_stub, grpc_channel, tenant):
    """The very next call with it is unauthenticated; revoking again, also at the same time, changes nothing."""
    answer, metadata = await tenant.issue()
    me = AuthServiceStub(grpc_channel)
    assert (await me.Me(MeRequest(), metadata=metadata)).key_id == answer.description.id
    request = pb.RevokeKeyRequest(key_id=answer.description.id)
    await grpc_stub.RevokeKey(request, metadata=tenant.owner)
    assert (await refusal(me.Me(MeRequest(), metadata=metadata))).code is StatusCode.UNAUTHENTICATED
    get = pb.GetKeyRequest(key_id=answer.description.id)
    first = await grpc_stub.GetKey(get, metadata=tenant.owner)
    assert first.key.HasField("revoked_at")
    await asyncio.gather(*(grpc_stub.RevokeKey(request, metadata=tenant.owner) for _ in range(4)))
    assert await grpc_stub.GetKey(get, metadata=tenant.owner) == first


async def test_a_key_may_revoke_itself(grpc_stub, tenant):
    """Whoever finds a leaked admin key can end it with the key alone."""
    answer, metadata = await tenant.issue(ADMIN)
    await grpc_stub.RevokeKey(pb.RevokeKeyRequest(key_id=answer.description.id), metadata=metadata)
    failure = await refusal(grpc_stub.ListKeys(pb.ListKeysRequest(), metadata=metadata))
    assert failure.code is StatusCode.UNAUTHENTICATED


async def test_an_expired_key_is_refused(grpc_stub, tenant, core):
    """It works until its time has come, and not from then on."""
    answer, metadata = await tenant.issue(expires_at=soon(3600))
    assert (await grpc_stub.ListKeys(pb.ListKeysRequest(), metadata=metadata)).total == 2
    async with core.database.write() as db:
        await db.execute(update(Key).where(Key.id == answer.description.id).values(expires_at=clock.now()))
    failure = await refusal(grpc_stub.ListKeys(pb.ListKeysRequest(), metadata=metadata))
    assert failure.code is StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("key_id", ["x", NOWHERE, "' OR 1=1 --", "🤖" * 5000])
async def test_what_does_not_exist_is_not_found(grpc_stub, bystander, key_id):
    """Any text is a possible id, of no key."""
    for method, request in (
        (grpc_stub.GetKey, pb.GetKeyRequest(key_id=key_id)),
        (grpc_stub.RevokeKey, pb.RevokeKeyRequest(key_id=key_id)),
    ):
        failure = await refusal(method(request, metadata=bystander.owner))
        assert (failure.code, failure.reason) == (StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_another_organisations_key_does_not_exist(grpc_stub, tenant, stranger):
    """It can be neither seen nor revoked, and is answered as an id that nobody has."""
    answer, metadata = await tenant.issue()
    key_id = answer.description.id
    for method, request, nothing in (
        (grpc_stub.GetKey, pb.GetKeyRequest(key_id=key_id), pb.GetKeyRequest(key_id=NOWHERE)),
        (grpc_stub.RevokeKey, pb.RevokeKeyRequest(key_id=key_id), pb.RevokeKeyRequest(key_id=NOWHERE)),
    ):
        theirs = await refusal(method(request, metadata=stranger.owner))
        none = await refusal(method(nothing, metadata=stranger.owner))
        assert (theirs.code, theirs.message) == (none.code, none.message)
    listed = await grpc_stub.ListKeys(pb.ListKeysRequest(), metadata=stranger.owner)
    assert key_id not in {key.id for key in listed.items}
    assert (await grpc_stub.GetKey(pb.GetKeyRequest(key_id=key_id), metadata=metadata)).key.id == key_id


async def test_the_keys_limit_is_counted_and_told(grpc_stub, tenant):
    """A key with two requests a minute is refused the third, and told when to come back."""
    _, metadata = await tenant.issue(rate_limit_per_minute=2)
    # Six calls span at most two minutes of the clock, which allow four.
    calls = [grpc_stub.ListKeys(pb.ListKeysRequest(), metadata=metadata) for _ in range(6)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    failures = [from_rpc_error(result) for result in results if isinstance(result, AioRpcError)]
    assert len(failures) >= 2
    assert {failure.reason for failure in failures} == {"RATE_LIMITED"}
    assert all(0 < failure.retry_after <= 60 for failure in failures)
