"""Every field of every `PUT`, with `null`, `[]`, `{}` and `""`: applied, or refused by name, and nothing else changes.

The fields come from the routes and the protos, so one that nobody decided about fails here.
"""

import pytest
import pytest_asyncio
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, SCOPE_PROXY, SCOPE_READ
from gen.ingate.keys.v1.key_service_pb2 import UpdateKeyRequest
from gen.ingate.orgs.v1.app_service_pb2 import CreateAppRequest
from gen.ingate.orgs.v1.team_service_pb2 import CreateTeamRequest
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI
from gen.ingate.providers.v1.provider_service_pb2 import CreateProviderRequest
from ingate import clock
from ingate.identity.tables import AuditEntry
from ingate.rpc import updates
from ingate.rpc.status import from_rpc_error
from rest_facade import services
from rest_facade.dialects.ingate import NAME
from rest_facade.routes import Parameter, native_routes, segments
from rest_facade.spec.schemas import is_required
from tests.support import tenancy

core_settings = {"rate_limit_enterprise": 10_000_000}
site, grpc_channel = tenancy.site, tenancy.grpc_channel

ROUTES = [route for route in native_routes(NAME) if route.verb == "PUT"]
EMPTY = {"null": None, "[]": [], "{}": {}, '""': ""}

APPLIED = {
    "UpdateOrg": {"name": {}, "slug": {}},
    "UpdateApp": {"name": {}, "description": {"null": "", '""': ""}, "team_id": {"null": None, '""': None}},
    "UpdateTeam": {"name": {}, "member_ids": {"null": [], "[]": []}},
    "UpdateMember": {"role": {}},
    "UpdateKey": {
        "name": {},
        "role": {},
        "scopes": {},
        "rate_limit_per_minute": {"null": None},
        "rate_limit_per_hour": {"null": None},
        "unlimited": {},
        "expires_at": {"null": None},
        "workspace": {"null": "", '""': ""},
        "role_label": {"null": None, '""': ""},
        "permissions": {"null": [], "[]": []},
        "description": {"null": "", '""': ""},
        "metadata": {"null": None, "{}": {}},
        "active": {},
    },
    "UpdateProvider": {
        "type": {},
        "base_url": {"null": "https://api.openai.com", '""': "https://api.openai.com"},
        "auth_mode": {},
        "api_key": {"null": False, '""': False},
        "auth_header": {"null": "authorization", '""': ""},
        "auth_format": {"null": "Bearer {key}"},
        "is_default": {},
        "enabled": {},
        "timeout_ms": {"null": 300_000},
        "models": {"null": [], "[]": []},
        "headers": {"null": {}, "{}": {}},
    },
    "ChangePassword": {"current_password": {}, "new_password": {}},
}
"""By rpc, field and value: what the field shows afterwards. What is not here is refused, and names the field."""

SEEN_AT = {"/api/v1/auth/password": "/api/v1/auth/me"}
SHOWN = {"api_key": "has_api_key"}
FOLLOWS = {"base_url": {"has_api_key"}, "auth_header": {"has_api_key"}, "auth_format": {"has_api_key"}}
"""What else changes with a field: a stored key does not go where it was not given for."""


def in_path(route):
    return {part.name for part in segments(route.template) if isinstance(part, Parameter)}


def changeable(route):
    """Returns the fields of a route's body that do not say what is changed: no path of the rpc has them."""
    message = services.method(route.rpc).input_type
    addresses = set().union(*(in_path(it) for it in ROUTES if it.rpc == route.rpc))
    return [field for field in message.fields if field.name not in addresses | {updates.MASK}]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def org(core, grpc_channel):
    """The organisation that owns what is updated; no test here changes it or its owner."""
    return await tenancy.Site(core, grpc_channel).found()


async def make_team(site, org):
    """Creates a team with a member, and returns its id."""
    member = await site.join(org)
    request = CreateTeamRequest(org_id=org.id, name=f"t{site.number()}", member_ids=[member.user_id])
    return (await site.call(request, org.owner)).team.id


async def make_app(site, org):
    """Creates an app of a team, and returns its id."""
    team_id = await make_team(site, org)
    request = CreateAppRequest(org_id=org.id, name=f"a{site.number()}", description="d", team_id=team_id)
    return (await site.call(request, org.owner)).app.id


async def make_key(site, org):
    """Creates a key, and returns its id."""
    fields = {
        "role": ROLE_ADMIN,
        "scopes": [SCOPE_PROXY, SCOPE_READ],
        "rate_limit_per_minute": 60,
        "rate_limit_per_hour": 600,
        "workspace": "w",
        "role_label": "developer",
        "permissions": ["proxy:write"],
        "description": "d",
        "metadata": b'{"a": 1}',
    }
    return (await site.key(org, **fields, expires_at=clock.to_proto(clock.now() + clock.HOUR))).id


async def make_provider(site, org):
    """Creates a provider, and returns its name."""
    provider = CreateProviderRequest(
        name=f"p{site.number()}",
        type=PROVIDER_TYPE_OPENAI,
        base_url="https://llm.example/v1",
        api_key="secret",
        auth_header="x-api-key",
        auth_format="Key {key}",
        is_default=True,
        timeout_ms=1000,
        models=["m"],
        headers={"x-a": "b"},
    )
    await site.call(provider, org.owner)
    return provider.name


async def make_member(site, org):
    """Returns the id of a new member."""
    return (await site.join(org)).user_id


MAKE = {
    "user_id": make_member,
    "team_id": make_team,
    "app_id": make_app,
    "key_id": make_key,
    "name": make_provider,
}
"""By the parameter of a path that names a thing: what makes one, with no field at its default."""


async def path_parameters(site, org, route):
    """Makes what a route changes, and returns the parameters of its path."""
    things = {name: await MAKE[name](site, org) for name in in_path(route) - {"org_id"}}
    return {**things, "org_id": org.id}


async def fresh(site, org, route):
    """Makes what a route changes, and returns its path and the headers of the owner."""
    return route.template.format(**await path_parameters(site, org, route)), dict(org.owner.metadata)


async def shown(http, path, headers):
    """Returns a resource as it is, whether it has a route of its own or is in a list."""
    single = await http.get(SEEN_AT.get(path, path), headers=headers)
    if single.status_code == 200:
        resource = single.json()
    else:
        parent, _, id_ = path.rpartition("/")
        items = (await http.get(parent, headers=headers)).json()["items"]
        [resource] = [it for it in items if id_ in {it.get("id"), it.get("user_id")}]
    return {name: value for name, value in resource.items() if name not in {"updated_at", "last_used_at"}}


def test_every_field_of_every_update_is_decided_about():
    """By the table above, and in the proto: what becomes of it by null is said where callers read it."""
    found = {}
    for route in ROUTES:
        fields = changeable(route)
        found[route.rpc.rpartition(".")[2]] = {field.name for field in fields}
        message = services.method(route.rpc).input_type
        if updates.is_update(message):
            assert {field.name for field in fields} == updates.refusals(message).keys()
        else:
            assert all(map(is_required, fields)), route
    assert found == {name: set(fields) for name, fields in APPLIED.items()}


@pytest.mark.parametrize(
    ("route", "field"),
    [
        pytest.param(route, field.name, id=f"{route.template} {field.name}")
        for route in ROUTES
        for field in changeable(route)
    ],
)
async def test_an_empty_value_is_applied_or_refused(site, org, http, route, field):
    """What is refused is named and changes nothing; what is applied changes that field alone."""
    table = APPLIED[route.rpc.rpartition(".")[2]][field]
    seen_in = SHOWN.get(field, field)
    before = None
    for word, value in EMPTY.items():
        if before is None:
            path, headers = await fresh(site, org, route)
            before = await shown(http, path, headers)
        answer = await http.put(path, headers=headers, json={field: value})
        after = await shown(http, path, headers)
        if word not in table:
            assert (answer.status_code, after) == (400, before), word
            assert field in {it["field"] for it in answer.json()["details"]}, word
            continue
        assert (answer.status_code, after[seen_in]) == (200, table[word]), (word, answer.text)
        assert before[seen_in] != after[seen_in], word
        assert {name for name in after if after[name] != before[name]} <= {seen_in} | FOLLOWS.get(field, set()), word
        before = None


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.template)
async def test_a_body_that_states_nothing_is_refused(site, org, http, route):
    """It would be answered as if something had happened; nor is anything on record."""
    path, headers = await fresh(site, org, route)
    entries = await site.count(AuditEntry)
    for body in ("{}", "null", "[]", '""', ""):
        answer = await http.put(path, headers={**headers, "Content-Type": "application/json"}, content=body)
        assert answer.status_code == 400, body
        if body in {"", "{}"}:
            assert answer.json()["message"] in {
                "the request states nothing to change",
                "role is required",
                "current_password is required",
            }
    assert await site.count(AuditEntry) == entries


async def test_what_an_update_is_about_is_not_null(site, http):
    """The organisation of the alias, which its path does not state: null would be as good as left out."""
    org = await site.found()
    headers = {"Authorization": f"Bearer {org.owner.token}"}
    answer = await http.put("/api/v1/org", headers=headers, json={"org_id": None, "name": "x"})
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "org_id")
    assert (await http.put("/api/v1/org", headers=headers, json={"org_id": org.id, "name": "x"})).status_code == 200


async def test_several_at_once(site, org, http):
    """All of a request happens, or none of it."""
    path, headers = f"/api/v1/keys/{await make_key(site, org)}", dict(org.owner.metadata)
    before = await shown(http, path, headers)
    refused = await http.put(path, headers=headers, json={"rate_limit_per_minute": None, "scopes": []})
    assert (refused.status_code, await shown(http, path, headers)) == (400, before)
    changes = {"rate_limit_per_minute": None, "expires_at": None, "name": "other"}
    answer = await http.put(path, headers=headers, json=changes)
    assert answer.json() == {**before, **changes, "last_used_at": None}


async def test_over_grpc_a_mask_names_what_is_cleared(site, org):
    """As null does over REST: each field that the mask names alone is cleared or refused, whatever the rpc."""
    seen = 0
    for route in ROUTES:
        message = services.method(route.rpc).input_type
        stated = await path_parameters(site, org, route)
        for name, why in updates.refusals(message).items():
            request = GetMessageClass(message)(**{it: stated[it] for it in in_path(route)})
            request.update_mask.paths.append(name)
            code, answer = await site.outcome(request, org.owner)
            assert code is (StatusCode.INVALID_ARGUMENT if why else StatusCode.OK), (route.rpc, name)
            if why:
                assert from_rpc_error(answer).fields == {name: f"cannot be cleared: {why}"}
            seen += 1
    assert seen > 20


async def test_over_grpc_nothing_is_left_out_in_silence(site, org):
    """A mask that does not name a field which is set, or names another one, contradicts the request."""
    key_id = await make_key(site, org)
    for fields, paths, field in (
        ({"name": "x", "rate_limit_per_minute": 5}, ["name"], "rate_limit_per_minute"),
        ({"scopes": [SCOPE_READ]}, ["name"], "scopes"),
        ({"name": "x"}, ["name", "key_id"], "update_mask"),
        ({"name": "x"}, ["*"], "update_mask"),
        ({"name": "x"}, ["name", ""], "update_mask"),
    ):
        request = UpdateKeyRequest(key_id=key_id, **fields)
        request.update_mask.paths.extend(paths)
        code, error = await site.outcome(request, org.owner)
        assert code is StatusCode.INVALID_ARGUMENT
        assert field in from_rpc_error(error).fields, paths
    code, error = await site.outcome(UpdateKeyRequest(key_id=key_id), org.owner)
    assert (code, error.details()) == (StatusCode.INVALID_ARGUMENT, "the request states nothing to change")
    request = UpdateKeyRequest(key_id=key_id, name="x")
    request.update_mask.paths.extend(["name", "expires_at"])
    changed = (await site.call(request, org.owner)).key
    assert (changed.name, changed.HasField("expires_at"), changed.rate_limit_per_minute) == ("x", False, 60)
