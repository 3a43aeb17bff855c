"""What becomes of keys and invitations when the person who made them goes, or may less."""

import pytest
from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import (
    ROLE_ADMIN,
    ROLE_MEMBER,
    ROLE_OWNER,
    ROLE_VIEWER,
    SCOPE_ADMIN,
    SCOPE_PROXY,
    SCOPE_READ,
)
from gen.ingate.audit.v1.audit_service_pb2 import ListEntriesRequest
from gen.ingate.auth.v1.auth_service_pb2 import AcceptInvitationRequest, MeRequest
from gen.ingate.keys.v1.key_service_pb2 import GetKeyRequest, ListKeysRequest, RotateKeyRequest
from gen.ingate.orgs.v1.member_service_pb2 import (
    REMOVED_KEYS_KEEP,
    REMOVED_KEYS_REVOKE,
    RemoveMemberRequest,
    UpdateMemberRequest,
)
from ingate import ids
from ingate.errors import Unauthenticated
from tests.support import tenancy
from tests.support.tenancy import PASSWORD, Secret
from tests.support.waiting import eventually

site, grpc_channel = tenancy.site, tenancy.grpc_channel
OK, DENIED, DEAD = StatusCode.OK, StatusCode.PERMISSION_DENIED, StatusCode.UNAUTHENTICATED


def remove(org, person, **fields):
    return RemoveMemberRequest(org_id=org.id, user_id=person.user_id, **fields)


async def rotated(site, key, who):
    """Rotates a key, and returns the new one; the old one works on for a day."""
    made = await site.call(RotateKeyRequest(key_id=key.id), who)
    return Secret(made.description.id, made.key)


async def entry(site, org, action):
    """Returns the newest audit entry of an action."""
    listed = await site.call(ListEntriesRequest(action=action), org.owner)
    return listed.items[0]


@pytest.mark.parametrize("fields", [{}, {"keys": REMOVED_KEYS_REVOKE}])
async def test_the_keys_of_who_is_removed_die(site, fields):
    """Those they made, rotated or made with a key; a gateway that knows one has forgotten it within a second."""
    org = await site.found()
    admin = await site.join(org, ROLE_ADMIN)
    own, others = await site.key(org, admin, role=ROLE_ADMIN), await site.key(org, role=ROLE_ADMIN)
    made_by_key = await site.key(org, own)
    old = await site.key(org, admin)
    theirs = [own, made_by_key, old, await rotated(site, old, admin), await rotated(site, others, admin)]
    grants = site.core.engine._grants
    assert (await grants.grant(ids.secret_hash(made_by_key.secret))).org_id == org.id
    await site.call(remove(org, admin, **fields), org.owner)
    assert [await site.code(MeRequest(), key) for key in theirs] == [DEAD] * 5
    assert await site.code(MeRequest(), others) is OK
    assert await site.code(ListKeysRequest(), admin) is DENIED

    async def forgotten():
        try:
            await grants.grant(ids.secret_hash(made_by_key.secret))
        except Unauthenticated:
            return True

    await eventually(forgotten)
    said = await entry(site, org, "user.remove")
    assert (said.metadata["keys"], said.numbers["keys_revoked"]) == ("revoke", 5)
    assert own.id in said.metadata["keys_revoked_ids"]


async def test_the_remover_can_keep_them(site):
    """Who stays can, which is on record; who leaves cannot for themselves, nor by a key of theirs."""
    org = await site.found()
    admin = await site.join(org, ROLE_ADMIN)
    key = await site.key(org, admin, role=ROLE_ADMIN)
    keep = remove(org, admin, keys=REMOVED_KEYS_KEEP)
    assert await site.code(keep, admin) is DENIED
    assert await site.code(keep, key) is DENIED
    await site.call(keep, org.owner)
    assert await site.code(MeRequest(), key) is OK
    assert (await entry(site, org, "user.remove")).metadata["keys"] == "keep"


async def test_who_leaves_takes_nothing_along(site):
    """Their keys end when they leave by themselves; so do keys in this organisation alone."""
    org, other = await site.found(), await site.found()
    admin = await site.join(org, ROLE_ADMIN)
    await site.join(other, ROLE_ADMIN, admin.email)
    elsewhere = await site.key(other, await site.login(admin, org_slug=other.slug))
    here = await site.key(org, admin)
    await site.call(remove(org, admin), admin)
    assert (await site.code(MeRequest(), here), await site.code(MeRequest(), elsewhere)) == (DEAD, OK)


@pytest.mark.parametrize("keys", [REMOVED_KEYS_REVOKE, REMOVED_KEYS_KEEP])
async def test_invitations_of_who_is_removed_are_taken_back(site, keys):
    """Or they would come back under another name; by a key of theirs too, and those of others stay."""
    org = await site.found()
    admin = await site.join(org, ROLE_ADMIN)
    key = await site.key(org, admin, role=ROLE_ADMIN)
    theirs = [await site.invite(org, who=who) for who in (admin, key)]
    other = await site.invite(org)
    await site.call(remove(org, admin, keys=keys), org.owner)
    codes = [
        await site.code(AcceptInvitationRequest(token=offered.token, password=PASSWORD)) for offered in (*theirs, other)
    ]
    assert codes == [DEAD, DEAD, OK]
    assert (await entry(site, org, "user.remove")).numbers["invitations_revoked"] == 2


async def test_a_lowered_role_narrows_the_keys(site):
    """To the new role and its scopes; one that is left with none ends, those at or below it stay, and so do others'."""
    org = await site.found()
    admin = await site.join(org, ROLE_ADMIN)
    wide = await site.key(org, admin, role=ROLE_ADMIN)
    only = await site.key(org, admin, role=ROLE_ADMIN, scopes=[SCOPE_ADMIN])
    low = await site.key(org, admin, role=ROLE_VIEWER)
    others = await site.key(org, role=ROLE_ADMIN)
    await site.call(UpdateMemberRequest(org_id=org.id, user_id=admin.user_id, role=ROLE_MEMBER), org.owner)
    now = (await site.call(GetKeyRequest(key_id=wide.id), org.owner)).key
    assert (now.role, SCOPE_ADMIN in now.scopes, SCOPE_PROXY in now.scopes) == (ROLE_MEMBER, False, True)
    assert await site.code(MeRequest(), only) is DEAD
    assert (await site.call(GetKeyRequest(key_id=low.id), org.owner)).key.role == ROLE_VIEWER
    assert (await site.call(GetKeyRequest(key_id=others.id), org.owner)).key.role == ROLE_ADMIN
    said = (await entry(site, org, "user.role_change")).metadata
    assert (said["keys_narrowed_ids"], said["keys_revoked_ids"]) == (wide.id, only.id)
    grants = site.core.engine._grants
    await site.call(UpdateMemberRequest(org_id=org.id, user_id=admin.user_id, role=ROLE_VIEWER), org.owner)

    async def narrowed():
        return not (await grants.grant(ids.secret_hash(wide.secret))).may_proxy

    await eventually(narrowed)
    assert list((await site.call(GetKeyRequest(key_id=wide.id), org.owner)).key.scopes) == [SCOPE_READ]


async def test_a_lowered_role_takes_back_invitations(site):
    """Those that the person could not make any more, and no others."""
    org = await site.found()
    second = await site.join(org, ROLE_OWNER)
    offers = [await site.invite(org, role, who=second) for role in (ROLE_OWNER, ROLE_ADMIN)]
    await site.call(UpdateMemberRequest(org_id=org.id, user_id=second.user_id, role=ROLE_ADMIN), org.owner)
    accept = [AcceptInvitationRequest(token=offered.token, password=PASSWORD) for offered in offers]
    assert await site.code(accept[0]) is DEAD
    await site.call(UpdateMemberRequest(org_id=org.id, user_id=second.user_id, role=ROLE_MEMBER), org.owner)
    assert await site.code(accept[1]) is DEAD


@pytest.mark.parametrize(
    ("query", "status", "left"), [("?keys=keep", 204, OK), ("?keys=revoke", 204, DEAD), ("", 204, DEAD)]
)
async def test_the_choice_is_a_query_parameter(site, http, query, status, left):
    """Over REST, where a word that is none is refused and removes nobody."""
    org = await site.found()
    admin = await site.join(org, ROLE_ADMIN)
    key = await site.key(org, admin)
    path, headers = f"/api/v1/orgs/{org.id}/members/{admin.user_id}", dict(org.owner.metadata)
    assert (await http.delete(f"{path}?keys=some", headers=headers)).status_code == 400
    assert (await http.delete(path + query, headers=headers)).status_code == status
    assert await site.code(MeRequest(), key) is left
