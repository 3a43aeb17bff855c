"""Invitations: offered once, taken up once, by whom they are for."""

import asyncio

import pytest
from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, ROLE_MEMBER, ROLE_OWNER, ROLE_VIEWER
from gen.ingate.auth.v1.auth_service_pb2 import AcceptInvitationRequest, LoginRequest, MeRequest
from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest
from gen.ingate.orgs.v1.member_service_pb2 import (
    InviteMemberRequest,
    ListInvitationsRequest,
    ListMembersRequest,
    RemoveMemberRequest,
    RevokeInvitationRequest,
)
from ingate import clock, ids
from ingate.identity.tables import Invitation, Member, User
from tests.support import tenancy
from tests.support.tenancy import PASSWORD

site, grpc_channel = tenancy.site, tenancy.grpc_channel
OK, REFUSED = StatusCode.OK, StatusCode.UNAUTHENTICATED


def accept(token, password=PASSWORD, **fields):
    return AcceptInvitationRequest(token=token, password=password, **fields)


async def test_an_invitation_makes_an_account_and_a_member(site):
    """Whoever has the token joins with the role offered, and is signed in there; the token is stored as a hash."""
    org = await site.found()
    email = f"New.Person@{org.slug}.Example"
    offered = await site.invite(org, ROLE_VIEWER, email)
    assert offered.token.startswith("inv-ingate-")
    hours = clock.from_proto(offered.invitation.expires_at) - clock.from_proto(offered.invitation.created_at)
    assert hours == 168 * clock.HOUR
    stored = await site.value(Invitation.token_hash, Invitation.id == offered.invitation.id)
    assert stored == ids.secret_hash(offered.token)
    made = await site.call(accept(offered.token, display_name="Newt"))
    assert (made.user.email, made.user.display_name, made.org.id) == (email, "Newt", org.id)
    me = await site.call(MeRequest(), tenancy.Person("", "", made.token))
    assert (me.role, me.org.id) == (ROLE_VIEWER, org.id)
    login = LoginRequest(email=email.upper(), password=PASSWORD)
    assert (await site.call(login)).org.id == org.id
    assert await site.count(Invitation, Invitation.org_id == org.id) == 0


async def test_an_existing_account_joins_with_its_password(site):
    """The wrong password leaves the invitation as it is and the account untouched."""
    org, other = await site.found(), await site.found()
    offered = await site.invite(org, ROLE_ADMIN, other.owner.email.upper())
    assert await site.code(accept(offered.token, "not the password")) is REFUSED
    assert await site.count(Member, Member.user_id == other.owner.user_id) == 1
    made = await site.call(accept(offered.token))
    assert (made.user.id, made.org.id) == (other.owner.user_id, org.id)
    assert await site.count(Member, Member.user_id == other.owner.user_id) == 2
    assert (await site.call(LoginRequest(email=other.owner.email, password=PASSWORD))).org.id == other.id
    assert await site.count(User, User.email_key == other.owner.email.lower()) == 1


@pytest.mark.parametrize("known", [False, True])
async def test_an_invitation_is_taken_up_once(site, known):
    """Of concurrent acceptances exactly one succeeds, with a new account or an old one."""
    org = await site.found()
    email = (await site.found()).owner.email if known else ""
    offered = await site.invite(org, email=email)
    codes = await asyncio.gather(*(site.code(accept(offered.token)) for _ in range(6)))
    assert codes.count(OK) == 1
    assert set(codes) - {OK} <= {REFUSED, StatusCode.ALREADY_EXISTS}
    assert await site.code(accept(offered.token)) is REFUSED
    assert await site.count(Member, Member.org_id == org.id) == 2
    assert await site.count(User, User.email == offered.invitation.email) == 1


async def test_an_invitation_expires(site):
    """Past its time it is not listed and cannot be taken up."""
    org = await site.found()
    offered = await site.invite(org, expires_in_hours=1)
    past = "UPDATE invitations SET expires_at = :now WHERE id = :id"
    await site.sql(past, now=clock.now() - 1, id=offered.invitation.id)
    assert await site.code(accept(offered.token)) is REFUSED
    listed = await site.call(ListInvitationsRequest(org_id=org.id), org.owner)
    assert (list(listed.items), listed.total) == ([], 0)


async def test_a_new_invitation_replaces_the_old(site):
    """The address has one invitation; the older token is worthless."""
    org = await site.found()
    first = await site.invite(org, ROLE_MEMBER, f"twice@{org.slug}.example")
    second = await site.invite(org, ROLE_ADMIN, f"TWICE@{org.slug}.example")
    listed = await site.call(ListInvitationsRequest(org_id=org.id), org.owner)
    assert [item.id for item in listed.items] == [second.invitation.id]
    assert await site.code(accept(first.token)) is REFUSED
    assert await site.code(accept(second.token)) is OK


async def test_concurrent_invitations_leave_one(site):
    """Of those who invite an address at the same time, none sees a failure of ours; one invitation is left."""
    org = await site.found()
    request = InviteMemberRequest(org_id=org.id, email=f"crowd@{org.slug}.example")
    outcomes = await asyncio.gather(*(site.outcome(request, org.owner) for _ in range(6)))
    assert {code for code, _ in outcomes} <= {OK, StatusCode.ALREADY_EXISTS}
    assert await site.count(Invitation, Invitation.org_id == org.id) == 1
    tokens = [answer.token for code, answer in outcomes if code is OK]
    assert [await site.code(accept(token)) for token in tokens].count(OK) == 1


async def test_a_revoked_invitation_is_worthless(site):
    """It is gone from the list, its token opens nothing, and it cannot be revoked again."""
    org = await site.found()
    offered = await site.invite(org)
    revoke = RevokeInvitationRequest(org_id=org.id, invitation_id=offered.invitation.id)
    await site.call(revoke, org.owner)
    assert await site.code(accept(offered.token)) is REFUSED
    assert await site.code(revoke, org.owner) is StatusCode.NOT_FOUND


@pytest.mark.parametrize("token", ["inv-ingate-", "inv-ingate-" + "A" * 43, "' OR 1=1 --", "🤖"])
async def test_a_token_that_is_none_is_refused(site, token):
    """An unknown token is refused in the words for one that is used or expired."""
    code, error = await site.outcome(accept(token))
    assert code is REFUSED
    assert "unknown, used or expired" in error.details()


async def test_who_is_in_cannot_be_invited(site):
    """A member's address is a conflict that names the field; an owner is only offered by an owner."""
    org = await site.found()
    admin = await site.join(org, ROLE_ADMIN)
    again = InviteMemberRequest(org_id=org.id, email=org.owner.email.upper())
    assert await site.code(again, org.owner) is StatusCode.ALREADY_EXISTS
    owner = InviteMemberRequest(org_id=org.id, email="heir@example.com", role=ROLE_OWNER)
    assert await site.code(owner, admin) is StatusCode.PERMISSION_DENIED
    assert await site.code(owner, org.owner) is OK


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "nobody"},
        {"email": "a@b@c.example"},
        {"email": "x" * 250 + "@a.example"},
        {"email": "ﷺ" * 15 + "@a.example"},
        {"role": 0},
        {"role": 99},
        {"expires_in_hours": 0},
        {"expires_in_hours": 721},
    ],
)
async def test_an_invitation_that_makes_no_sense_is_refused(site, fields):
    """Nothing is stored."""
    org = await site.found()
    request = InviteMemberRequest(**{"org_id": org.id, "email": "a@b.example", **fields})
    assert await site.code(request, org.owner) is StatusCode.INVALID_ARGUMENT
    assert await site.count(Invitation, Invitation.org_id == org.id) == 0


async def test_who_was_removed_can_be_invited_again(site):
    """They come back with their old account, in the role offered now; their older sessions stay outside."""
    org = await site.found()
    person = await site.join(org, ROLE_ADMIN)
    await site.call(RemoveMemberRequest(org_id=org.id, user_id=person.user_id), org.owner)
    again = await site.join(org, ROLE_MEMBER, person.email)
    assert again.user_id == person.user_id
    assert (await site.call(MeRequest(), again)).role == ROLE_MEMBER
    assert await site.code(ListKeysRequest(), again) is OK
    assert await site.code(ListKeysRequest(), person) is StatusCode.PERMISSION_DENIED
    members = await site.call(ListMembersRequest(org_id=org.id), again)
    assert members.total == 2
