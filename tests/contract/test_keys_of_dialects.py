"""What keys of all dialects have: ids and secrets of choice, workspaces, an off switch, limits, words of their own."""

import asyncio
import json
import uuid

import pytest
from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, ROLE_MEMBER, SCOPE_ADMIN, SCOPE_KEYS, SCOPE_PROXY, SCOPE_READ
from gen.ingate.auth.v1.auth_service_pb2 import MeRequest
from gen.ingate.exchanges.v1.exchange_service_pb2 import ListExchangesRequest
from gen.ingate.keys.v1.key_pb2 import KEY_ENV_LIVE, KEY_ENV_TEST, KEY_FORMAT_ADMIN, KEY_FORMAT_PROMPTGATE
from gen.ingate.keys.v1.key_service_pb2 import (
    CreateKeyRequest,
    GetKeyRequest,
    ListKeysRequest,
    RevokeKeyRequest,
    RotateKeyRequest,
    UpdateKeyRequest,
)
from gen.ingate.orgs.v1.team_service_pb2 import CreateTeamRequest
from ingate.identity.tables import Key
from ingate.rpc.status import from_rpc_error
from tests.support import tenancy
from tests.support.tenancy import Secret

site = tenancy.site
OK, BAD, DENIED = StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.PERMISSION_DENIED
TAKEN, GONE, UNKNOWN = StatusCode.ALREADY_EXISTS, StatusCode.NOT_FOUND, StatusCode.UNAUTHENTICATED


def unused():
    """A secret of somebody's choice that no other test has."""
    return f"legacy-{uuid.uuid4()}"


async def make(site, who, **fields):
    made = await site.call(CreateKeyRequest(**{"name": "made"} | fields), who)
    return made.description, Secret(made.description.id, made.key)


async def test_a_key_carries_what_every_dialect_says_of_it(site):
    """All of it comes back, by id and by external id, and in lists; what is not stated has its default."""
    org = await site.found()
    stated = {
        "external_id": "team-a.key:1",
        "workspace": "w",
        "role_label": "developer",
        "permissions": ["proxy:write", "x"],
        "description": "for CI",
        "metadata": b'{"a": [1, {"b": null}]}',
        "rate_limit_per_hour": 9,
    }
    made, secret = await make(site, org.owner, format=KEY_FORMAT_PROMPTGATE, env=KEY_ENV_TEST, **stated)
    assert secret.secret.startswith("pg_test_")
    assert made.preview == secret.secret[:12] + "…"
    assert (made.org_id, made.active, made.unlimited, made.fixed) == (org.id, True, False, False)
    assert made.created_by == org.owner.user_id
    assert {name: getattr(made, name) for name in stated} == stated
    for name in (made.id, "team-a.key:1"):
        assert (await site.call(GetKeyRequest(key_id=name), org.owner)).key == made
    assert made in (await site.call(ListKeysRequest(workspace="w"), org.owner)).items
    plain, _ = await make(site, org.owner)
    assert (plain.env, plain.workspace, plain.metadata) == (KEY_ENV_LIVE, "", b"")
    assert not any(plain.HasField(name) for name in ("external_id", "role_label", "rate_limit_per_hour"))
    admin, _ = await make(site, org.owner, format=KEY_FORMAT_ADMIN)
    assert admin.role == ROLE_ADMIN


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"format": 99}, "format"),
        ({"env": 99}, "env"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": "a/b"}, "external_id"),
        ({"external_id": ".."}, "external_id"),
        ({"external_id": "x" * 129}, "external_id"),
        ({"secret": "short"}, "secret"),
        ({"secret": "with a space"}, "secret"),
        ({"secret": "ses-ingate-" + "x" * 43}, "secret"),
        ({"secret": "x" * 513}, "secret"),
        ({"metadata": b"[]"}, "metadata"),
        ({"metadata": b"{"}, "metadata"),
        ({"metadata": b'{"a":"\xff"}'}, "metadata"),
        ({"metadata": b"[" * 16000}, "metadata"),
        ({"metadata": b'{"a":"' + b"x" * 16384 + b'"}'}, "metadata"),
        ({"permissions": ["x" * 65]}, "permissions[0]"),
        ({"permissions": ["x"] * 33}, "permissions"),
        ({"description": "x" * 2001}, "description"),
        ({"workspace": "x" * 129}, "workspace"),
        ({"rate_limit_per_hour": 0}, "rate_limit_per_hour"),
        ({"unlimited": True, "rate_limit_per_minute": 5}, "unlimited"),
        ({"unlimited": True, "rate_limit_per_hour": 5}, "unlimited"),
        ({"no_scopes": True, "scopes": [SCOPE_READ]}, "no_scopes"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(site, fields, field):
    """And nothing is stored."""
    org = await site.found()
    code, error = await site.outcome(CreateKeyRequest(**{"name": "bad"} | fields), org.owner)
    assert (code, list(from_rpc_error(error).fields)) == (BAD, [field])
    assert await site.count(Key, Key.org_id == org.id) == 1


async def test_an_id_is_one_keys_alone_and_stays_taken(site):
    """Of six who ask at once one gets it; not the id of another key, revoked or not; another organisation may."""
    org, other = await site.found(), await site.found()
    request = CreateKeyRequest(name="k", external_id="mine")
    codes = await asyncio.gather(*(site.code(request, org.owner) for _ in range(6)))
    assert sorted(codes, key=str) == sorted([OK] + [TAKEN] * 5, key=str)
    await site.call(RevokeKeyRequest(key_id="mine"), org.owner)
    assert await site.code(request, org.owner) is TAKEN
    assert await site.code(request, other.owner) is OK
    plain, _ = await make(site, org.owner)
    assert await site.code(CreateKeyRequest(name="k", external_id=plain.id), org.owner) is TAKEN
    assert await site.code(RevokeKeyRequest(key_id="mine", live=True), org.owner) is GONE
    assert await site.code(RevokeKeyRequest(key_id="mine"), org.owner) is OK


async def test_a_secret_that_is_in_use_elsewhere_goes_on_working(site):
    """It is stated once, for one key, in whatever organisation; two never share one."""
    org, other = await site.found(), await site.found()
    _, key = await make(site, org.owner, secret=unused(), scopes=[SCOPE_READ])
    assert await site.code(MeRequest(), key) is OK
    request = CreateKeyRequest(name="k", secret=key.secret)
    for who in (org.owner, other.owner):
        code, error = await site.outcome(request, who)
        assert (code, list(from_rpc_error(error).fields)) == (TAKEN, ["secret"])
    raced = unused()
    codes = await asyncio.gather(
        *(site.code(CreateKeyRequest(name="k", secret=raced), who.owner) for who in (org, other) * 2)
    )
    assert codes.count(OK) == 1
    assert set(codes) == {OK, TAKEN}


async def test_a_key_that_is_not_active_is_refused_until_it_is_again(site):
    """Also what it would do with a call under way; a revoked one stays refused."""
    org = await site.found()
    made, key = await make(site, org.owner)
    for active, expected in ((False, UNKNOWN), (True, OK)):
        changed = (await site.call(UpdateKeyRequest(key_id=made.id, active=active), org.owner)).key
        assert changed.active is active
        assert await site.code(ListExchangesRequest(), key) is expected
        live = (await site.call(ListKeysRequest(live=True), org.owner)).items
        assert (made.id in {it.id for it in live}) is active
    await site.call(RevokeKeyRequest(key_id=made.id), org.owner)
    await site.call(UpdateKeyRequest(key_id=made.id, active=True), org.owner)
    assert await site.code(ListExchangesRequest(), key) is UNKNOWN


async def test_a_rotation_may_keep_the_key(site):
    """It keeps id and rights, its old secret stops at once; with a new id, the external one goes along."""
    org = await site.found()
    made, old = await make(site, org.owner, external_id="e", workspace="w", description="d")
    stated = unused()
    answer = await site.call(RotateKeyRequest(key_id="e", in_place=True, secret=stated), org.owner)
    assert (answer.description.id, answer.key, answer.replaces) == (made.id, stated, made.id)
    new = Secret(made.id, answer.key)
    assert [await site.code(MeRequest(), key) for key in (old, new)] == [UNKNOWN, OK]
    assert await site.code(RotateKeyRequest(key_id="e", in_place=True, overlap_hours=1), org.owner) is BAD
    _, other = await make(site, org.owner, secret=unused())
    for keep in (True, False):
        request = RotateKeyRequest(key_id="e", in_place=keep, secret=other.secret)
        assert await site.code(request, org.owner) is TAKEN
    assert await site.code(MeRequest(), new) is OK
    moved = (await site.call(RotateKeyRequest(key_id="e"), org.owner)).description
    assert moved.id != made.id
    assert (moved.external_id, moved.workspace, moved.description) == ("e", "w", "d")
    assert not (await site.call(GetKeyRequest(key_id=made.id), org.owner)).key.HasField("external_id")
    assert await site.code(MeRequest(), new) is OK


async def test_a_key_of_a_workspace_reaches_that_workspace_alone(site):
    """What is elsewhere does not exist for it; it makes keys of its own workspace, and gives people no roles."""
    org = await site.found()
    elsewhere, _ = await make(site, org.owner, workspace="b")
    free, _ = await make(site, org.owner)
    confined, key = await make(site, org.owner, workspace="a", role=ROLE_ADMIN)
    assert {it.id for it in (await site.call(ListKeysRequest(), key)).items} == {confined.id}
    assert (await site.call(ListKeysRequest(workspace="b"), key)).items == []
    for target in (elsewhere.id, free.id):
        for request in (
            GetKeyRequest(key_id=target),
            UpdateKeyRequest(key_id=target, active=False),
            RotateKeyRequest(key_id=target),
            RevokeKeyRequest(key_id=target),
        ):
            assert await site.code(request, key) is GONE, request
    for workspace, own, expected in (("", False, "a"), ("a", False, "a"), ("b", True, "a"), ("b", False, None)):
        request = CreateKeyRequest(name="k", workspace=workspace, own_workspace=own)
        code, made = await site.outcome(request, key)
        assert (made.description.workspace if code is OK else None) == expected
    for workspace in ("b", ""):
        assert await site.code(UpdateKeyRequest(key_id=confined.id, workspace=workspace), key) is DENIED
    assert (await site.call(UpdateKeyRequest(key_id=free.id, workspace="c"), org.owner)).key.workspace == "c"


async def test_the_scope_keys_manages_keys_and_nothing_else(site):
    """It lists, makes, changes and ends keys within what it holds; SCOPE_ADMIN includes it; no scope allows nothing."""
    org = await site.found()
    made, key = await make(site, org.owner, role=ROLE_ADMIN, scopes=[SCOPE_KEYS, SCOPE_PROXY])
    child = (await site.call(CreateKeyRequest(name="k", scopes=[SCOPE_PROXY]), key)).description
    assert child.created_by == made.id
    assert await site.code(ListKeysRequest(), key) is OK
    assert await site.code(CreateKeyRequest(name="k", role=ROLE_ADMIN, scopes=[SCOPE_ADMIN]), key) is DENIED
    assert await site.code(CreateTeamRequest(org_id=org.id, name="t"), key) is DENIED
    assert await site.code(ListExchangesRequest(), key) is DENIED
    _, admin = await make(site, org.owner, role=ROLE_ADMIN, scopes=[SCOPE_ADMIN])
    assert await site.code(CreateKeyRequest(name="k", role=ROLE_ADMIN, scopes=[SCOPE_KEYS]), admin) is OK
    nothing, powerless = await make(site, org.owner, no_scopes=True)
    assert list(nothing.scopes) == []
    assert await site.code(MeRequest(), powerless) is OK
    assert await site.code(ListExchangesRequest(), powerless) is DENIED


async def test_words_of_a_dialect_go_when_what_they_say_changes(site):
    """A new role or scopes clear label and permissions, unless the same request states them."""
    org = await site.found()
    made, _ = await make(site, org.owner, role_label="owner", permissions=["a"])
    renamed = (await site.call(UpdateKeyRequest(key_id=made.id, name="n"), org.owner)).key
    assert (renamed.role_label, list(renamed.permissions)) == ("owner", ["a"])
    narrowed = (await site.call(UpdateKeyRequest(key_id=made.id, scopes=[SCOPE_READ]), org.owner)).key
    assert (narrowed.HasField("role_label"), list(narrowed.permissions)) == (False, [])
    request = UpdateKeyRequest(key_id=made.id, role=ROLE_MEMBER, role_label="dev", permissions=["b", "b"])
    stated = (await site.call(request, org.owner)).key
    assert (stated.role_label, list(stated.permissions)) == ("dev", ["b"])


async def test_limits_are_the_plans_the_keys_or_none(site):
    """Unlimited ends the key's own limits, a limit ends unlimited, and an hour's limit counts."""
    org = await site.found()
    made, key = await make(site, org.owner, rate_limit_per_hour=2)
    codes = [await site.code(ListExchangesRequest(), key) for _ in range(3)]
    assert codes == [OK, OK, StatusCode.RESOURCE_EXHAUSTED]
    freed = (await site.call(UpdateKeyRequest(key_id=made.id, unlimited=True), org.owner)).key
    assert (freed.unlimited, freed.HasField("rate_limit_per_hour")) == (True, False)
    assert [await site.code(ListExchangesRequest(), key) for _ in range(3)] == [OK] * 3
    bound = (await site.call(UpdateKeyRequest(key_id=made.id, rate_limit_per_minute=1), org.owner)).key
    assert (bound.unlimited, bound.rate_limit_per_minute) == (False, 1)
    both = UpdateKeyRequest(key_id=made.id, unlimited=True, rate_limit_per_hour=1)
    assert await site.code(both, org.owner) is BAD


async def test_metadata_is_an_object_that_nobody_reads(site):
    """It is replaced as a whole, cleared by the mask, and kept to the byte."""
    org = await site.found()
    text = b'{"b" : 1.50, "a": "\xc3\xa9"}'
    made, _ = await make(site, org.owner, metadata=text)
    assert (await site.call(GetKeyRequest(key_id=made.id), org.owner)).key.metadata == text
    assert await site.code(UpdateKeyRequest(key_id=made.id, metadata=b'"x"'), org.owner) is BAD
    replaced = UpdateKeyRequest(key_id=made.id, metadata=json.dumps({"n": 1}).encode())
    assert (await site.call(replaced, org.owner)).key.metadata == b'{"n": 1}'
    cleared = UpdateKeyRequest(key_id=made.id)
    cleared.update_mask.paths.append("metadata")
    assert (await site.call(cleared, org.owner)).key.metadata == b""
