import asyncio

import pytest
from grpc import StatusCode
from sqlalchemy import func, select, update

from gen.ingate.auth.v1 import auth_service_pb2 as pb
from gen.ingate.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from ingate import clock
from ingate.identity.tables import Session
from tests.support.tenants import PASSWORD, refusal, signup_request, via_gateway


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return AuthServiceStub


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


def login(tenant, **fields):
    return pb.LoginRequest(**{"email": tenant.email, "password": PASSWORD} | fields)


async def test_each_login_is_a_session_of_its_own(grpc_stub, tenant):
    """Two sessions work side by side and act in the organisation that was joined first."""
    first, second = [await grpc_stub.Login(login(tenant), metadata=tenant.via) for _ in range(2)]
    assert first.token != second.token
    assert first.org == tenant.answer.org
    for answer in (first, second):
        me = await grpc_stub.Me(pb.MeRequest(), metadata=bearer(answer.token))
        assert me.user == tenant.answer.user


async def test_an_organisation_is_chosen_by_its_slug(grpc_stub, tenant, stranger):
    """One's own works; another's is refused in the words for a wrong password."""
    own = await grpc_stub.Login(login(tenant, org_slug=tenant.answer.org.slug), metadata=tenant.via)
    assert own.org.id == tenant.org_id
    wrong = await refusal(grpc_stub.Login(login(tenant, password="wrong"), metadata=tenant.via))
    for slug in (stranger.answer.org.slug, "no-such-organisation", "%", "🤖"):
        failure = await refusal(grpc_stub.Login(login(tenant, org_slug=slug), metadata=tenant.via))
        assert failure == wrong


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(grpc_stub, tenant):
    """Whoever guesses does not learn which addresses have accounts."""
    attempts = [
        login(tenant, password="wrong"),
        login(tenant, password=PASSWORD + "x"),
        login(tenant, password=PASSWORD.upper()),
        login(tenant, email="nobody@nowhere.example"),
        login(tenant, email="' OR 1=1 --"),
        login(tenant, email="🤖"),
    ]
    failures = [await refusal(grpc_stub.Login(attempt, metadata=tenant.via)) for attempt in attempts]
    assert all(failure == failures[0] for failure in failures)
    assert (failures[0].code, failures[0].reason) == (StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": ""}, "email"),
        ({"email": "x" * 255}, "email"),
        ({"email": "ﷺ" * 200}, "email"),
        ({"password": ""}, "password"),
        ({"password": "x" * 1025}, "password"),
        ({"org_slug": "x" * 64}, "org_slug"),
        ({"email": "a\0b@c.de"}, "email"),
    ],
)
async def test_a_login_that_makes_no_sense_is_refused(grpc_stub, bystander, fields, field):
    """The refusal names the field."""
    failure = await refusal(grpc_stub.Login(login(bystander, **fields), metadata=bystander.via))
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, [field])


async def test_the_eleventh_sign_up_from_an_address_waits(grpc_stub, core):
    """Ten organisations in fifteen minutes; other addresses are not held back."""
    via = via_gateway(core.gateway_token)
    for _ in range(10):
        await grpc_stub.Signup(signup_request(), metadata=via)
    failure = await refusal(grpc_stub.Signup(signup_request(), metadata=via))
    assert (failure.code, failure.reason) == (StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert 0 < failure.retry_after <= 15 * 60
    assert (await grpc_stub.Signup(signup_request(), metadata=via_gateway(core.gateway_token))).token


async def test_a_logout_ends_this_session_at_once_and_no_other(grpc_stub, tenant):
    """The next call with the token is unauthenticated, and so is a second logout."""
    other = await grpc_stub.Login(login(tenant), metadata=tenant.via)
    await grpc_stub.Logout(pb.LogoutRequest(), metadata=tenant.owner)
    for call in (
        grpc_stub.Me(pb.MeRequest(), metadata=tenant.owner),
        grpc_stub.Logout(pb.LogoutRequest(), metadata=tenant.owner),
    ):
        assert (await refusal(call)).code is StatusCode.UNAUTHENTICATED
    assert (await grpc_stub.Me(pb.MeRequest(), metadata=bearer(other.token))).user == tenant.answer.user


async def test_logouts_at_the_same_time_are_one_logout(grpc_stub, tenant):
    """Each either ends the session or finds it ended."""
    calls = [grpc_stub.Logout(pb.LogoutRequest(), metadata=tenant.owner) for _ in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(result, pb.LogoutResponse) for result in results)
    codes = {result.code() for result in results if isinstance(result, Exception)}
    assert codes <= {StatusCode.UNAUTHENTICATED}


async def test_a_key_has_no_session_to_end(grpc_stub, tenant):
    """A logout with a key is refused, and the key goes on working."""
    failure = await refusal(grpc_stub.Logout(pb.LogoutRequest(), metadata=tenant.key))
    assert failure.code in {StatusCode.INVALID_ARGUMENT, StatusCode.PERMISSION_DENIED}
    assert (await grpc_stub.Me(pb.MeRequest(), metadata=tenant.key)).org.id == tenant.org_id


async def test_an_expired_session_is_refused_and_swept(grpc_stub, tenant, core):
    """It stops at its time, and the next logout of anyone clears it away."""
    mine = Session.user_id == tenant.answer.user.id
    other = await grpc_stub.Login(login(tenant), metadata=tenant.via)
    assert (await grpc_stub.Me(pb.MeRequest(), metadata=tenant.owner)).role
    async with core.database.write() as db:
        newest = await db.scalar(select(func.max(Session.id)).where(mine))
        await db.execute(update(Session).where(mine, Session.id != newest).values(expires_at=clock.now()))
    failure = await refusal(grpc_stub.Me(pb.MeRequest(), metadata=tenant.owner))
    assert failure.code is StatusCode.UNAUTHENTICATED
    await grpc_stub.Logout(pb.LogoutRequest(), metadata=bearer(other.token))
    async with core.database.read() as db:
        assert await db.scalar(select(func.count()).select_from(Session).where(mine)) == 0


@pytest.mark.parametrize("secret", ["", "ses-ingate-", "ses-ingate-x", "sk-ingate-x", "x" * 5000])
async def test_made_up_credentials_are_refused_in_the_same_words(grpc_stub, tenant, secret):
    """Nothing tells apart what never was and what has ended."""
    await grpc_stub.Logout(pb.LogoutRequest(), metadata=tenant.owner)
    ended = await refusal(grpc_stub.Me(pb.MeRequest(), metadata=tenant.owner))
    failure = await refusal(grpc_stub.Me(pb.MeRequest(), metadata=bearer(secret)))
    assert failure.code is StatusCode.UNAUTHENTICATED
    assert not secret or failure == ended


async def test_a_gateway_alone_is_nobody(grpc_stub, gateway):
    """The gateway's token is no credential of a person or key."""
    for metadata in (gateway, ()):
        assert (await refusal(grpc_stub.Me(pb.MeRequest(), metadata=metadata))).code is StatusCode.UNAUTHENTICATED
