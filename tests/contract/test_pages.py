"""Every list, full of the largest entries that there can be, to a client that takes what clients do by default."""

import json
import random

import grpc.aio
import pytest_asyncio
from sqlalchemy import insert

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER
from gen.ingate.audit.v1.audit_service_pb2 import ListEntriesRequest
from gen.ingate.audit.v1.audit_service_pb2_grpc import AuditServiceStub
from gen.ingate.exchanges.v1 import exchange_pb2
from gen.ingate.exchanges.v1 import exchange_service_pb2 as exchanges
from gen.ingate.exchanges.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest
from gen.ingate.exchanges.v1.record_service_pb2_grpc import RecordServiceStub
from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from gen.ingate.orgs.v1 import app_service_pb2_grpc, member_service_pb2_grpc, team_service_pb2_grpc
from gen.ingate.orgs.v1.app_service_pb2 import ListAppsRequest
from gen.ingate.orgs.v1.member_service_pb2 import ListInvitationsRequest, ListMembersRequest
from gen.ingate.orgs.v1.team_service_pb2 import ListTeamsRequest
from gen.ingate.providers.v1.provider_pb2 import AUTH_MODE_API_KEY, PROVIDER_TYPE_OPENAI
from gen.ingate.providers.v1.provider_service_pb2 import ListProvidersRequest
from gen.ingate.providers.v1.provider_service_pb2_grpc import ProviderServiceStub
from ingate import clock, ids
from ingate.exchanges import tables as exchange_tables
from ingate.identity import tables
from ingate.providers.tables import Provider
from ingate.rpc import server as rpc_server
from tests.support.records import MOMENT, record

WIDE = "\N{FOX FACE}"
"""Four bytes, as many as a character may have."""
MOST = 200
TAKEN = 4 * 1024 * 1024


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def grpc_channel(core):
    """A channel as any client opens one."""
    server = await rpc_server.start("127.0.0.1:0", core.servicers, interceptors=core.interceptors)
    try:
        async with grpc.aio.insecure_channel(server.target) as channel:
            yield channel
    finally:
        await server.stop(0)


async def fill(core, table, rows):
    async with core.database.write() as db:
        await db.execute(insert(table), list(rows))


async def pages(call, request, tenant):
    """Returns the names of every page of a list with offsets, and how many pages there were."""
    found, count = [], 0
    while True:
        request.offset = len(found)
        answer = await call(request, metadata=tenant.owner)
        count += 1
        assert answer.ByteSize() < TAKEN
        assert len(answer.items) in {answer.limit, answer.total - len(found)}
        found += answer.items
        if len(found) >= answer.total:
            assert len(found) == answer.total
            return found, count


def common(tenant):
    return {"org_id": tenant.org_id, "created_at": 1}


async def test_providers(core, grpc_channel, tenant):
    """A thousand models each do not fit two hundred times: the limit in force says how many did."""
    models = [f"{number:04}" + "m" * 1000 for number in range(1000)]
    plain = {"type": PROVIDER_TYPE_OPENAI, "base_url": "https://x", "auth_mode": AUTH_MODE_API_KEY, "auth_header": ""}
    plain |= {"auth_format": "", "is_default": False, "enabled": True, "timeout_ms": 1, "headers": {}, "updated_at": 1}
    rows = [common(tenant) | plain | {"name": f"p{number:03}", "models": models} for number in range(12)]
    await fill(core, Provider, rows)
    found, count = await pages(
        ProviderServiceStub(grpc_channel).ListProviders, ListProvidersRequest(limit=MOST), tenant
    )
    assert ([it.name for it in found], count) == ([row["name"] for row in rows], 4)


async def test_teams(core, grpc_channel, tenant):
    """Nor do the ids of a thousand people."""
    people = [ids.uuid7() for _ in range(1000)]
    teams = [ids.uuid7() for _ in range(100)]
    user = {"display_name": "", "password_hash": "", "created_at": 1}
    await fill(core, tables.User, (user | {"id": it, "email": it, "email_key": it} for it in people))
    await fill(core, tables.Team, (common(tenant) | {"id": it, "name": it} for it in teams))
    await fill(core, tables.TeamMember, ({"team_id": team, "user_id": it} for team in teams for it in people))
    stub = team_service_pb2_grpc.TeamServiceStub(grpc_channel)
    found, count = await pages(stub.ListTeams, ListTeamsRequest(limit=MOST, org_id=tenant.org_id), tenant)
    assert ([it.id for it in found], count) == (teams, 2)
    assert {len(it.member_ids) for it in found} == {1000}


async def test_audit_entries(core, grpc_channel, tenant):
    """Whatever was noted of a change."""
    entry = common(tenant) | {"actor_id": "a", "action": "x", "resource_type": "x", "resource_id": "x", "address": ""}
    rows = [entry | {"id": ids.uuid7(), "meta": {"name": WIDE * 9000}} for _ in range(MOST)]
    await fill(core, tables.AuditEntry, rows)
    request = ListEntriesRequest(limit=MOST, action="x")
    found, count = await pages(AuditServiceStub(grpc_channel).ListEntries, request, tenant)
    assert ([it.id for it in found], count) == ([row["id"] for row in rows][::-1], 3)


async def test_lists_whose_entries_are_short(core, grpc_channel, tenant):
    """Two hundred of the largest that requests may make fit on one page."""
    name, now = WIDE * 200, clock.now() + clock.HOUR
    numbers = [ids.uuid7() for _ in range(MOST)]
    label = WIDE * 64
    key = {
        "role": ROLE_MEMBER,
        "scopes": "1,2,3,4,5",
        "app_id": label,
        "team_id": label,
        "rate_limit": 1,
        "expires_at": now,
    }
    key |= {"created_by": numbers[0], "last_used_at": now, "revoked_at": now}
    await fill(
        core,
        tables.Key,
        (common(tenant) | key | {"id": it, "name": name, "secret_hash": ids.secret_hash(it)} for it in numbers),
    )
    await fill(
        core,
        tables.App,
        (common(tenant) | {"id": it, "name": it + WIDE * 164, "description": WIDE * 2000} for it in numbers),
    )
    people = [
        {"id": it, "email": it + "x" * 218, "email_key": it, "display_name": name, "password_hash": "", "created_at": 1}
        for it in numbers
    ]
    await fill(core, tables.User, people)
    await fill(core, tables.Member, (common(tenant) | {"user_id": it, "role": ROLE_MEMBER} for it in numbers))
    invitation = common(tenant) | {"role": ROLE_MEMBER, "expires_at": now}
    await fill(
        core,
        tables.Invitation,
        (
            invitation | {"id": it, "email": it + "x" * 218, "email_key": it, "token_hash": ids.secret_hash("i" + it)}
            for it in numbers
        ),
    )
    members = member_service_pb2_grpc.MemberServiceStub(grpc_channel)
    for call, request in (
        (KeyServiceStub(grpc_channel).ListKeys, ListKeysRequest(limit=MOST)),
        (app_service_pb2_grpc.AppServiceStub(grpc_channel).ListApps, ListAppsRequest(limit=MOST, org_id=tenant.org_id)),
        (members.ListMembers, ListMembersRequest(limit=MOST, org_id=tenant.org_id)),
        (members.ListInvitations, ListInvitationsRequest(limit=MOST, org_id=tenant.org_id)),
    ):
        answer = await call(request, metadata=tenant.owner)
        assert len(answer.items) == answer.limit == MOST
        assert answer.ByteSize() < TAKEN * 3 // 4


def entry(org_id, number, **fields):
    """Returns the row of an exchange; what is not given is short."""
    plain = {
        "source": 1,
        "provider": "p",
        "served_by": "p",
        "model": "m",
        "method": "POST",
        "path": "/",
        "status_code": 200,
        "level": 1,
    }
    plain |= {
        "stream": False,
        "latency_ms": 1.0,
        "cache": 3,
        "attempts": "[]",
        "key_id": ids.uuid7(),
        "meta": "{}",
        "tags": "{}",
    }
    return plain | {"id": ids.uuid7(), "org_id": org_id, "created_at": MOMENT + number, "truncated": False} | fields


async def walk(stub, tenant, **fields):
    """Returns the entries of every page, and the sizes of the pages."""
    found, sizes, cursor = [], [], None
    while True:
        request = exchanges.ListExchangesRequest(cursor=cursor, **fields)
        answer = await stub.ListExchanges(request, metadata=tenant.owner)
        assert answer.ByteSize() < TAKEN
        found += answer.items
        sizes.append(len(answer.items))
        if not answer.HasField("next_cursor"):
            return found, sizes
        cursor = answer.next_cursor


async def test_exchanges_with_long_texts(core, grpc_channel, tenant):
    """A list shows how they begin; a short one is shown whole, and what is not there is not there."""
    rows = [
        entry(tenant.org_id, number, prompt=WIDE * length, completion="é" * length, path="/" + "x" * (length - 1))
        for number, length in enumerate([1, 1023, 1024, 1025, 100_000])
    ]
    rows.append(entry(tenant.org_id, 9))
    await fill(core, exchange_tables.Exchange, rows)
    found, _ = await walk(ExchangeServiceStub(grpc_channel), tenant)
    assert not found[0].HasField("prompt")
    assert not found[0].HasField("completion")
    for row, item in zip(rows[:5], found[:0:-1], strict=True):
        for name in ("prompt", "completion", "path"):
            whole = row[name]
            assert getattr(item, name) == (whole if len(whole) <= 1024 else whole[:1023] + "…")


async def test_exchanges_with_long_documents(core, grpc_channel, tenant):
    """Attempts, metadata, tags and units that are longer than a list shows are for the entry alone."""
    units = {"u" * 16_378: 1}, {"u" * 16_377: 1}
    long, short = json.dumps({"a": "x" * 16_376}), json.dumps({"a": "x" * 16_375})
    tries = json.dumps([{"provider": "p", "latency_ms": 1.0, "error": "e" * 16_384}])
    await fill(core, exchange_tables.Exchange, [
        entry(tenant.org_id, 0, meta=long, tags=long, attempts=tries, units=json.dumps(units[0])),
        entry(
            tenant.org_id, 1, meta=short, tags=short, attempts=json.dumps([{"provider": "p", "latency_ms": 1.0}]),
            units=json.dumps(units[1]),
        ),
    ])  # fmt: skip
    stub = ExchangeServiceStub(grpc_channel)
    [shown, left], _ = await walk(stub, tenant)
    assert (dict(left.metadata), dict(left.tags), dict(left.units), list(left.attempts)) == ({}, {}, {}, [])
    assert (dict(shown.metadata), dict(shown.tags), len(shown.attempts)) == (*[json.loads(short)] * 2, 1)
    assert dict(shown.units) == units[1]
    request = exchanges.GetExchangeRequest(request_id=left.request_id)
    whole = (await stub.GetExchange(request, metadata=tenant.owner)).exchange
    assert (dict(whole.metadata), dict(whole.tags), len(whole.attempts)) == (*[json.loads(long)] * 2, 1)
    assert dict(whole.units) == units[0]


async def test_exchanges_that_do_not_fit_on_a_page(core, grpc_channel, tenant):
    """The page ends earlier and says where the next begins; together they hold everything once."""
    size = random.Random(1)
    wide = json.dumps({"a": WIDE * 16_370}, ensure_ascii=False)
    rows = [
        entry(tenant.org_id, number, prompt=WIDE * 1024, meta=wide, tags=wide if size.random() < 0.5 else "{}")
        for number in range(150)
    ]
    await fill(core, exchange_tables.Exchange, rows)
    found, sizes = await walk(ExchangeServiceStub(grpc_channel), tenant, limit=MOST)
    assert [it.request_id for it in found] == [row["id"] for row in rows][::-1]
    assert len(sizes) > 3
    assert min(sizes[:-1]) > 20


async def test_an_exchange_with_the_largest_bodies(grpc_channel, tenant, gateway, settings):
    """As they are kept by default, with texts that fill them; what does not fit beside the bodies stands in them."""
    size = settings.capture_bytes
    headers = json.dumps({"x": "y" * 64 * 1024}).encode()
    payload = exchange_pb2.Payload(
        request_headers=headers, request_body=b"r" * size, response_headers=headers, response_body=b"a" * size
    )
    texts = {"prompt": WIDE * (size // 4), "completion": "c" * size}
    stored = record(tenant.org_id, payload=payload, **texts)
    stub = ExchangeServiceStub(grpc_channel)
    # Reported over the gateway's own channel, which takes more.
    await RecordServiceStub(tenant.channel).Record(RecordRequest(records=[stored]), metadata=gateway)
    request = exchanges.GetExchangeRequest(request_id=stored.exchange.request_id)
    answer = await stub.GetExchange(request, metadata=tenant.owner)
    assert answer.ByteSize() < TAKEN
    assert answer.payload == payload
    for name, whole in texts.items():
        shown = getattr(answer.exchange, name)
        assert 512 * 1024 - 8 < len(shown.encode()) <= 512 * 1024
        assert (shown[-1], whole.startswith(shown[:-1])) == ("…", True)
