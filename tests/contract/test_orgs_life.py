"""Organisations: made, named, deleted with all that is theirs."""

import asyncio

import pytest
from grpc import StatusCode
from sqlalchemy import select

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, ROLE_OWNER
from gen.ingate.auth.v1.auth_service_pb2 import ListSessionsRequest, LoginRequest, MeRequest
from gen.ingate.gateway.v1.gateway_service_pb2 import AdmitRequest
from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest
from gen.ingate.orgs.v1.org_service_pb2 import (
    CreateOrgRequest,
    DeleteOrgRequest,
    GetOrgRequest,
    ListOrgsRequest,
    UpdateOrgRequest,
)
from ingate import ids
from ingate.db import Base
from ingate.errors import Unauthenticated
from ingate.identity.tables import Org, Session, User
from tests.support import tenancy
from tests.support.possessions import fill, record
from tests.support.tenancy import PASSWORD, Secret
from tests.support.waiting import eventually

site, grpc_channel = tenancy.site, tenancy.grpc_channel
OK, CONFLICT = StatusCode.OK, StatusCode.ALREADY_EXISTS
KEEPS = {"changes"}
"""The table of news, which gateways still have to hear."""


async def test_a_person_has_several_organisations(site):
    """A second one is theirs as owner; each call acts where it says, or where the session does."""
    org = await site.found()
    slug = f"second-{site.number()}"
    second = (await site.call(CreateOrgRequest(slug=slug, name="  Second "), org.owner)).org
    assert (second.slug, second.name, second.plan) == (slug, "Second", "enterprise")
    listed = await site.call(ListOrgsRequest(), org.owner)
    assert ([item.id for item in listed.items], listed.total) == ([org.id, second.id], 2)
    assert (await site.call(ListOrgsRequest(limit=1, offset=1), org.owner)).items[0] == second
    assert (await site.call(GetOrgRequest(), org.owner)).org.id == org.id
    assert (await site.call(GetOrgRequest(org_id=second.id), org.owner)).org == second
    there = await site.login(org.owner, org_slug=slug)
    me = await site.call(MeRequest(), there)
    assert (me.org.id, me.role) == (second.id, ROLE_OWNER)


async def test_an_organisation_is_renamed(site):
    """What is stated changes, what is not stays; the old slug is free again."""
    org = await site.found()
    slug = f"renamed-{site.number()}"
    changed = (await site.call(UpdateOrgRequest(slug=slug), org.owner)).org
    assert (changed.id, changed.slug, changed.name) == (org.id, slug, org.slug)
    named = (await site.call(UpdateOrgRequest(org_id=org.id, name="Ж 🤖"), org.owner)).org
    assert (named.slug, named.name) == (slug, "Ж 🤖")
    assert (await site.call(GetOrgRequest(), org.owner)).org == named
    assert await site.code(CreateOrgRequest(slug=org.slug), org.owner) is OK
    assert await site.code(UpdateOrgRequest(slug=org.slug), org.owner) is CONFLICT


@pytest.mark.parametrize("slug", ["", "A", "-a", "a-", "a_b", "a.b", "ä", "a" * 64, "a b", "a\n"])
async def test_a_slug_that_is_none_is_refused(site, slug):
    """On creation and on change."""
    org = await site.found()
    assert await site.code(CreateOrgRequest(slug=slug), org.owner) is StatusCode.INVALID_ARGUMENT
    if slug:
        assert await site.code(UpdateOrgRequest(slug=slug), org.owner) is StatusCode.INVALID_ARGUMENT


async def test_of_those_who_want_a_slug_at_once_one_gets_it(site):
    """The others are told that it is taken, whether they create or rename."""
    owners = [(await site.found()).owner for _ in range(4)]
    slug = f"wanted-{site.number()}"
    codes = await asyncio.gather(*(site.code(CreateOrgRequest(slug=slug), owner) for owner in owners))
    assert sorted(code.name for code in codes) == ["ALREADY_EXISTS"] * 3 + ["OK"]
    slug = f"wanted-{site.number()}"
    codes = await asyncio.gather(*(site.code(UpdateOrgRequest(slug=slug), owner) for owner in owners))
    assert sorted(code.name for code in codes) == ["ALREADY_EXISTS"] * 3 + ["OK"]


async def test_deletion_leaves_nothing(site):
    """Every row of every table goes, other organisations' stay, accounts stay, keys are dead."""
    org, other = await site.found(), await site.found()
    names, others = await fill(site, org), await fill(site, other)
    for _ in range(3):
        await record(site, org, names["key_id"])
    admin = await site.join(org, ROLE_ADMIN)
    assert await site.code(DeleteOrgRequest(org_id=org.id), admin) is StatusCode.PERMISSION_DENIED
    await site.call(DeleteOrgRequest(org_id=org.id), org.owner)
    left, kept = {}, {}
    async with site.core.database.read() as db:
        for table in Base.metadata.sorted_tables:
            text = [repr(row) for row in await db.execute(select(table))]
            left[table.name] = [row for row in text if org.id in row or names["team_id"] in row or org.slug in row]
            kept[table.name] = [row for row in text if other.id in row or others["team_id"] in row]
    assert {name for name, rows in left.items() if rows} - KEEPS == {"users"}
    assert {name for name, rows in kept.items() if rows} >= {"exchanges", "keys", "providers", "team_members", "apps"}
    assert await site.count(User, User.id.in_([org.owner.user_id, names["user_id"]])) == 2
    assert await site.code(ListKeysRequest(), Secret("", org.key)) is StatusCode.UNAUTHENTICATED
    assert await site.code(AdmitRequest(key_hash=ids.secret_hash(org.key))) is StatusCode.UNAUTHENTICATED


async def test_a_deleted_organisations_key_proxies_no_more(site):
    """A gateway that knows the key has forgotten it in under a second."""
    org = await site.found()
    # The cache itself, because a call over gRPC would be refused before it reaches the engine.
    grants = site.core.engine._grants
    assert (await grants.grant(ids.secret_hash(org.key))).org_id == org.id
    await site.call(DeleteOrgRequest(org_id=org.id), org.owner)

    async def forgotten():
        try:
            await grants.grant(ids.secret_hash(org.key))
        except Unauthenticated:
            return True

    await eventually(forgotten)


async def test_people_without_an_organisation_go_on(site):
    """Their session acts in none; they sign in, see themselves, and found another, where the session acts from then."""
    org = await site.found()
    await site.call(DeleteOrgRequest(org_id=org.id), org.owner)
    assert await site.value(Session.org_id, Session.user_id == org.owner.user_id) is None
    assert await site.code(DeleteOrgRequest(org_id=org.id), org.owner) is StatusCode.NOT_FOUND
    again = await site.call(LoginRequest(email=org.owner.email, password=PASSWORD))
    assert not again.HasField("org")
    for session in (org.owner, tenancy.Person(org.owner.user_id, org.owner.email, again.token)):
        me = await site.call(MeRequest(), session)
        assert (me.user.id, me.HasField("org"), me.role) == (org.owner.user_id, False, 0)
        assert (await site.call(ListOrgsRequest(), session)).total == 0
        assert (await site.call(ListSessionsRequest(), session)).total == 2
        for request in (GetOrgRequest(), ListKeysRequest(), UpdateOrgRequest(name="x")):
            assert await site.code(request, session) is StatusCode.PERMISSION_DENIED
    made = (await site.call(CreateOrgRequest(slug=org.slug), org.owner)).org
    assert (await site.call(MeRequest(), org.owner)).org == made
    assert (await site.call(ListKeysRequest(), org.owner)).total == 0


async def test_an_organisation_is_deleted_once(site):
    """Of concurrent deletions one succeeds and the others find nothing; none fails."""
    org = await site.found()
    codes = await asyncio.gather(*(site.code(DeleteOrgRequest(org_id=org.id), org.owner) for _ in range(4)))
    assert OK in codes
    assert set(codes) <= {OK, StatusCode.NOT_FOUND, StatusCode.PERMISSION_DENIED}
    assert await site.count(Org, Org.id == org.id) == 0
