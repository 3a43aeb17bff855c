"""One of everything that an organisation can have, by the names under which requests mention it."""

from gen.ingate.auth.v1.auth_service_pb2 import ListSessionsRequest
from gen.ingate.exchanges.v1 import exchange_pb2
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord, RecordRequest
from gen.ingate.orgs.v1.app_service_pb2 import CreateAppRequest
from gen.ingate.orgs.v1.team_service_pb2 import CreateTeamRequest
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI
from gen.ingate.providers.v1.provider_service_pb2 import CreateProviderRequest
from ingate import clock, ids
from ingate.identity.tables import AuditEntry

MARK = "possession-of"
"""What the text of each thing begins with; the organisation's slug follows."""


async def fill(site, org):
    """Gives an organisation one of everything, and returns the ids by the names of request fields."""
    owner, mark = org.owner, f"{MARK}-{org.slug}"
    member = await site.join(org)
    team = (
        await site.call(CreateTeamRequest(org_id=org.id, name=f"{mark} team", member_ids=[member.user_id]), owner)
    ).team
    app = (await site.call(CreateAppRequest(org_id=org.id, name=f"{mark} app", team_id=team.id), owner)).app
    key = await site.key(org, name=f"{mark} key", app_id=app.id, team_id=team.id)
    provider = f"{MARK}-{org.slug}"
    await site.call(CreateProviderRequest(name=provider, type=PROVIDER_TYPE_OPENAI, api_key="sk-x"), owner)
    sessions = await site.call(ListSessionsRequest(), owner)
    return {
        "org_id": org.id,
        "user_id": member.user_id,
        "team_id": team.id,
        "app_id": app.id,
        "key_id": key.id,
        "name": provider,
        "invitation_id": (await site.invite(org, email=f"{mark}@example.com")).invitation.id,
        "request_id": await record(site, org, key.id, text=f"{mark} prompt"),
        "session_id": sessions.items[0].id,
        "entry_id": await site.value(AuditEntry.id, AuditEntry.org_id == org.id),
        "actor_id": owner.user_id,
        "resource_id": key.id,
    }


async def record(site, org, key_id, *, text="hello"):
    """Stores an exchange as a gateway does, and returns its id."""
    exchange = exchange_pb2.Exchange(
        request_id=ids.uuid7(),
        created_at=clock.to_proto(clock.now()),
        source=exchange_pb2.SOURCE_PROXY,
        provider="openai",
        served_by="openai",
        model="gpt-4o",
        method="POST",
        path="/v1/chat/completions",
        status_code=200,
        level=exchange_pb2.LEVEL_INFO,
        cache=exchange_pb2.CACHE_MISS,
        key_id=key_id,
        prompt=text,
    )
    await site.call(RecordRequest(records=[ExchangeRecord(org_id=org.id, exchange=exchange)]))
    return exchange.request_id
