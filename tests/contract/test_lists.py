"""Every list of the API, found by the protos: cursors lead through all of it, once, whatever is added meanwhile."""

import pytest
import pytest_asyncio
from grpc import StatusCode
from sqlalchemy import insert

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER
from gen.ingate.providers.v1.provider_pb2 import AUTH_MODE_API_KEY, PROVIDER_TYPE_OPENAI
from ingate import clock, ids
from ingate.exchanges.tables import Exchange
from ingate.identity import tables
from ingate.providers.tables import Provider
from ingate.rpc.services import rpcs
from ingate.rpc.status import from_rpc_error
from rest_facade import services
from rest_facade.dialects.ingate import NAME
from rest_facade.routes import native_routes
from tests.support import tenancy
from tests.support.records import MOMENT

core_settings = {"rate_limit_enterprise": 10_000_000}
site, grpc_channel = tenancy.site, tenancy.grpc_channel

LISTS = {
    rpc.name: rpc
    for rpc in rpcs().values()
    if "items" in rpc.response.DESCRIPTOR.fields_by_name and not rpc.access.gateway
}
SECOND = clock.to_proto(MOMENT + clock.SECOND)


def rows(org, number):
    """Returns a row for each table that is listed; times are alike, so that ids decide."""
    at, id_ = MOMENT, ids.uuid7()
    common = {"org_id": org.id, "created_at": at}
    return {
        tables.Org: {"id": id_, "slug": f"z{id_}", "name": "n", "plan": "free", "created_at": at},
        tables.User: {
            "id": id_,
            "email": id_,
            "email_key": id_,
            "display_name": "",
            "password_hash": "",
            "created_at": at,
        },
        tables.Team: {**common, "id": id_, "name": f"é{number}"},
        tables.App: {**common, "id": id_, "name": f"\\u0001\n{number}", "description": ""},
        tables.Key: {
            **common,
            "id": id_,
            "name": "n",
            "secret_hash": ids.secret_hash(id_),
            "role": ROLE_MEMBER,
            "scopes": "1",
        },
        tables.Invitation: {
            **common,
            "id": id_,
            "email": id_,
            "email_key": id_,
            "role": ROLE_MEMBER,
            "token_hash": ids.secret_hash(f"i{id_}"),
            "expires_at": clock.now() + clock.HOUR,
        },
        tables.Session: {
            **common,
            "id": id_,
            "token_hash": ids.secret_hash(f"s{id_}"),
            "user_id": org.owner.user_id,
            "expires_at": clock.now() + clock.HOUR,
        },
        tables.AuditEntry: {
            **common,
            "id": id_,
            "actor_id": "a",
            "action": "x",
            "resource_type": "x",
            "resource_id": "x",
            "meta": {"hours": 24},
            "address": "",
        },
        Provider: {
            **common,
            "name": f"p{number}",
            "type": PROVIDER_TYPE_OPENAI,
            "base_url": "https://x",
            "auth_mode": AUTH_MODE_API_KEY,
            "auth_header": "",
            "auth_format": "",
            "is_default": False,
            "enabled": True,
            "timeout_ms": 1,
            "models": [],
            "headers": {},
            "updated_at": at,
        },
        Exchange: {
            **common,
            "id": id_,
            "source": 1,
            "provider": "p",
            "served_by": "p",
            "model": "m",
            "method": "POST",
            "path": "/",
            "status_code": 200,
            "level": 1,
            "stream": False,
            "latency_ms": 1.0,
            "cache": 3,
            "attempts": "[]",
            "key_id": id_,
            "meta": "{}",
            "tags": "{}",
            "truncated": False,
        },
    }


async def add(site, org, *numbers):
    """Adds to everything that an organisation and its owner have."""
    made = [rows(org, number) for number in numbers]
    async with site.core.database.write() as db:
        for table in made[0]:
            await db.execute(insert(table), [one[table] for one in made])
        for one in made:
            seat = {"role": ROLE_MEMBER, "created_at": MOMENT}
            await db.execute(insert(tables.Member), [
                {**seat, "org_id": org.id, "user_id": one[tables.User]["id"]},
                {**seat, "org_id": one[tables.Org]["id"], "user_id": org.owner.user_id},
            ])  # fmt: skip


def asking(rpc, org, **fields):
    """Returns the request for a list of an organisation."""
    if "org_id" in rpc.request.DESCRIPTOR.fields_by_name:
        fields["org_id"] = org.id
    return rpc.request(**fields)


async def walk(site, rpc, org, cursor=None):
    """Returns the items of all pages of a list, from a cursor on."""
    found = []
    while True:
        page = await site.call(asking(rpc, org, limit=2, cursor=cursor), org.owner)
        assert len(page.items) == 2 or not page.HasField("next_cursor")
        found += page.items
        if not page.HasField("next_cursor"):
            return found
        cursor = page.next_cursor


async def first_pages(site, org):
    """Returns the first page of every list of an organisation, two items each, by the name of its rpc."""
    return {name: await site.call(asking(rpc, org, limit=2), org.owner) for name, rpc in LISTS.items()}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def org(core, grpc_channel):
    """An organisation with several of everything."""
    site = tenancy.Site(core, grpc_channel)
    made = await site.found()
    await add(site, made, 3, 1, 4, 2, 5)
    return made


def test_every_list_has_cursors():
    """And documents them the same way; there is no list that is not tried below."""
    assert len(LISTS) == 10
    for rpc in LISTS.values():
        asked, told = set(rpc.request.DESCRIPTOR.fields_by_name), set(rpc.response.DESCRIPTOR.fields_by_name)
        assert {"limit", "cursor"} <= asked, rpc.name
        assert {"items", "total", "limit", "next_cursor"} <= told, rpc.name
        assert ("offset" in asked) == ("offset" in told) == (rpc.name != "ListExchanges"), rpc.name


@pytest.mark.parametrize("name", sorted(LISTS))
async def test_cursors_lead_through_all_of_a_list(site, org, name):
    """In the order of the list, each entry once; the last page has no cursor."""
    rpc = LISTS[name]
    whole = await site.call(asking(rpc, org, limit=200), org.owner)
    assert len(whole.items) > 4
    assert not whole.HasField("next_cursor")
    assert await walk(site, rpc, org) == list(whole.items)


async def test_what_is_added_meanwhile_moves_nothing(site):
    """Entries that were there are seen once each, though others come before and among them."""
    org = await site.found()
    await add(site, org, 2, 4, 6, 8)
    before = {
        name: list((await site.call(asking(rpc, org, limit=200), org.owner)).items) for name, rpc in LISTS.items()
    }
    first = await first_pages(site, org)
    await add(site, org, 1, 3, 5, 7, 9)
    for name, rpc in LISTS.items():
        seen = [*first[name].items, *await walk(site, rpc, org, first[name].next_cursor)]
        assert [it for it in seen if it in before[name]] == before[name], name


async def test_a_cursor_of_another_list_is_refused(site, org):
    """Of another rpc, another organisation or person, or with other filters; the size of pages may change."""
    other = await site.found()
    await add(site, other, 1, 2, 3)
    own, others = await first_pages(site, org), await first_pages(site, other)
    for name, rpc in LISTS.items():
        foreign = [page.next_cursor for it, page in own.items() if it != name]
        for cursor in (*foreign, others[name].next_cursor):
            code, error = await site.outcome(asking(rpc, org, cursor=cursor), org.owner)
            assert (code, list(from_rpc_error(error).fields)) == (StatusCode.INVALID_ARGUMENT, ["cursor"]), name
        cursor = own[name].next_cursor
        assert await site.code(asking(rpc, org, cursor=cursor, limit=7), org.owner) is StatusCode.OK, name
        if "since" in rpc.request.DESCRIPTOR.fields_by_name:
            request = asking(rpc, org, cursor=cursor, since=SECOND)
            assert await site.code(request, org.owner) is StatusCode.INVALID_ARGUMENT, name


@pytest.mark.parametrize("name", sorted(LISTS.keys() - {"ListExchanges"}))
async def test_an_offset_is_not_beside_a_cursor(site, org, name):
    """It would be counted from either place; 0 is from both."""
    rpc = LISTS[name]
    cursor = (await site.call(asking(rpc, org, limit=2), org.owner)).next_cursor
    code, error = await site.outcome(asking(rpc, org, cursor=cursor, offset=1), org.owner)
    assert (code, list(from_rpc_error(error).fields)) == (StatusCode.INVALID_ARGUMENT, ["offset"])
    second = await site.call(asking(rpc, org, cursor=cursor, offset=0, limit=2), org.owner)
    assert second.items[:] == (await site.call(asking(rpc, org, offset=2, limit=2), org.owner)).items[:]
    assert second.total == (await site.call(asking(rpc, org), org.owner)).total


def spans():
    """Returns every rpc that takes both ends of a time."""
    both = {"since", "until"}
    return [rpc for rpc in rpcs().values() if both <= set(rpc.request.DESCRIPTOR.fields_by_name)]


@pytest.mark.parametrize("rpc", spans(), ids=lambda rpc: rpc.name)
async def test_since_is_not_after_until(site, org, rpc):
    """Nothing lies between, and nobody means that; the same moment twice is an empty time."""
    first, last = clock.to_proto(MOMENT), clock.to_proto(MOMENT + 1)
    assert await site.code(asking(rpc, org, since=first, until=first), org.owner) is StatusCode.OK
    code, error = await site.outcome(asking(rpc, org, since=last, until=first), org.owner)
    assert (code, from_rpc_error(error).fields) == (
        StatusCode.INVALID_ARGUMENT,
        {"since": "must not be after until"},
    )


async def test_over_rest(site, org, http):
    """Each list has the member, null on the last page; a stale or crossed span and an edited cursor are 400 by name."""
    headers = {"Authorization": f"Bearer {org.owner.token}"}
    routes = [it for it in native_routes(NAME) if it.rpc.rpartition(".")[2] in LISTS]
    assert len(routes) == len(LISTS)
    for route in routes:
        path = route.template.format(org_id=org.id)
        first = (await http.get(path, headers=headers, params={"limit": 2})).json()
        rest = (await http.get(path, headers=headers, params={"cursor": first["next_cursor"], "limit": 200})).json()
        assert (len(first["items"]), rest["next_cursor"]) == (2, None), path
        whole = (await http.get(path, headers=headers, params={"limit": 200})).json()
        assert first["items"] + rest["items"] == whole["items"], path
        wrong = await http.get(path, headers=headers, params={"cursor": first["next_cursor"] + "x"})
        assert (wrong.status_code, wrong.json()["details"][0]["field"]) == (400, "cursor")
        if "since" in services.method(route.rpc).input_type.fields_by_name:
            span = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
            wrong = await http.get(path, headers=headers, params=span)
            assert (wrong.status_code, wrong.json()["details"][0]["field"]) == (400, "since")


async def test_how_entries_read_over_rest(site, org, http):
    """Numbers of an audit entry are numbers, and what the cache did is the word of its header."""
    headers = {"Authorization": f"Bearer {org.owner.token}"}
    entries = (await http.get("/api/v1/audit", headers=headers, params={"action": "x"})).json()["items"]
    assert {repr(entry["metadata"]) for entry in entries} == {"{'hours': 24}"}
    calls = (await http.get("/api/v1/logs", headers=headers)).json()["items"]
    assert {call["cache"] for call in calls} == {"BYPASS"}
