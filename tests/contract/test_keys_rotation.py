"""Keys in use: changed, rotated, noted as used."""

import asyncio

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
from gen.ingate.auth.v1.auth_service_pb2 import MeRequest
from gen.ingate.gateway.v1.gateway_service_pb2 import AdmitRequest
from gen.ingate.keys.v1.key_service_pb2 import GetKeyRequest, RevokeKeyRequest, RotateKeyRequest, UpdateKeyRequest
from ingate import clock, ids
from ingate.identity.last_used import LastUsed
from ingate.identity.tables import Key
from tests.support import tenancy
from tests.support.tenancy import Secret

site, grpc_channel = tenancy.site, tenancy.grpc_channel
OK, DEAD, DENIED = StatusCode.OK, StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED


async def rotate(site, org, key, **fields):
    made = await site.call(RotateKeyRequest(key_id=key.id, **fields), org.owner)
    return made, Secret(made.description.id, made.key)


async def test_a_key_changes_in_what_is_stated(site):
    """The rest stays; zero gives the limit back to the plan."""
    org = await site.found()
    key = await site.key(org, name="a", scopes=[SCOPE_PROXY, SCOPE_READ], rate_limit_per_minute=5)

    async def update(**fields):
        return (await site.call(UpdateKeyRequest(key_id=key.id, **fields), org.owner)).key

    renamed = await update(name="b")
    assert (renamed.name, list(renamed.scopes), renamed.rate_limit_per_minute) == ("b", [SCOPE_PROXY, SCOPE_READ], 5)
    assert not (await update(rate_limit_per_minute=0)).HasField("rate_limit_per_minute")
    narrowed = await update(scopes=[SCOPE_READ])
    assert (narrowed.role, list(narrowed.scopes)) == (ROLE_MEMBER, [SCOPE_READ])
    ends = clock.to_proto(clock.now() + clock.HOUR)
    assert (await update(expires_at=ends)).expires_at == ends
    assert (await site.call(GetKeyRequest(key_id=key.id), org.owner)).key == await update(expires_at=ends)


async def test_a_new_role_never_adds_scopes(site):
    """A key that could only read still can only read as an admin; what the new role does not allow is dropped."""
    org = await site.found()
    key = await site.key(org, scopes=[SCOPE_PROXY, SCOPE_READ])
    for role, scopes in ((ROLE_ADMIN, [SCOPE_PROXY, SCOPE_READ]), (ROLE_VIEWER, [SCOPE_READ])):
        changed = (await site.call(UpdateKeyRequest(key_id=key.id, role=role), org.owner)).key
        assert (changed.role, list(changed.scopes)) == (role, scopes)
    proxy = await site.key(org, scopes=[SCOPE_PROXY])
    code, error = await site.outcome(UpdateKeyRequest(key_id=proxy.id, role=ROLE_VIEWER), org.owner)
    assert (code, "scopes" in error.details()) == (StatusCode.INVALID_ARGUMENT, True)
    stated = UpdateKeyRequest(key_id=proxy.id, role=ROLE_ADMIN, scopes=[SCOPE_ADMIN])
    assert list((await site.call(stated, org.owner)).key.scopes) == [SCOPE_ADMIN]


async def test_a_changed_key_is_felt_by_its_next_call(site):
    """Also by the gateways' grant."""
    org = await site.found()
    key = await site.key(org, role=ROLE_ADMIN)
    ask = GetKeyRequest(key_id=key.id)
    assert await site.code(ask, key) is OK
    await site.call(UpdateKeyRequest(key_id=key.id, scopes=[SCOPE_PROXY]), org.owner)
    assert await site.code(ask, key) is DENIED
    grant = (await site.call(AdmitRequest(key_hash=ids.secret_hash(key.secret)))).grant
    assert list(grant.scopes) == [SCOPE_PROXY]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"role": 0},
        {"role": 99},
        {"scopes": [0]},
        {"scopes": [SCOPE_ADMIN]},
        {"role": ROLE_VIEWER, "scopes": [SCOPE_PROXY]},
        {"rate_limit_per_minute": -1},
        {"expires_at": clock.to_proto(1)},
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(site, fields):
    """Nothing of it happens."""
    org = await site.found()
    key = await site.key(org)
    before = (await site.call(GetKeyRequest(key_id=key.id), org.owner)).key
    assert await site.code(UpdateKeyRequest(key_id=key.id, **fields), org.owner) is StatusCode.INVALID_ARGUMENT
    assert (await site.call(GetKeyRequest(key_id=key.id), org.owner)).key == before


async def test_both_keys_work_during_the_overlap(site):
    """The new key has a new id and secret and everything else of the old, which says when it ends."""
    org = await site.found()
    key = await site.key(org, name="ci", role=ROLE_ADMIN, scopes=[SCOPE_READ], rate_limit_per_minute=9)
    made, new = await rotate(site, org, key)
    assert (made.replaces, new.id != key.id, new.secret != key.secret) == (key.id, True, True)
    old = (await site.call(GetKeyRequest(key_id=key.id), org.owner)).key
    assert old.revoked_at == made.replaced_valid_until
    assert abs(clock.from_proto(old.revoked_at) - clock.now() - 24 * clock.HOUR) < clock.MINUTE
    same = ("name", "role", "scopes", "rate_limit_per_minute")
    assert [getattr(made.description, name) for name in same] == [getattr(old, name) for name in same]
    for secret in (key, new):
        assert await site.code(MeRequest(), secret) is OK
    grant = (await site.call(AdmitRequest(key_hash=ids.secret_hash(key.secret)))).grant
    assert grant.expires_at == old.revoked_at


async def test_the_old_key_ends_with_the_overlap(site):
    """Without an overlap at once, else when its time has come; the new one lives."""
    org = await site.found()
    now, later = await site.key(org), await site.key(org)
    _, first = await rotate(site, org, now, overlap_hours=0)
    _, second = await rotate(site, org, later, overlap_hours=1)
    assert await site.code(MeRequest(), now) is DEAD
    assert await site.code(MeRequest(), later) is OK
    await site.sql("UPDATE keys SET revoked_at = :now WHERE id = :id", now=clock.now() - 1, id=later.id)
    assert await site.code(MeRequest(), later) is DEAD
    assert {await site.code(MeRequest(), secret) for secret in (first, second)} == {OK}


async def test_a_key_is_rotated_once(site):
    """Again, or at once by several, is a conflict, and one new key comes of it; so it is for a revoked one."""
    org = await site.found()
    key = await site.key(org)
    request = RotateKeyRequest(key_id=key.id)
    codes = await asyncio.gather(*(site.code(request, org.owner) for _ in range(5)))
    assert sorted(code.name for code in codes) == ["ALREADY_EXISTS"] * 4 + ["OK"]
    assert await site.count(Key, Key.org_id == org.id) == 3
    revoked = await site.key(org)
    await site.call(RevokeKeyRequest(key_id=revoked.id), org.owner)
    assert await site.code(RotateKeyRequest(key_id=revoked.id), org.owner) is StatusCode.ALREADY_EXISTS


async def test_revoking_cuts_the_overlap_short(site):
    """The old key dies at once and the new one stays; the new one can be rotated in its turn."""
    org = await site.found()
    key = await site.key(org)
    _, new = await rotate(site, org, key, overlap_hours=168)
    await site.call(RevokeKeyRequest(key_id=key.id), org.owner)
    assert (await site.code(MeRequest(), key), await site.code(MeRequest(), new)) == (DEAD, OK)
    _, newer = await rotate(site, org, new, overlap_hours=0)
    assert (await site.code(MeRequest(), new), await site.code(MeRequest(), newer)) == (DEAD, OK)


@pytest.mark.parametrize("hours", [-1, 169])
async def test_an_overlap_has_bounds(site, hours):
    """Nothing is rotated beyond them."""
    org = await site.found()
    key = await site.key(org)
    request = RotateKeyRequest(key_id=key.id, overlap_hours=hours)
    assert await site.code(request, org.owner) is StatusCode.INVALID_ARGUMENT
    assert await site.count(Key, Key.org_id == org.id) == 2


async def test_a_key_above_ones_own_role_is_out_of_reach(site):
    """An admin neither rotates nor changes an owner's key, nor raises one above themselves."""
    org = await site.found()
    above = await site.key(org, role=ROLE_OWNER)
    mine = await site.key(org, role=ROLE_ADMIN)
    for who in (await site.join(org, ROLE_ADMIN), mine):
        for request in (
            RotateKeyRequest(key_id=above.id),
            UpdateKeyRequest(key_id=above.id, name="x"),
            UpdateKeyRequest(key_id=mine.id, role=ROLE_OWNER),
        ):
            assert await site.code(request, who) is DENIED
    assert await site.code(MeRequest(), above) is OK


async def test_use_is_noted_without_a_write_for_each(site):
    """However often a key is used between two flushes, it costs one write, and the last use is what is stored."""
    org = await site.found()
    key = await site.key(org)
    for _ in range(5):
        await site.call(MeRequest(), key)
    assert await site.value(Key.last_used_at, Key.id == key.id) is None
    used = LastUsed(site.core.database)
    before = clock.now()
    for _ in range(1000):
        used.touch(key.id)
    await used.flush()
    described = (await site.call(GetKeyRequest(key_id=key.id), org.owner)).key
    assert before <= clock.from_proto(described.last_used_at) <= clock.now()


async def test_a_key_that_is_gone_takes_no_others_note_along(site):
    """What was used and then deleted with its organisation is passed over when uses are stored."""
    org = await site.found()
    key = await site.key(org)
    used = LastUsed(site.core.database)
    used.touch(ids.uuid7())
    used.touch(key.id)
    used.touch(ids.uuid7())
    await used.flush()
    assert await site.value(Key.last_used_at, Key.id == key.id)
