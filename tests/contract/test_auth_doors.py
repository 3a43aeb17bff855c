"""Who may sign up, and who reaches what the installation pays for."""

import asyncio

import pytest
from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import ROLE_OWNER
from gen.ingate.auth.v1.auth_service_pb2 import AcceptInvitationRequest, LoginRequest, SignupRequest
from gen.ingate.gateway.v1.gateway_service_pb2 import GetPolicyRequest
from gen.ingate.orgs.v1.org_service_pb2 import CreateOrgRequest, DeleteOrgRequest, UpdateOrgRequest
from ingate.cli import demo
from ingate.identity import founding, operator
from ingate.identity.tables import Org, User
from tests.support import installation
from tests.support.tenancy import PASSWORD, Person
from tests.support.waiting import eventually

install = installation.install
pytestmark = pytest.mark.asyncio(loop_scope="session")
OK, DENIED = StatusCode.OK, StatusCode.PERMISSION_DENIED
VENDORS = {"openai_api_key": "sk-vendor", "ollama_host": "http://ollama.internal:11434"}


def signup(site, **fields):
    slug = f"org-{site.number()}"
    return SignupRequest(**{"email": f"owner@{slug}.example", "password": PASSWORD, "org_slug": slug, **fields})


async def refusal(site, request, who=None):
    code, error = await site.outcome(request, who)
    assert code is DENIED
    return error.details()


async def test_the_first_person_closes_the_door(install):
    """By default nobody signs up after that; who is invited joins, who is in makes organisations, and it stays so."""
    site = await install()
    org = await site.found()
    said = await refusal(site, signup(site))
    assert ("INGATE_SIGNUP" in said, "invite" in said) == (True, True)
    assert await site.count(User) == 1
    await site.join(org)
    assert await site.code(CreateOrgRequest(slug=f"o{site.number()}"), org.owner) is OK
    again = await install()
    await refusal(again, signup(again))


async def test_of_two_first_people_one_is(install):
    """However they come, one organisation and one account are made, and the others are told."""
    site, other = await install(), await install()
    calls = [place.outcome(signup(place)) for place in (site, other) * 4]
    codes = [code for code, _ in await asyncio.gather(*calls)]
    assert (codes.count(OK), codes.count(DENIED)) == (1, 7)
    assert (await site.count(User), await site.count(Org)) == (1, 1)


async def test_an_installation_stays_its_persons_without_an_organisation(install):
    """That the first organisation was deleted opens nothing."""
    site = await install()
    org = await site.found()
    await site.call(DeleteOrgRequest(org_id=org.id), org.owner)
    await refusal(site, signup(site))
    assert await site.code(CreateOrgRequest(slug=f"o{site.number()}"), org.owner) is OK


async def test_the_example_is_nobodys(install, tmp_path):
    """Beside the demo's owner the first person signs up, and no second."""
    site = await install(demo=True)
    made = await demo.ensure(site.core.database, tmp_path, "enterprise")
    assert await site.code(LoginRequest(email=made.email, password=made.password)) is OK
    await site.found()
    await refusal(site, signup(site))


async def test_whose_address_is_the_examples_is_a_person(install):
    """Only the installation itself makes its example: a stranger with its names is the first person like another."""
    site = await install()
    assert await site.code(signup(site, email=demo.EMAIL, org_slug=demo.ORG)) is OK
    await refusal(site, signup(site))


@pytest.mark.parametrize("mode", ["invite", "closed"])
async def test_closed_doors(install, mode):
    """Nobody signs up, the first neither; who was made by a command signs in; closed takes no new accounts at all."""
    site = await install(signup=mode)
    said = await refusal(site, signup(site))
    assert f"INGATE_SIGNUP is {mode}" in said
    password = "long enough for a test"
    hashed = await site.core.servicers["ingate.auth.v1.AuthService"]._passwords.hash(password)
    org = founding.new_org("made", "", "enterprise")
    owner = founding.new_user("ada@made.example", "", hashed)
    new, secret = await operator.make_org(site.core.database, org, owner)
    assert (new, org.founding, secret.startswith("sk-ingate-")) == (True, True, True)
    signed_in = await site.call(LoginRequest(email="ada@made.example", password=password))
    ada = Person(owner.id, owner.email, signed_in.token, password)
    expected = OK if mode == "invite" else DENIED
    assert await site.code(CreateOrgRequest(slug="another"), ada) is expected
    invited = await site.invite(signed_in.org, who=ada)
    assert await site.code(AcceptInvitationRequest(token=invited.token, password=PASSWORD)) is expected
    # A second organisation for the same person, and one who has an account joins.
    second = founding.new_org("second", "", "enterprise")
    assert not (await operator.make_org(site.core.database, second, founding.new_user("Ada@made.example", "", "")))[0]
    assert await site.code(LoginRequest(email="ada@made.example", password=password, org_slug="second")) is OK
    await operator.make_org(
        site.core.database, founding.new_org("third", "", "free"), founding.new_user("bob@b.example", "", hashed)
    )
    invited = await site.invite(signed_in.org, ROLE_OWNER, "bob@b.example", ada)
    assert await site.code(AcceptInvitationRequest(token=invited.token, password=password)) is OK


async def routes(site, org):
    """Returns the names of what a key of the organisation reaches."""
    policy = (await site.call(GetPolicyRequest(org_id=org.id))).policy
    return [route.name for route in policy.routes]


async def test_strangers_do_not_spend_the_installations_keys(install):
    """Only the first organisation of an embedded installation reaches them; the demo model is everybody's."""
    site = await install(signup="open", demo=True, **VENDORS)
    first, later = await site.found(), await site.found()
    own = ["openai", "ollama", "demo"] if site.core.database.embedded else ["demo"]
    assert (await routes(site, first), await routes(site, later)) == (own, ["demo"])
    # The word of the setting is no name to take, and neither is the place of the first.
    await site.call(UpdateOrgRequest(slug="first"), later.owner)
    assert await routes(site, later) == ["demo"]
    await site.call(DeleteOrgRequest(org_id=first.id), first.owner)
    assert (await routes(site, later), await routes(site, await site.found())) == (["demo"], ["demo"])


async def test_those_who_are_listed_reach_them(install):
    """By slug, as it is at the moment; a gateway hears of a change of slug."""
    site = await install(signup="open", shared_providers="acme, beta", **VENDORS)
    await site.found()
    acme, other = await site.found(org_slug="acme"), await site.found()
    assert (await routes(site, acme), await routes(site, other)) == (["openai", "ollama"], [])
    epoch = site.core.servicers["ingate.keys.v1.KeyService"]._changes.epoch
    await site.call(UpdateOrgRequest(slug="no-more"), acme.owner)
    assert await routes(site, acme) == []
    changes = site.core.servicers["ingate.keys.v1.KeyService"]._changes
    await eventually(lambda: changes.epoch > epoch)


async def test_all_reach_them_when_the_setting_says_so(install):
    """Whenever they came."""
    site = await install(signup="open", shared_providers="all", **VENDORS)
    found = [await site.found() for _ in range(2)]
    assert [await routes(site, org) for org in found] == [["openai", "ollama"]] * 2


async def test_a_person_makes_twenty_organisations(install):
    """One more is refused naming the bound, however many come at once; giving one up makes room for one."""
    site = await install()
    org = await site.found()
    requests = [CreateOrgRequest(slug=f"o{site.number()}") for _ in range(24)]
    outcomes = await asyncio.gather(*(site.outcome(request, org.owner) for request in requests))
    codes = [code for code, _ in outcomes]
    assert (codes.count(OK), codes.count(DENIED)) == (founding.MAX_ORGS - 1, 24 - founding.MAX_ORGS + 1)
    assert all("at most 20" in error.details() for code, error in outcomes if code is DENIED)
    assert await site.count(Org) == founding.MAX_ORGS
    gone = next(made.org.id for code, made in outcomes if code is OK)
    await site.call(DeleteOrgRequest(org_id=gone), org.owner)
    assert await site.code(CreateOrgRequest(slug=f"o{site.number()}"), org.owner) is OK
    assert await site.code(CreateOrgRequest(slug=f"o{site.number()}"), org.owner) is DENIED
