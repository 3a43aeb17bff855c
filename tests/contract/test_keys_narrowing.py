"""What makes a key, or gives somebody a role, never gives more than it holds."""

import asyncio

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import (
    ROLE_ADMIN,
    ROLE_MEMBER,
    ROLE_OWNER,
    ROLE_VIEWER,
    SCOPE_ADMIN,
    SCOPE_PROXY,
    SCOPE_READ,
    SCOPE_WRITE,
)
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest, RotateKeyRequest, UpdateKeyRequest
from gen.ingate.orgs.v1.app_service_pb2 import CreateAppRequest
from gen.ingate.orgs.v1.member_service_pb2 import InviteMemberRequest, RemoveMemberRequest, UpdateMemberRequest
from gen.ingate.orgs.v1.team_service_pb2 import CreateTeamRequest
from ingate import clock
from ingate.identity.scopes import unpack
from ingate.identity.tables import Key
from tests.support import tenancy

site, grpc_channel = tenancy.site, tenancy.grpc_channel
OK, DENIED, BAD = StatusCode.OK, StatusCode.PERMISSION_DENIED, StatusCode.INVALID_ARGUMENT


def create(role=ROLE_MEMBER, scopes=(), **fields):
    return CreateKeyRequest(name="made", role=role, scopes=scopes, **fields)


def later(hours):
    return Timestamp(seconds=(clock.now() + hours * clock.HOUR) // clock.SECOND)


async def admin_key(site, org, *scopes, **fields):
    return await site.key(org, role=ROLE_ADMIN, scopes=[SCOPE_ADMIN, *scopes], **fields)


async def test_a_key_makes_no_key_with_scopes_that_it_lacks(site):
    """Neither by asking for them nor by asking for none; what it holds it can give, and no higher role than its own."""
    org = await site.found()
    admin, reader = await admin_key(site, org), await admin_key(site, org, SCOPE_READ)
    for scopes in ([SCOPE_PROXY], [SCOPE_ADMIN, SCOPE_READ, SCOPE_PROXY, SCOPE_WRITE]):
        code, error = await site.outcome(create(ROLE_ADMIN, scopes), admin)
        assert (code, "proxy" in error.details()) == (DENIED, True)
    assert await site.code(create(), admin) is BAD
    for who, role, expected in (
        (reader, ROLE_MEMBER, {SCOPE_READ}),
        (reader, ROLE_ADMIN, {SCOPE_READ, SCOPE_ADMIN}),
        (admin, ROLE_ADMIN, {SCOPE_ADMIN}),
    ):
        assert set((await site.call(create(role), who)).description.scopes) == expected
    assert await site.code(create(ROLE_OWNER, [SCOPE_ADMIN]), admin) is DENIED
    assert await site.code(create(ROLE_MEMBER), org.owner) is OK


async def test_a_key_is_rotated_only_by_who_could_make_it(site):
    """For whoever rotates is shown the secret: not by a key with fewer scopes, but by the key itself and by people."""
    org = await site.found()
    admin, proxy = await admin_key(site, org), await site.key(org, scopes=[SCOPE_PROXY])
    assert await site.code(RotateKeyRequest(key_id=proxy.id), admin) is DENIED
    assert await site.code(RotateKeyRequest(key_id=admin.id), admin) is OK
    assert await site.code(RotateKeyRequest(key_id=proxy.id), org.owner) is OK


async def test_a_change_gives_a_key_nothing_that_the_caller_lacks(site):
    """No scope, to itself or another, and no role for scopes that it lacks; taking away and renaming is free."""
    org = await site.found()
    admin = await admin_key(site, org)
    member = await site.key(org, role=ROLE_MEMBER, scopes=[SCOPE_PROXY, SCOPE_READ])
    for request in (
        UpdateKeyRequest(key_id=admin.id, scopes=[SCOPE_ADMIN, SCOPE_PROXY]),
        UpdateKeyRequest(key_id=member.id, scopes=[SCOPE_PROXY, SCOPE_READ, SCOPE_WRITE]),
        UpdateKeyRequest(key_id=member.id, role=ROLE_ADMIN),
    ):
        assert await site.code(request, admin) is DENIED, request
    assert unpack(await site.value(Key.scopes, Key.id == member.id)) == {SCOPE_PROXY, SCOPE_READ}
    for request in (
        UpdateKeyRequest(key_id=member.id, name="renamed"),
        UpdateKeyRequest(key_id=member.id, scopes=[SCOPE_READ]),
        UpdateKeyRequest(key_id=member.id, role=ROLE_VIEWER),
    ):
        assert await site.code(request, admin) is OK, request


async def test_a_key_gives_no_time_that_it_does_not_have(site):
    """What an ending key makes ends with it; it prolongs no key, and rotates none that lasts longer."""
    org = await site.found()
    ending = await admin_key(site, org, SCOPE_READ, expires_at=later(2))
    mine = await site.value(Key.expires_at, Key.id == ending.id)
    made = (await site.call(create(ROLE_MEMBER), ending)).description
    assert clock.from_proto(made.expires_at) == mine
    shorter = (await site.call(create(ROLE_MEMBER, expires_at=later(1)), ending)).description
    assert clock.from_proto(shorter.expires_at) < mine
    lasting = await site.key(org, scopes=[SCOPE_READ])
    for request in (
        create(ROLE_MEMBER, expires_at=later(3)),
        UpdateKeyRequest(key_id=ending.id, expires_at=later(3)),
        UpdateKeyRequest(key_id=shorter.id, expires_at=later(3)),
        RotateKeyRequest(key_id=lasting.id),
    ):
        assert await site.code(request, ending) is DENIED, request
    for request in (
        UpdateKeyRequest(key_id=lasting.id, expires_at=later(5)),
        UpdateKeyRequest(key_id=ending.id, expires_at=later(1)),
        RotateKeyRequest(key_id=ending.id),
    ):
        assert await site.code(request, ending) is OK, request
    # Rotated, it has only its overlap left to give.
    last = (await site.call(create(ROLE_MEMBER), ending)).description
    assert clock.from_proto(last.expires_at) <= clock.now() + clock.HOUR
    assert await site.code(UpdateKeyRequest(key_id=lasting.id, expires_at=later(9)), org.owner) is OK


async def test_a_bound_key_makes_bound_keys(site):
    """Those of an application or a team are of the same one; it rotates no other."""
    org = await site.found()
    app = (await site.call(CreateAppRequest(org_id=org.id, name="app"), org.owner)).app
    other = (await site.call(CreateAppRequest(org_id=org.id, name="other"), org.owner)).app
    team = (await site.call(CreateTeamRequest(org_id=org.id, name="team"), org.owner)).team
    bound = await admin_key(site, org, SCOPE_READ, app_id=app.id, team_id=team.id)
    made = (await site.call(create(ROLE_MEMBER), bound)).description
    assert (made.app_id, made.team_id) == (app.id, team.id)
    free = await site.key(org, scopes=[SCOPE_READ])
    for request in (create(ROLE_MEMBER, app_id=other.id), RotateKeyRequest(key_id=free.id)):
        assert await site.code(request, bound) is DENIED


async def test_a_key_gives_people_no_more_than_it_holds(site):
    """It invites to a role, or raises to one, with all of whose scopes it could act for as long."""
    org = await site.found()
    person = await site.join(org, ROLE_VIEWER)
    full = await site.key(org, role=ROLE_ADMIN)
    narrow, ending = await admin_key(site, org), await site.key(org, role=ROLE_ADMIN, expires_at=later(1))
    for key, expected in ((narrow, DENIED), (ending, DENIED), (full, OK)):
        invite = InviteMemberRequest(org_id=org.id, email=f"p{site.number()}@x.example", role=ROLE_ADMIN)
        assert await site.code(invite, key) is expected
        change = UpdateMemberRequest(org_id=org.id, user_id=person.user_id, role=ROLE_ADMIN)
        assert await site.code(change, key) is expected
    assert await site.code(InviteMemberRequest(org_id=org.id, email="v@x.example", role=ROLE_VIEWER), narrow) is DENIED
    lower = UpdateMemberRequest(org_id=org.id, user_id=person.user_id, role=ROLE_VIEWER)
    assert await site.code(lower, narrow) is OK


@pytest.mark.parametrize("by", ["person", "key"])
async def test_nothing_is_given_away_at_the_last_moment(site, by):
    """Of keys made while their maker is removed, none is left, whichever comes first."""
    for _ in range(3):
        org = await site.found()
        person = await site.join(org, ROLE_ADMIN)
        maker = person if by == "person" else await site.key(org, person, role=ROLE_ADMIN)
        requests = [site.code(create(), maker) for _ in range(4)]
        removal = site.code(RemoveMemberRequest(org_id=org.id, user_id=person.user_id), org.owner)
        *codes, removed = await asyncio.gather(*requests[:2], removal, *requests[2:])
        assert OK in {removed, *codes}
        live = (Key.created_by == person.user_id, Key.revoked_at.is_(None))
        assert await site.count(Key, *live) == 0
