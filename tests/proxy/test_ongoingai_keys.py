"""OngoingAI's gateway keys: its routes, who may use them, and calls that need no key."""

import gzip
import json
import re

import pytest
import pytest_asyncio

from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest
from ingate.errors import BadRequest
from ingate.keys.rows import new_row
from rest_facade.dialects.ongoingai_key_settings import stated
from rest_facade.dialects.ongoingai_keys import OPEN_ID
from tests.support.gateway import gateway
from tests.support.ongoingai import FIXED, KEY, KEYS, NO_PERMISSION, call, said
from tests.support.upstream import status

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNMAPPED = "request is not authorized by gateway policy"
NOT_FOUND = "gateway key not found"
CALLER = {"Authorization": "Bearer sk-proj-callers-own"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest_asyncio.fixture(loop_scope="module")
async def manager():
    """A gateway, an organisation in it, a client, and a key of the organisation that manages keys."""
    async with gateway(grpc=False, dialects="ingate,ongoingai") as gw, gw.client() as http:
        org = await gw.signup()
        yield gw, org, http, await org.make_key(role="admin", format="ongoingai", external_id="root")


async def test_the_life_of_a_key(manager):
    """Created with what is stated or drawn, listed oldest first, rotated under its id, ended for good."""
    _, org, http, root = manager
    drawn = await call(http, root, "POST")
    assert drawn.status_code == 201
    made = drawn.json()
    assert re.fullmatch(r"gk_[0-9a-f]{16}", made["id"])
    assert re.fullmatch(r"ogk_[\w-]{32}", made.pop("token"))
    assert TIME.fullmatch(made["created_at"])
    assert made == {
        "id": made["id"],
        "org_id": org.id,
        "workspace_id": "default",
        "created_by": "root",
        "role": "developer",
        "created_at": made["created_at"],
    }
    body = {
        "ID": " team-a ",
        "token": "of-my-own-choice",
        "org_id": "ignored",
        "workspace_id": "default",
        "name": "A",
        "description": "d",
        "role": " Owner ",
        "permissions": [" Proxy:Write ", "proxy:write", "custom"],
    }
    # Whatever a body says it is, it is JSON.
    stated = await call(
        http, root, "POST", f"{KEYS}?name=query&zz=1", content=json.dumps(body), headers={"content-type": "text/plain"}
    )
    assert stated.status_code == 201
    team = stated.json()
    assert team.pop("token") == "of-my-own-choice"
    assert team.items() >= {"id": "team-a", "name": "A", "description": "d", "role": "owner"}.items()
    assert team["permissions"] == ["proxy:write", "custom"]
    items = (await call(http, root, "GET")).json()["items"]
    assert [it["id"] for it in items][-3:] == ["root", made["id"], "team-a"]
    assert items[-1] == team
    assert "token" not in json.dumps(items)
    for field, again in (("id", {"id": "team-a"}), ("token", {"token": "of-my-own-choice"})):
        answer = await call(http, root, "POST", json=again)
        assert said(answer) == (409, "gateway key already exists"), field
    rotated = await call(http, "of-my-own-choice", "POST", f"{KEYS}/team-a/rotate")
    assert rotated.status_code == 200
    token = rotated.json()["token"]
    assert {**rotated.json(), "token": 0, "last_used_at": 0} == {**team, "token": 0, "last_used_at": 0}
    taken = await call(http, root, "POST", f"{KEYS}/{made['id']}/rotate", json={"token": token})
    assert said(taken) == (409, "gateway key token already exists")
    assert said(await call(http, "of-my-own-choice", "GET"))[0] == 401
    gone = await call(http, root, "DELETE", f"{KEYS}/team-a")
    assert (gone.status_code, gone.content) == (204, b"")
    for method, path in (("DELETE", f"{KEYS}/team-a"), ("POST", f"{KEYS}/team-a/rotate"), ("DELETE", f"{KEYS}/nope")):
        assert said(await call(http, root, method, path)) == (404, NOT_FOUND)
    assert said(await call(http, token, "GET")) == (401, "missing or invalid gateway key")
    assert said(await call(http, root, "POST", json={"id": "team-a"})) == (409, "gateway key already exists")
    assert "team-a" not in {it["id"] for it in (await call(http, root, "GET")).json()["items"]}


async def test_who_may_do_what_and_what_is_refused_first(manager, up):
    """What no permission is for is 403 before the key is looked at; then the key, the permission, the body, the id."""
    _, org, http, root = manager
    for method, path in (
        ("PUT", KEYS),
        ("PATCH", f"{KEYS}/root"),
        ("GET", f"{KEYS}/root"),
        ("GET", f"{KEYS}/"),
        ("DELETE", f"{KEYS}/root/"),
        ("POST", f"{KEYS}/root/rotate/"),
        ("POST", "/api/health"),
    ):
        for secret in ("", "wrong", root):
            assert said(await call(http, secret, method, path)) == (403, UNMAPPED), (method, path)
    assert (await http.options(f"{KEYS}/any/thing")).status_code == 204
    assert (await call(http, root, "HEAD")).headers["allow"] == "GET, POST, OPTIONS"
    roles = {}
    for role, permissions in (("viewer", []), ("developer", []), ("auditor", []), ("auditor", ["keys:manage"])):
        made = await call(http, root, "POST", json={"role": role, "permissions": permissions})
        roles[role, len(permissions)] = made.json()["token"]
    for method, path in (("GET", KEYS), ("POST", KEYS), ("DELETE", f"{KEYS}/nope"), ("POST", f"{KEYS}/nope/rotate")):
        for secret, expected in (
            ("", (401, "missing or invalid gateway key")),
            ("wrong", (401, "missing or invalid gateway key")),
            (org.token, (401, "missing or invalid gateway key")),
            (org.key, (403, NO_PERMISSION)),
            (roles["viewer", 0], (403, NO_PERMISSION)),
            (roles["developer", 0], (403, NO_PERMISSION)),
            (roles["auditor", 0], (403, NO_PERMISSION)),
        ):
            assert said(await call(http, secret, method, path, content=b"{")) == expected, (method, path)
    assert (await call(http, roles["auditor", 1], "GET")).status_code == 200
    # It gives no more than it holds, and manages nothing but keys.
    assert said(await call(http, roles["auditor", 1], "POST")) == (403, NO_PERMISSION)
    assert (await http.get("/api/v1/audit", headers={"X-Ingate-Key": roles["auditor", 1]})).status_code == 403
    for secret, expected in ((roles["viewer", 0], 403), (roles["auditor", 0], 403), (org.key, 403)):
        answer = await call(http, secret, "POST", "/openai/v1/models")
        assert answer.status_code == expected


async def test_a_tenant_is_an_organisation_and_a_workspace(manager):
    """Keys of another one can be neither listed nor changed, and what a key makes is in its own."""
    gw, org, http, root = manager
    other = await gw.signup()
    stranger = await other.make_key(role="admin", format="ongoingai", external_id="theirs")
    made = {}
    for workspace in ("a", "b"):
        body = {"id": f"of-{workspace}", "role": "admin", "workspace_id": workspace}
        made[workspace] = (await call(http, root, "POST", json=body)).json()["token"]
    for secret, hidden in ((made["a"], "of-b"), (stranger, "of-b"), (root, "theirs")):
        assert hidden not in {it["id"] for it in (await call(http, secret, "GET")).json()["items"]}
        for method, path in (("DELETE", f"{KEYS}/{hidden}"), ("POST", f"{KEYS}/{hidden}/rotate")):
            assert said(await call(http, secret, method, path)) == (404, NOT_FOUND)
    child = (await call(http, made["a"], "POST", json={"workspace_id": "b", "org_id": other.id})).json()
    assert (child["org_id"], child["workspace_id"]) == (org.id, "a")
    assert [it["id"] for it in (await call(http, made["a"], "GET")).json()["items"]] == ["of-a", child["id"]]


BAD_BODIES = [
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b'{"id":"a"} trailing',
    b'{"id":1}',
    b'{"id":"a","ID":"b"}',
    b'{"id":"a","id":"b"}',
    b'{"unknown":1}',
    b'{"permissions":"proxy:write"}',
    b'{"permissions":[1]}',
    b'{"role":[]}',
    b'{"name":"\xff"}',
    b"\xef\xbb\xbf{}",
    b'{"token":"short"}',
    b'{"token":"with a space in it"}',
    b'{"token":"' + b"x" * 600 + b'"}',
    b'{"id":"a/b"}',
    b'{"id":"' + b"x" * 200 + b'"}',
    b'{"name":"' + b"x" * 300 + b'"}',
    b'{"name":"a\\u0000b"}',
    b'{"role":"' + b"x" * 100 + b'"}',
    b'{"permissions":["' + b"x" * 100 + b'"]}',
    b'{"permissions":' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"permissions":[' + b'"x",' * 5000 + b'"x"]}',
]


async def test_bad_bodies_are_refused_and_change_nothing(manager):
    """400 in the dialect's words, 413 for what is larger than 64 KiB; as many keys as before."""
    _, _, http, root = manager
    before = (await call(http, root, "GET")).json()
    for body in BAD_BODIES:
        answer = await call(http, root, "POST", content=body)
        assert said(answer)[0] == 400, body[:80]
        # Only what may be said of a token: its name.
        assert b"x" * 100 not in answer.content
    for body in (b'{"token":7}', b'{"id":"other"}', b'{"role":"owner"}', b"{", b'{"token":"short"}'):
        answer = await call(http, root, "POST", f"{KEYS}/root/rotate", content=body)
        assert said(answer)[0] == 400, body
    for path in (KEYS, f"{KEYS}/root/rotate"):
        large = await call(http, root, "POST", path, content=b'{"name":"' + b"x" * 65536 + b'"}')
        assert said(large) == (413, "request body too large")
    assert said(await call(http, root, "POST", content=b"{")) == (400, "invalid json body")
    for path in (KEYS, f"{KEYS}/root/rotate"):
        packed = await call(
            http, root, "POST", path, content=gzip.compress(b"{}"), headers={"content-encoding": "gzip"}
        )
        assert said(packed) == (400, "invalid json body")
    for path in ("a%2Fb", "a%00b", "%ff", "%2e%2e", "x" * 5000, "' OR 1=1 --", "\N{ROBOT FACE}"):
        answer = await call(http, root, "DELETE", f"{KEYS}/{path}")
        assert answer.status_code in {400, 403, 404, 414}, path
    after = (await call(http, root, "GET")).json()
    for one in (before, after):
        for item in one["items"]:
            item.pop("last_used_at", None)
    assert after == before


async def test_a_list_has_every_key(manager):
    """More than fit on a page, and the request counts once."""
    gw, org, http, _ = manager
    async with gw.core.database.write() as db:
        for number in range(205):
            row, _ = new_row(CreateKeyRequest(name=str(number)), org.id)
            row.scopes = ""
            db.add(row)
    counted = await org.make_key(role="admin", rate_limit_per_minute=50)
    answer = await call(http, counted, "GET")
    assert len(answer.json()["items"]) == 208
    assert answer.headers["x-ratelimit-remaining"] == "49"


async def test_nobody_takes_the_id_of_calls_without_a_key(manager):
    """It would be shown to nobody, and end the start of a gateway that takes such calls."""
    _, _, http, root = manager
    assert said(await call(http, root, "POST", json={"id": OPEN_ID}))[0] == 400
    answer = await http.post("/api/v1/keys", json={"name": "k", "external_id": OPEN_ID}, headers={"X-Ingate-Key": root})
    assert answer.json()["details"][0]["field"] == "external_id"
    with pytest.raises(BadRequest, match="key 1 must have an id"):
        stated(json.dumps([{"id": OPEN_ID, "token": "token-of-nobody"}]))


async def test_a_header_of_choice(up):
    """It holds the key in the place of the usual one, is named to browsers, and reaches no provider."""
    settings = {"dialects": "ingate,ongoingai", "ongoingai_openai_upstream": up.url}
    async with gateway(grpc=False, ongoingai_auth_header="X-Team-Pass", **settings) as gw, gw.client() as http:
        org = await gw.signup()
        made = await org.make_key(role="admin", secret="a-secret-of-no-known-form", scopes=["proxy", "keys"])
        assert (await http.get(KEYS, headers={KEY: made})).status_code == 401
        listed = await http.get(KEYS, headers={"x-team-pass": made})
        assert listed.status_code == 200
        assert listed.headers["access-control-allow-headers"].endswith(f", {KEY}, X-Team-Pass")
        up.enqueue(status(200, [("content-type", "application/json")], b"{}"))
        answer = await http.get("/openai/v1/models", headers={"X-Team-Pass": made, KEY: "another", **CALLER})
        assert answer.status_code == 200
        [sent] = up.requests
        assert made not in str(sent.headers)
        assert not {b"x-team-pass", KEY.lower().encode()} & {name.lower() for name, _ in sent.headers}
        assert made not in json.dumps(await org.last())


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", "Cookie"])
async def test_a_key_of_any_form_reaches_no_provider(up, header):
    """A caller who shows it where the provider's belongs has none to show there."""
    async with gateway(grpc=False, dialects="ingate,ongoingai", ongoingai_openai_upstream=up.url) as gw:
        org = await gw.signup()
        secret = await org.make_key(secret=f"a-secret-that-is-like-none-{header}")
        shown = {"Authorization": f"Bearer {secret}", "X-API-Key": secret, "Cookie": f"a=b; key={secret}"}[header]
        up.enqueue(status(200, [("content-type", "application/json")], b"{}"))
        async with gw.client() as http:
            own = {} if header == "X-API-Key" else {"X-API-Key": "sk-callers-own"}
            answer = await http.get("/openai/v1/models", headers={KEY: secret, **own, header: shown})
        assert answer.status_code == 200
        [sent] = up.requests
        assert secret not in str(sent.headers)
        assert dict(sent.headers).get(b"x-api-key") == (own["X-API-Key"].encode() if own else None)


async def test_without_a_key(up, tmp_path):
    """Whoever calls, it lands in the organisation that settings name; keys are listed, and nobody changes them."""
    settings = {"dialects": "ingate,ongoingai", "ongoingai_openai_upstream": up.url, "gateway_token": "shared-token"}
    async with gateway(grpc=False, data_dir=tmp_path, **settings) as gw:
        org = await gw.signup()
        native = await org.make_key(name="native")
        open_settings = {**settings, "ongoingai_auth": False, "ongoingai_org": org.slug}
        async with gateway(grpc=False, data_dir=tmp_path, **open_settings) as open_gw, open_gw.client() as http:
            up.enqueue(status(200, [("content-type", "application/json")], b'{"object":"list"}'))
            answer = await http.get("/openai/v1/models", headers={KEY: "anything"})
            assert answer.status_code == 200
            [sent] = up.requests
            assert KEY.lower().encode() not in {name.lower() for name, _ in sent.headers}
            await open_gw.settled()
            listed = await http.get(KEYS)
            assert (listed.status_code, listed.json()) == (200, {"items": []})
            for method, path in (("POST", KEYS), ("POST", f"{KEYS}/x/rotate"), ("DELETE", f"{KEYS}/x")):
                assert said(await http.request(method, path)) == (501, FIXED)
            assert said(await http.post(KEYS, content=b"{")) == (400, "invalid json body")
            assert said(await http.post(KEYS, content=b"x" * 70_000)) == (413, "request body too large")
            for method, path, allow in (
                ("PUT", KEYS, "GET, POST, OPTIONS"),
                ("GET", f"{KEYS}/x", "DELETE, OPTIONS"),
                ("GET", f"{KEYS}/x/rotate", "POST, OPTIONS"),
                ("POST", "/api/health", "GET, OPTIONS"),
            ):
                answer = await http.request(method, path)
                assert said(answer) == (405, "method not allowed")
                assert answer.headers["allow"] == allow
            nowhere = await http.get(f"{KEYS}/")
            assert (nowhere.status_code, nowhere.text) == (404, "404 page not found")
            # The native API asks for keys as ever.
            assert (await http.get("/api/v1/keys")).status_code == 401
            kept = (await http.get("/api/v1/keys", headers={"X-Ingate-Key": native})).json()["items"]
            [without] = [key for key in kept if key["external_id"] == OPEN_ID]
            assert (without["scopes"], without["fixed"]) == (["proxy", "read"], True)
            entries = (await http.get("/api/v1/logs", headers={"X-Ingate-Key": native})).json()["items"]
            assert [(entry["key_id"], entry["provider"]) for entry in entries] == [(without["id"], "openai")]
            headers = {"Authorization": f"Bearer {org.token}"}
            for change in ({"active": False}, {"name": "x"}):
                answer = await http.put(f"/api/v1/keys/{without['id']}", json=change, headers=headers)
                assert answer.status_code == 409
        async with gateway(grpc=False, data_dir=tmp_path, **settings) as shut, shut.client() as http:
            assert (await http.get("/openai/v1/models", headers=CALLER)).status_code == 401
            [key] = [
                key
                for key in (await http.get("/api/v1/keys", headers={"X-Ingate-Key": native})).json()["items"]
                if key["external_id"] == OPEN_ID
            ]
            assert key["active"] is False
