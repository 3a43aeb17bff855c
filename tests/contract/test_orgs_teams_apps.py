"""Teams and applications: who is in them, and what becomes of keys when they go."""

import asyncio

from grpc import StatusCode

from gen.ingate.auth.v1.auth_service_pb2 import MeRequest
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest, GetKeyRequest
from gen.ingate.orgs.v1 import app_service_pb2 as apps
from gen.ingate.orgs.v1 import team_service_pb2 as teams
from ingate import clock
from ingate.identity.tables import App, Key, Team, TeamMember
from tests.support import tenancy

site, grpc_channel = tenancy.site, tenancy.grpc_channel
OK, BAD, TAKEN, NOTHING = (
    StatusCode.OK,
    StatusCode.INVALID_ARGUMENT,
    StatusCode.ALREADY_EXISTS,
    StatusCode.NOT_FOUND,
)


async def team(site, org, name="blue", people=()):
    made = teams.CreateTeamRequest(org_id=org.id, name=name, member_ids=[person.user_id for person in people])
    return (await site.call(made, org.owner)).team


async def app(site, org, name="shop", **fields):
    return (await site.call(apps.CreateAppRequest(org_id=org.id, name=name, **fields), org.owner)).app


async def test_a_team_has_people(site):
    """People are replaced as a whole, emptied when asked, left when not mentioned; doubles count once."""
    org = await site.found()
    ann, bob = await site.join(org), await site.join(org)
    made = await team(site, org, people=[bob, ann, bob])
    assert list(made.member_ids) == sorted([ann.user_id, bob.user_id])

    async def update(**fields):
        return (await site.call(teams.UpdateTeamRequest(org_id=org.id, team_id=made.id, **fields), org.owner)).team

    assert list((await update(name="green")).member_ids) == list(made.member_ids)
    assert list((await update(member_ids=[ann.user_id])).member_ids) == [ann.user_id]
    assert list((await update(update_mask={"paths": ["member_ids"]})).member_ids) == []
    listed = await site.call(teams.ListTeamsRequest(org_id=org.id), ann)
    assert [(item.name, list(item.member_ids)) for item in listed.items] == [("green", [])]


async def test_a_team_takes_members_only(site):
    """Somebody of another organisation, or nobody, is refused and nothing is stored."""
    org, other = await site.found(), await site.found()
    made = await team(site, org, people=[org.owner])
    for stranger in (other.owner.user_id, "nobody", ""):
        create = teams.CreateTeamRequest(org_id=org.id, name="red", member_ids=[org.owner.user_id, stranger])
        assert await site.code(create, org.owner) is BAD
        update = teams.UpdateTeamRequest(org_id=org.id, team_id=made.id, name="x", member_ids=[stranger])
        assert await site.code(update, org.owner) is BAD
    assert await site.count(Team, Team.org_id == org.id) == 1
    assert await site.count(TeamMember, TeamMember.team_id == made.id) == 1


async def test_names_are_unique_in_an_organisation(site):
    """Created or renamed, also at once; another organisation may have the same."""
    org, other = await site.found(), await site.found()
    for create in (teams.CreateTeamRequest, apps.CreateAppRequest):
        request = create(org_id=org.id, name="same")
        codes = await asyncio.gather(*(site.code(request, org.owner) for _ in range(4)))
        assert sorted(code.name for code in codes) == ["ALREADY_EXISTS"] * 3 + ["OK"]
        assert await site.code(create(org_id=other.id, name="same"), other.owner) is OK
    first, second = await team(site, org, "a"), await app(site, org, "a")
    renames = (
        teams.UpdateTeamRequest(org_id=org.id, team_id=first.id, name="same"),
        apps.UpdateAppRequest(org_id=org.id, app_id=second.id, name="same"),
    )
    for rename in renames:
        assert await site.code(rename, org.owner) is TAKEN


async def test_an_application_is_described(site):
    """Its team is one of the organisation's or none, and can be taken away."""
    org, other = await site.found(), await site.found()
    mine, theirs = await team(site, org), await team(site, other)
    made = await app(site, org, description="sells", team_id=mine.id)
    assert (made.name, made.description, made.team_id) == ("shop", "sells", mine.id)
    for wrong in (theirs.id, "nothing"):
        update = apps.UpdateAppRequest(org_id=org.id, app_id=made.id, team_id=wrong)
        code, error = await site.outcome(update, org.owner)
        assert (code, "team_id" in error.details()) == (BAD, True)
    update = apps.UpdateAppRequest(org_id=org.id, app_id=made.id, description="", team_id="")
    changed = (await site.call(update, org.owner)).app
    assert (changed.name, changed.description, changed.HasField("team_id")) == ("shop", "", False)


async def test_a_deleted_team_leaves_its_keys_and_applications(site):
    """They are bound to no team, and the keys go on working."""
    org = await site.found()
    made = await team(site, org, people=[org.owner])
    shop = await app(site, org, team_id=made.id)
    key = await site.key(org, team_id=made.id, app_id=shop.id)
    await site.call(teams.DeleteTeamRequest(org_id=org.id, team_id=made.id), org.owner)
    described = (await site.call(GetKeyRequest(key_id=key.id), org.owner)).key
    assert (described.HasField("team_id"), described.app_id, described.HasField("revoked_at")) == (
        False,
        shop.id,
        False,
    )
    assert await site.code(MeRequest(), key) is OK
    assert await site.value(App.team_id, App.id == shop.id) is None
    assert await site.count(TeamMember, TeamMember.team_id == made.id) == 0
    assert await site.code(teams.DeleteTeamRequest(org_id=org.id, team_id=made.id), org.owner) is NOTHING


async def test_a_deleted_application_takes_its_keys_along(site):
    """They are refused at once; keys of other applications and those revoked before stay as they are."""
    org = await site.found()
    shop, other = await app(site, org), await app(site, org, "other")
    dead, live = await site.key(org, app_id=shop.id), await site.key(org, app_id=other.id)
    await site.call(apps.DeleteAppRequest(org_id=org.id, app_id=shop.id), org.owner)
    assert await site.code(MeRequest(), dead) is StatusCode.UNAUTHENTICATED
    assert await site.code(MeRequest(), live) is OK
    described = (await site.call(GetKeyRequest(key_id=dead.id), org.owner)).key
    assert clock.from_proto(described.revoked_at) <= clock.now()
    assert await site.code(apps.DeleteAppRequest(org_id=org.id, app_id=shop.id), org.owner) is NOTHING


async def test_no_key_outlives_an_application_it_was_made_for(site):
    """A key that is created while its application is deleted is refused, or revoked with it."""
    org = await site.found()
    for _ in range(5):
        shop = await app(site, org, f"shop-{site.number()}")
        create = CreateKeyRequest(name="k", app_id=shop.id)
        delete = apps.DeleteAppRequest(org_id=org.id, app_id=shop.id)
        requests = (create, delete, create, create)
        codes = await asyncio.gather(*(site.code(request, org.owner) for request in requests))
        assert set(codes) <= {OK, BAD}
        assert await site.count(Key, Key.app_id == shop.id, Key.revoked_at.is_(None)) == 0


async def test_no_seat_is_kept_by_who_left(site):
    """Somebody who is put into a team and removed at once sits in none afterwards."""
    from gen.ingate.orgs.v1.member_service_pb2 import RemoveMemberRequest

    org = await site.found()
    for _ in range(4):
        person = await site.join(org)
        seat = teams.CreateTeamRequest(org_id=org.id, name=f"t{site.number()}", member_ids=[person.user_id])
        remove = RemoveMemberRequest(org_id=org.id, user_id=person.user_id)
        codes = await asyncio.gather(site.code(seat, org.owner), site.code(remove, org.owner))
        assert set(codes) <= {OK, BAD}
        assert await site.count(TeamMember, TeamMember.user_id == person.user_id) == 0
