"""Roles in an organisation: who may change whom, and that an owner stays."""

import asyncio

import pytest
from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, ROLE_MEMBER, ROLE_OWNER, ROLE_VIEWER
from gen.ingate.auth.v1.auth_service_pb2 import MeRequest
from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest
from gen.ingate.orgs.v1.member_service_pb2 import ListMembersRequest, RemoveMemberRequest, UpdateMemberRequest
from gen.ingate.orgs.v1.team_service_pb2 import CreateTeamRequest, ListTeamsRequest
from ingate.identity.tables import Member
from tests.support import tenancy

site, grpc_channel = tenancy.site, tenancy.grpc_channel
OK, DENIED, CONFLICT = StatusCode.OK, StatusCode.PERMISSION_DENIED, StatusCode.ALREADY_EXISTS
RACES = 5


def change(org, person, role):
    return UpdateMemberRequest(org_id=org.id, user_id=person.user_id, role=role)


def remove(org, person):
    return RemoveMemberRequest(org_id=org.id, user_id=person.user_id)


async def roles(site, org):
    """Returns the role of each member by e-mail."""
    listed = await site.call(ListMembersRequest(org_id=org.id), org.owner)
    assert listed.total == len(listed.items)
    return {member.email: member.role for member in listed.items}


async def test_members_are_listed_with_their_roles(site):
    """Each member once, first joined first, in pages."""
    org = await site.found()
    people = [await site.join(org, role) for role in (ROLE_VIEWER, ROLE_MEMBER, ROLE_ADMIN, ROLE_OWNER)]
    assert list(await roles(site, org)) == [org.owner.email, *(person.email for person in people)]
    assert list((await roles(site, org)).values()) == [ROLE_OWNER, ROLE_VIEWER, ROLE_MEMBER, ROLE_ADMIN, ROLE_OWNER]
    page = await site.call(ListMembersRequest(org_id=org.id, limit=2, offset=4), people[0])
    assert ([member.email for member in page.items], page.total) == ([people[3].email], 5)


async def test_a_role_changes_what_the_next_call_may(site):
    """A session feels its person's new role at once, both ways."""
    org = await site.found()
    person = await site.join(org, ROLE_VIEWER)
    assert await site.code(ListKeysRequest(), person) is DENIED
    assert (await site.call(change(org, person, ROLE_MEMBER), org.owner)).member.role == ROLE_MEMBER
    assert await site.code(ListKeysRequest(), person) is OK
    await site.call(change(org, person, ROLE_VIEWER), org.owner)
    assert await site.code(ListKeysRequest(), person) is DENIED


@pytest.mark.parametrize("role", [0, 99, -1])
async def test_a_role_that_is_none_is_refused(site, role):
    """The refusal names the field."""
    org = await site.found()
    code, error = await site.outcome(change(org, org.owner, role), org.owner)
    assert (code, "role" in error.details()) == (StatusCode.INVALID_ARGUMENT, True)


async def test_an_admin_cannot_touch_owners(site):
    """Neither change nor remove one, nor make one of themselves, nor invite one."""
    org = await site.found()
    admin, other = await site.join(org, ROLE_ADMIN), await site.join(org, ROLE_OWNER)
    for request in (
        change(org, other, ROLE_MEMBER),
        change(org, other, ROLE_OWNER),
        change(org, admin, ROLE_OWNER),
        remove(org, other),
    ):
        assert await site.code(request, admin) is DENIED, request
    key = await site.key(org, role=ROLE_ADMIN)
    assert await site.code(remove(org, other), key) is DENIED
    assert await site.code(change(org, admin, ROLE_OWNER), key) is DENIED
    assert (await roles(site, org))[other.email] == ROLE_OWNER


async def test_members_cannot_remove_others_but_may_leave(site):
    """Leaving takes no role; a key has nobody to leave as."""
    org = await site.found()
    viewer, other = await site.join(org, ROLE_VIEWER), await site.join(org, ROLE_VIEWER)
    assert await site.code(remove(org, other), viewer) is DENIED
    assert await site.code(remove(org, viewer), viewer) is OK
    assert viewer.email not in await roles(site, org)
    assert await site.code(remove(org, viewer), org.owner) is StatusCode.NOT_FOUND


async def test_the_last_owner_stays(site):
    """They can neither leave, nor step down, nor be removed by a key; with a second owner they can."""
    org = await site.found()
    assert await site.code(remove(org, org.owner), org.owner) is CONFLICT
    assert await site.code(change(org, org.owner, ROLE_ADMIN), org.owner) is CONFLICT
    key = await site.key(org, role=ROLE_OWNER)
    assert await site.code(remove(org, org.owner), key) is CONFLICT
    assert await site.code(change(org, org.owner, ROLE_OWNER), org.owner) is OK
    second = await site.join(org, ROLE_OWNER)
    assert await site.code(remove(org, org.owner), org.owner) is OK
    assert await site.code(remove(org, second), second) is CONFLICT


@pytest.mark.parametrize("step", ["leave", "resign", "oust"])
async def test_of_two_owners_who_go_at_once_one_stays(site, step):
    """However they go, the organisation keeps exactly one owner."""
    for _ in range(RACES):
        org = await site.found()
        second = await site.join(org, ROLE_OWNER)
        pairs = {
            "leave": [(remove(org, org.owner), org.owner), (remove(org, second), second)],
            "resign": [(change(org, org.owner, ROLE_MEMBER), org.owner), (change(org, second, ROLE_MEMBER), second)],
            "oust": [(remove(org, second), org.owner), (remove(org, org.owner), second)],
        }[step]
        codes = await asyncio.gather(*(site.code(request, who) for request, who in pairs))
        assert codes.count(OK) == 1, codes
        assert set(codes) - {OK} <= {CONFLICT, DENIED, StatusCode.NOT_FOUND}
        assert await site.count(Member, Member.org_id == org.id, Member.role == ROLE_OWNER) == 1


async def test_an_heir_is_not_removed_while_becoming_owner(site):
    """Somebody who is made owner and removed at once is gone only while another owner is left."""
    for _ in range(RACES):
        org = await site.found()
        heir, admin = await site.join(org, ROLE_MEMBER), await site.join(org, ROLE_ADMIN)

        async def hand_over(org=org, heir=heir):
            made = await site.code(change(org, heir, ROLE_OWNER), org.owner)
            return {made, await site.code(remove(org, org.owner), org.owner)}

        codes, *others = await asyncio.gather(hand_over(), *(site.code(remove(org, heir), admin) for _ in range(3)))
        assert {*codes, *others} <= {OK, CONFLICT, DENIED, StatusCode.NOT_FOUND}
        assert await site.count(Member, Member.org_id == org.id, Member.role == ROLE_OWNER) >= 1


async def test_who_is_removed_loses_access_at_once(site):
    """Their session and seats in teams are gone with the membership; the account stays, in no organisation."""
    org = await site.found()
    person = await site.join(org)
    await site.call(CreateTeamRequest(org_id=org.id, name="t", member_ids=[person.user_id]), org.owner)
    await site.call(remove(org, person), org.owner)
    assert await site.code(ListKeysRequest(), person) is DENIED
    assert await site.code(ListTeamsRequest(org_id=org.id), person) is StatusCode.NOT_FOUND
    me = await site.call(MeRequest(), person)
    assert (me.user.id, me.HasField("org"), me.role) == (person.user_id, False, 0)
    teams = await site.call(ListTeamsRequest(org_id=org.id), org.owner)
    assert list(teams.items[0].member_ids) == []
