"""Keys of OngoingAI's dialect that settings state."""

import json

import pytest

from ingate.errors import BadRequest, Conflict, NotFound
from tests.support.gateway import gateway
from tests.support.ongoingai import FIXED, KEYS, NO_PERMISSION, call, said

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_keys_that_settings_state(tmp_path):
    """They work as long as they are stated, follow what is stated, and are changed nowhere else."""
    settings = {"dialects": "ingate,ongoingai"}
    async with gateway(grpc=False, data_dir=tmp_path, **settings) as gw:
        org = await gw.signup()

    def stating(*keys):
        return gateway(
            grpc=False, data_dir=tmp_path, ongoingai_org=org.slug, ongoingai_keys=json.dumps(keys), **settings
        )

    owner = {"id": "boss", "token": "token-of-the-boss", "role": "owner", "workspace_id": "w", "name": "Boss"}
    reader = {"id": "reader", "token": "token-of-a-reader", "role": "viewer", "org_id": org.slug}
    async with stating(owner, reader) as gw, gw.client() as http:
        made = (await call(http, owner["token"], "POST", json={"role": "admin"})).json()
        items = (await call(http, owner["token"], "GET")).json()["items"]
        assert [(it["id"], it["workspace_id"], it["role"]) for it in items] == [
            ("boss", "w", "owner"),
            (made["id"], "w", "admin"),
        ]
        for method, path in (("DELETE", f"{KEYS}/boss"), ("POST", f"{KEYS}/boss/rotate")):
            assert said(await call(http, made["token"], method, path)) == (501, FIXED)
        assert said(await call(http, reader["token"], "GET")) == (403, NO_PERMISSION)
    # Two swap their tokens, and one has another name for itself.
    swapped = ({**owner, "token": reader["token"]}, {**reader, "id": "reads", "token": owner["token"]})
    async with stating(*swapped) as gw, gw.client() as http:
        assert (await call(http, reader["token"], "GET")).status_code == 200
        assert said(await call(http, owner["token"], "GET")) == (403, NO_PERMISSION)
        audit = (await http.get("/api/v1/audit", headers={"X-Ingate-Key": org.key})).json()["items"]
        changed = [entry for entry in audit if entry["actor_id"] == "settings"]
        assert len(changed) == 5
        assert "token-of" not in json.dumps(audit)
    async with stating(*swapped) as gw, gw.client() as http:
        audit = (await http.get("/api/v1/audit", headers={"X-Ingate-Key": org.key})).json()["items"]
        assert len([entry for entry in audit if entry["actor_id"] == "settings"]) == 5
    async with gateway(grpc=False, data_dir=tmp_path, dialects="ingate,ongoingai") as gw, gw.client() as http:
        for secret in (reader["token"], owner["token"]):
            assert said(await call(http, secret, "GET"))[0] == 401
        assert (await call(http, made["token"], "GET")).status_code == 200
    with pytest.raises(Conflict, match="the key other that settings state cannot be made"):
        async with stating({"id": "other", "token": made["token"]}):
            pass
    # Once by its organisation, once by that of all.
    with pytest.raises(Conflict, match=f"settings state two keys reader of the organisation {org.slug}"):
        async with stating(reader, {"id": "reader", "token": "another-token"}):
            pass


async def test_keys_that_settings_state_move_between_organisations(tmp_path):
    """Two change places, whichever organisation is the older one."""
    settings = {"dialects": "ingate,ongoingai", "data_dir": tmp_path, "grpc": False}
    async with gateway(**settings) as gw:
        orgs = [await gw.signup(), await gw.signup()]
    for first, second in (orgs, orgs[::-1]):
        keys = [
            {"id": f"key-{number}", "token": f"token-number-{number}", "role": "admin", "org_id": org.slug}
            for number, org in enumerate((first, second))
        ]
        async with gateway(**settings, ongoingai_keys=json.dumps(keys)) as gw, gw.client() as http:
            for key, org in zip(keys, (first, second), strict=True):
                [item] = (await call(http, key["token"], "GET")).json()["items"]
                assert (item["id"], item["org_id"]) == (key["id"], org.id)


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"ongoingai_auth": False}, BadRequest, "ongoingai_org .* must name the organisation"),
        ({"ongoingai_keys": '[{"id":"a","token":"12345678"}]'}, BadRequest, "ongoingai_org .* must name"),
        ({"ongoingai_auth": False, "ongoingai_org": "nobody"}, NotFound, "organisation nobody, and there is none"),
        ({"ongoingai_keys": '[{"id":"a","token":"12345678","org_id":"x"}]'}, NotFound, "organisation x"),
    ],
)
async def test_settings_that_lead_nowhere_are_refused_at_start(settings, error, match):
    """In words that say what to do."""
    with pytest.raises(error, match=match):
        async with gateway(grpc=False, dialects="ongoingai", **settings):
            pass
