"""The record of changes: what is in it, who may read it, and that nobody changes it."""

import pytest
from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN
from gen.ingate.audit.v1.audit_service_pb2 import GetEntryRequest, ListEntriesRequest
from gen.ingate.keys.v1 import key_service_pb2 as keys
from ingate import clock
from ingate.rpc.services import rpcs
from ingate.rpc.status import from_rpc_error
from rest_facade.dialects.ingate import INGATE
from tests.support import tenancy
from tests.support.everything import everything
from tests.support.tenancy import Secret

site, grpc_channel = tenancy.site, tenancy.grpc_channel

ACTIONS = [
    *("org.create", "key.create", "key.rotate", "user.invite", "user.join", "user.invite", "key.update", "key.revoke"),
    *("user.role_change", "user.remove", "user.uninvite", "team.create", "app.create", "team.update", "app.update"),
    *("team.delete", "app.delete", "provider.create", "provider.update", "provider.delete", "org.settings_update"),
]
"""What `everything` does, in its order."""


async def entries(site, org, who=None, **fields):
    """Returns the entries that match, oldest first."""
    listed = await site.call(ListEntriesRequest(**fields), who or org.owner)
    return list(reversed(listed.items))


async def test_each_action_leaves_an_entry(site):
    """One each, in order, that says who, what, to which and from where, and holds no secret."""
    org = await site.found()
    secrets, person = await everything(site, org)
    found = await entries(site, org, limit=200)
    assert [entry.action for entry in found] == ACTIONS
    for entry in found:
        assert entry.actor_id == (person.user_id if entry.action == "user.join" else org.owner.user_id)
        assert (entry.org_id, entry.resource_type) == (org.id, entry.action.partition(".")[0])
        assert entry.resource_id
        assert entry.ip_address.startswith("10.")
        assert abs(clock.from_proto(entry.created_at) - clock.now()) < clock.MINUTE
        assert (await site.call(GetEntryRequest(entry_id=entry.id), org.owner)).entry == entry
    assert not [secret for secret in secrets if secret in str(found)]


async def test_a_key_is_an_actor(site):
    """What a key does is recorded as done by the key; what fails or changes nothing is not recorded."""
    org = await site.found()
    key = await site.key(org, role=ROLE_ADMIN)
    made = await site.call(keys.CreateKeyRequest(name="by a key"), key)
    revoke = keys.RevokeKeyRequest(key_id=made.description.id)
    await site.call(revoke, key)
    await site.call(revoke, key)
    await site.code(keys.RevokeKeyRequest(key_id="nothing"), key)
    await site.code(keys.CreateKeyRequest(name="", team_id="nothing"), key)
    found = await entries(site, org, actor_id=key.id)
    assert [entry.action for entry in found] == ["key.create", "key.revoke"]


async def test_an_entry_says_what_changed(site):
    """By the names of the fields, and what is a number stays one, whatever text stands beside it."""
    org = await site.found()
    key = await site.key(org, name="60", rate_limit_per_minute=60)
    await site.call(keys.UpdateKeyRequest(key_id=key.id, rate_limit_per_minute=120, name="7"), org.owner)
    await site.call(keys.RotateKeyRequest(key_id=key.id, overlap_hours=3), org.owner)
    created, updated, rotated = await entries(site, org, resource_type="key")
    assert (dict(created.metadata), dict(created.numbers)) == ({"name": "60"}, {"rate_limit_per_minute": 60})
    changed = {"name": "7", "changed": "name,rate_limit_per_minute"}
    assert (dict(updated.metadata), dict(updated.numbers)) == (changed, {"rate_limit_per_minute": 120})
    assert (set(rotated.metadata), dict(rotated.numbers)) == ({"new_key_id"}, {"overlap_hours": 3})


async def test_entries_are_filtered(site):
    """By action, type, resource and time, alone and together; the times are a half-open interval."""
    org = await site.found()
    first, second = await site.key(org), await site.key(org)
    await site.call(keys.RevokeKeyRequest(key_id=first.id), org.owner)
    made = await entries(site, org, action="key.create")
    assert [entry.resource_id for entry in made] == [first.id, second.id]
    assert [entry.action for entry in await entries(site, org, resource_id=first.id)] == ["key.create", "key.revoke"]
    assert len(await entries(site, org, resource_type="key")) == 3
    assert len(await entries(site, org, resource_type="key", action="org.create")) == 0
    between = {"since": made[0].created_at, "until": made[1].created_at}
    assert [entry.id for entry in await entries(site, org, **between)] == [made[0].id]
    assert await entries(site, org, actor_id="' OR 1=1 --") == []
    assert await entries(site, org, action="") == []


async def test_pages_cover_every_entry_once(site):
    """Newest first; the total counts all that match."""
    org = await site.found()
    for _ in range(4):
        await site.key(org)
    pages = [await site.call(ListEntriesRequest(limit=2, offset=offset), org.owner) for offset in (0, 2, 4, 6)]
    found = [entry for page in pages for entry in page.items]
    assert [len(page.items) for page in pages] == [2, 2, 1, 0]
    assert {page.total for page in pages} == {5}
    assert [entry.id for entry in found] == sorted((entry.id for entry in found), reverse=True)
    assert found[-1].action == "org.create"


@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 201}, {"offset": -1}, {"action": "x" * 65}])
async def test_a_question_that_makes_no_sense_is_refused(site, fields):
    """The refusal names the field."""
    org = await site.found()
    code, error = await site.outcome(ListEntriesRequest(**fields), org.owner)
    assert code is StatusCode.INVALID_ARGUMENT
    assert set(fields) <= set(from_rpc_error(error).fields)


async def test_the_plan_must_have_it(site):
    """On plan free reading is refused, naming the feature; what happens is recorded all the same."""
    org = await site.found()
    await site.sql("UPDATE orgs SET plan = 'free' WHERE id = :id", id=org.id)
    await site.key(org)
    for who in (org.owner, Secret("", org.key)):
        for request in (ListEntriesRequest(), GetEntryRequest(entry_id="x")):
            code, error = await site.outcome(request, who)
            assert code is StatusCode.PERMISSION_DENIED
            assert from_rpc_error(error).metadata["feature"] == "audit"
    await site.sql("UPDATE orgs SET plan = 'enterprise' WHERE id = :id", id=org.id)
    assert [entry.action for entry in await entries(site, org)] == ["org.create", "key.create"]


def test_nothing_changes_the_record():
    """The service only reads, and so do the routes under its path."""
    assert {rpc.name for rpc in rpcs().values() if rpc.service == "ingate.audit.v1.AuditService"} == {
        "ListEntries",
        "GetEntry",
    }
    assert {route.verb for route in INGATE.routes if route.template.startswith("/api/v1/audit")} == {"GET"}
