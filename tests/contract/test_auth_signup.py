import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from sqlalchemy import select

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER, ROLE_OWNER
from gen.ingate.auth.v1 import auth_service_pb2 as pb
from gen.ingate.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from ingate import clock
from ingate.identity.tables import Key, Session, User
from ingate.rpc.status import from_rpc_error
from tests.support.tenants import PASSWORD, refusal, signup_request, unique, via_gateway


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return AuthServiceStub


async def test_a_sign_up_makes_all_that_is_needed(grpc_stub, grpc_channel, via):
    """Organisation, owner, member key and session are there, and both credentials work at once."""
    request = signup_request(org_name="  Ünïted 🌍 Ltd ", display_name="Zoë")
    answer = await grpc_stub.Signup(request, metadata=via)
    assert (answer.org.slug, answer.org.name, answer.org.plan) == (request.org_slug, "Ünïted 🌍 Ltd", "enterprise")
    assert (answer.user.email, answer.user.display_name) == (request.email, "Zoë")
    assert clock.now() < clock.from_proto(answer.expires_at) <= clock.now() + 24 * clock.HOUR
    person = await grpc_stub.Me(pb.MeRequest(), metadata=(("authorization", f"Bearer {answer.token}"),))
    assert (person.user, person.org, person.role) == (answer.user, answer.org, ROLE_OWNER)
    assert not person.HasField("key_id")
    key = await grpc_stub.Me(pb.MeRequest(), metadata=(("x-ingate-key", answer.api_key),))
    assert (key.org, key.role, key.HasField("user")) == (answer.org, ROLE_MEMBER, False)
    listed = await KeyServiceStub(grpc_channel).ListKeys(
        ListKeysRequest(), metadata=(("x-ingate-key", answer.api_key),)
    )
    assert [item.id for item in listed.items] == [key.key_id]


async def test_names_that_are_not_given_come_from_slug_and_address(grpc_stub, via):
    """Blank names count as not given, and a long local part is cut to what a name may be."""
    request = signup_request(org_name="  ", display_name="\t", email=f"{'x' * 230}@{unique('m')}.io")
    answer = await grpc_stub.Signup(request, metadata=via)
    assert (answer.org.name, answer.user.display_name) == (request.org_slug, "x" * 200)


async def test_secrets_are_stored_as_hashes(grpc_stub, via, core):
    """No row holds the password, the token or the key."""
    answer = await grpc_stub.Signup(signup_request(), metadata=via)
    async with core.database.read() as db:
        user = await db.get_one(User, answer.user.id)
        key = await db.scalar(select(Key).where(Key.org_id == answer.org.id))
        session = await db.scalar(select(Session).where(Session.user_id == user.id))
    assert user.password_hash.startswith("$argon2id$")
    stored = repr([vars(row) for row in (user, key, session)])
    assert not any(secret in stored for secret in (PASSWORD, answer.token, answer.api_key))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": ""}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b"}, "email"),
        ({"email": "a@b@c.de"}, "email"),
        ({"email": "a b@c.de"}, "email"),
        ({"email": "a\r\nb@c.de"}, "email"),
        ({"email": "a\0@c.de"}, "email"),
        ({"email": "@c.de"}, "email"),
        ({"email": f"{'x' * 250}@c.de"}, "email"),
        # One character that stands for eighteen.
        ({"email": f"{'ﷺ' * 20}@c.de"}, "email"),
        ({"password": ""}, "password"),
        ({"password": "1234567"}, "password"),
        ({"password": "x" * 1025}, "password"),
        ({"password": "long enough\0"}, "password"),
        ({"org_slug": ""}, "org_slug"),
        ({"org_slug": "-acme"}, "org_slug"),
        ({"org_slug": "Acme"}, "org_slug"),
        ({"org_slug": "ac/me"}, "org_slug"),
        ({"org_slug": "acmé"}, "org_slug"),
        ({"org_slug": "acme\n"}, "org_slug"),
        ({"org_slug": "a" * 64}, "org_slug"),
        ({"org_name": "x" * 201}, "org_name"),
        ({"org_name": "a\0b"}, "org_name"),
        ({"display_name": "x" * 201}, "display_name"),
    ],
)
async def test_a_sign_up_that_makes_no_sense_is_refused(grpc_stub, via, fields, field):
    """The refusal names the field and quotes no value."""
    failure = await refusal(grpc_stub.Signup(signup_request(**fields), metadata=via))
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, [field])
    assert not fields[field] or fields[field] not in failure.message


@pytest.mark.parametrize("email", ["{}@\uff45xample.de", "{}ß@straße.de", "{}+tag@例え.jp", "{}🤖@x.io"])
async def test_unicode_addresses_sign_up_and_in(grpc_stub, via, email):
    """What was signed up signs in, in another spelling of the same address too, and comes back as it was written."""
    email = email.format(unique("u"))
    answer = await grpc_stub.Signup(signup_request(email=email), metadata=via)
    assert answer.user.email == email
    for spelling in (email, email.upper(), email.replace("\uff45", "e").replace("ß", "SS")):
        signed_in = await grpc_stub.Login(pb.LoginRequest(email=spelling, password=PASSWORD), metadata=via)
        assert signed_in.user == answer.user


@pytest.mark.parametrize("field", ["email", "org_slug"])
async def test_what_is_taken_is_named(grpc_stub, via, field):
    """A second sign-up with the address, in any case, or with the slug is a conflict, and leaves nothing."""
    first = signup_request()
    await grpc_stub.Signup(first, metadata=via)
    taken = getattr(first, field)
    again = signup_request(**{field: taken.upper() if field == "email" else taken})
    failure = await refusal(grpc_stub.Signup(again, metadata=via))
    assert (failure.code, failure.reason) == (StatusCode.ALREADY_EXISTS, "CONFLICT")
    assert list(failure.fields) == [field]
    other = pb.SignupRequest()
    other.CopyFrom(again)
    setattr(other, field, getattr(signup_request(), field))
    assert (await grpc_stub.Signup(other, metadata=via)).token


async def together(grpc_stub, core, requests):
    """Signs up all at once, each from its own address; returns the answers and the failures."""
    calls = [grpc_stub.Signup(request, metadata=via_gateway(core.gateway_token)) for request in requests]
    results = await asyncio.gather(*calls, return_exceptions=True)
    failures = [from_rpc_error(result) for result in results if isinstance(result, AioRpcError)]
    return [result for result in results if isinstance(result, pb.SignupResponse)], failures


@pytest.mark.parametrize("field", ["email", "org_slug"])
async def test_of_those_who_come_at_once_one_gets_it(grpc_stub, core, field):
    """The same address or slug six times at once: one account, five conflicts."""
    wanted = getattr(signup_request(), field)
    answers, failures = await together(grpc_stub, core, [signup_request(**{field: wanted}) for _ in range(6)])
    assert len(answers) == 1
    assert [failure.code for failure in failures] == [StatusCode.ALREADY_EXISTS] * 5
    password = pb.LoginRequest(email=answers[0].user.email, password=PASSWORD)
    assert (await grpc_stub.Login(password, metadata=via_gateway(core.gateway_token))).org == answers[0].org


async def test_those_who_want_different_things_do_not_wait_in_vain(grpc_stub, core):
    """Eight organisations at once are eight organisations."""
    answers, failures = await together(grpc_stub, core, [signup_request() for _ in range(8)])
    assert not failures
    assert len({answer.org.id for answer in answers}) == 8
