"""Who may call which rpc: one table, held against the running core for every kind of caller."""

from dataclasses import dataclass

import pytest
from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import (
    ROLE_ADMIN,
    ROLE_MEMBER,
    ROLE_VIEWER,
    SCOPE_ADMIN,
    SCOPE_INGEST,
    SCOPE_KEYS,
    SCOPE_PROXY,
    SCOPE_READ,
    SCOPE_WRITE,
)
from gen.ingate.chat.v1.chat_pb2 import Chat
from gen.ingate.chat.v1.message_pb2 import ROLE_USER, Message, Part
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_DEMO
from ingate.rpc.services import rpcs
from tests.support import tenancy
from tests.support.possessions import fill
from tests.support.tenancy import PASSWORD

core_settings = {"demo": True, "rate_limit_enterprise": 1_000_000}
site = tenancy.site


@pytest.fixture(scope="module", params=["sqlite"])
def database_kind(request):
    """One database will do: what is asked here does not depend on it, and there is much of it."""
    return request.param


KEYS = {
    "key:proxy": SCOPE_PROXY,
    "key:ingest": SCOPE_INGEST,
    "key:read": SCOPE_READ,
    "key:write": SCOPE_WRITE,
    "key:admin": SCOPE_ADMIN,
    "key:keys": SCOPE_KEYS,
}
PEOPLE = {"viewer", "member", "admin", "owner"}
CALLERS = ["nobody", "viewer", "member", "admin", *KEYS, "owner"]

ANYONE = frozenset(CALLERS)
ANY_PERSON = frozenset(PEOPLE)
CREDENTIAL = frozenset({*PEOPLE, *KEYS})
READERS = frozenset({*PEOPLE, "key:read"})
KEY_READERS = READERS - {"viewer"} | {"key:keys"}
ADMINS = frozenset({"admin", "owner", "key:admin"})
KEY_MANAGERS = ADMINS | {"key:keys"}
OWNER = frozenset({"owner"})
GATEWAYS = frozenset()

# rpc → who may call it in an organisation of their own, and whether what it names is hidden from other organisations.
TABLE = {
    "audit.v1.AuditService/GetEntry": (READERS, "hidden"),
    "audit.v1.AuditService/ListEntries": (READERS, "own"),
    "auth.v1.AuthService/AcceptInvitation": (ANYONE, "own"),
    "auth.v1.AuthService/ChangePassword": (ANY_PERSON, "own"),
    "auth.v1.AuthService/ListSessions": (ANY_PERSON, "own"),
    "auth.v1.AuthService/Login": (ANYONE, "own"),
    "auth.v1.AuthService/Logout": (ANY_PERSON, "own"),
    "auth.v1.AuthService/Me": (CREDENTIAL, "own"),
    "auth.v1.AuthService/RevokeSession": (ANY_PERSON, "hidden"),
    "auth.v1.AuthService/Signup": (ANYONE, "own"),
    "chat.v1.ChatService/Complete": (frozenset({"key:proxy"}), "own"),
    "chat.v1.ChatService/StreamComplete": (frozenset({"key:proxy"}), "own"),
    "exchanges.v1.ExchangeService/GetExchange": (READERS, "hidden"),
    "exchanges.v1.ExchangeService/ListExchanges": (READERS, "own"),
    "exchanges.v1.ExchangeService/TailExchanges": (READERS, "own"),
    "exchanges.v1.RecordService/Record": (GATEWAYS, "gateway"),
    "gateway.v1.GatewayService/Admit": (GATEWAYS, "gateway"),
    "gateway.v1.GatewayService/GetPolicy": (GATEWAYS, "gateway"),
    "gateway.v1.GatewayService/Watch": (GATEWAYS, "gateway"),
    "keys.v1.KeyService/CreateKey": (KEY_MANAGERS, "own"),
    "keys.v1.KeyService/GetKey": (KEY_READERS, "hidden"),
    "keys.v1.KeyService/ListKeys": (KEY_READERS, "own"),
    "keys.v1.KeyService/RevokeKey": (KEY_MANAGERS, "hidden"),
    "keys.v1.KeyService/RotateKey": (KEY_MANAGERS, "hidden"),
    "keys.v1.KeyService/UpdateKey": (KEY_MANAGERS, "hidden"),
    "orgs.v1.AppService/CreateApp": (ADMINS, "hidden"),
    "orgs.v1.AppService/DeleteApp": (ADMINS, "hidden"),
    "orgs.v1.AppService/ListApps": (READERS, "hidden"),
    "orgs.v1.AppService/UpdateApp": (ADMINS, "hidden"),
    # A key gives people no more than it holds, and this one holds one scope.
    "orgs.v1.MemberService/InviteMember": (ADMINS - {"key:admin"}, "hidden"),
    "orgs.v1.MemberService/ListInvitations": (ADMINS, "hidden"),
    "orgs.v1.MemberService/ListMembers": (READERS, "hidden"),
    "orgs.v1.MemberService/RemoveMember": (ADMINS, "hidden"),
    "orgs.v1.MemberService/RevokeInvitation": (ADMINS, "hidden"),
    "orgs.v1.MemberService/UpdateMember": (ADMINS, "hidden"),
    "orgs.v1.OrgService/CreateOrg": (ANY_PERSON, "own"),
    "orgs.v1.OrgService/DeleteOrg": (OWNER, "hidden"),
    "orgs.v1.OrgService/GetOrg": (ADMINS, "hidden"),
    "orgs.v1.OrgService/ListOrgs": (ANY_PERSON, "own"),
    "orgs.v1.OrgService/UpdateOrg": (ADMINS, "hidden"),
    "orgs.v1.TeamService/CreateTeam": (ADMINS, "hidden"),
    "orgs.v1.TeamService/DeleteTeam": (ADMINS, "hidden"),
    "orgs.v1.TeamService/ListTeams": (READERS, "hidden"),
    "orgs.v1.TeamService/UpdateTeam": (ADMINS, "hidden"),
    "providers.v1.ProviderService/CreateProvider": (ADMINS, "own"),
    "providers.v1.ProviderService/DeleteProvider": (ADMINS, "hidden"),
    "providers.v1.ProviderService/GetProvider": (READERS, "hidden"),
    "providers.v1.ProviderService/ListProviders": (READERS, "own"),
    "providers.v1.ProviderService/TestProvider": (ADMINS, "hidden"),
    "providers.v1.ProviderService/UpdateProvider": (ADMINS, "hidden"),
    "providers.v1.RouteService/ListRoutes": (GATEWAYS, "gateway"),
    "proxy.v1.ProxyService/Forward": (frozenset({"key:proxy"}), "own"),
    "system.v1.SystemService/GetHealth": (ANYONE, "own"),
}
# These end the organisation or the session, so they come last.
LAST = ("orgs.v1.OrgService/DeleteOrg", "auth.v1.AuthService/Logout")
DENIED = {StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED}
SECRETS = {"Login", "AcceptInvitation"}
CHAT = Chat(model="demo", messages=[Message(role=ROLE_USER, parts=[Part(text="hi")])])
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def short(rpc):
    return rpc.path.removeprefix("/ingate.")


def ordered():
    return sorted(rpcs().values(), key=lambda rpc: LAST.index(short(rpc)) + 1 if short(rpc) in LAST else 0)


def filled(site, rpc, names):
    """Returns a request that is well-formed; ids are those of `names`, else of nothing that exists."""
    fresh = f"x{site.number()}"
    values = {
        "slug": fresh,
        "org_slug": fresh,
        "name": fresh,
        "email": f"{fresh}@example.com",
        "password": PASSWORD,
        "current_password": PASSWORD,
        "new_password": PASSWORD,
        "token": "inv-ingate-unknown",
        "type": PROVIDER_TYPE_DEMO,
        "role": ROLE_VIEWER,
        "method": "GET",
        "target": "/v1/models",
        "key_hash": b"0" * 32,
    }
    if rpc.service.endswith("ProviderService") and rpc.name != "CreateProvider":
        values["name"] = names.get("name", fresh)
    request = rpc.request()
    for field in rpc.request.DESCRIPTOR.fields:
        if field.message_type is Chat.DESCRIPTOR:
            getattr(request, field.name).CopyFrom(CHAT)
        elif field.name in values:
            setattr(request, field.name, values[field.name])
        elif field.name.endswith("_id") and not field.has_presence:
            setattr(request, field.name, names.get(field.name, UNKNOWN))
    return request


@dataclass(frozen=True, slots=True)
class Nobody:
    """A gateway that speaks for somebody without credentials."""

    metadata: tuple[tuple[str, str], ...] = ()


async def refused(site, rpc, request, who):
    """Tells whether a call is refused because of who makes it."""
    code, _ = await site.outcome(request, who, direct=who is None)
    # Who signs in is told alike that a secret is wrong.
    return code in DENIED and not (rpc.name in SECRETS and code is StatusCode.UNAUTHENTICATED)


async def callers(site, org):
    """Returns a caller of each kind in an organisation, by name."""
    people = {"viewer": ROLE_VIEWER, "member": ROLE_MEMBER, "admin": ROLE_ADMIN}
    found = {name: await site.join(org, role) for name, role in people.items()}
    keys = {name: await site.key(org, role=ROLE_ADMIN, scopes=[scope]) for name, scope in KEYS.items()}
    return {"nobody": None, **found, **keys, "owner": org.owner}


def test_the_table_is_complete():
    """Every rpc stands in the table, and the table names no other."""
    assert {short(rpc) for rpc in rpcs().values()} == set(TABLE)


async def test_each_caller_may_what_the_table_says(site):
    """Of every rpc and every kind of caller: who may not is told so, and who may is not."""
    org = await site.found()
    who = await callers(site, org)
    assert list(who) == CALLERS
    differences = []
    for rpc in ordered():
        may, _ = TABLE[short(rpc)]
        for name, caller in who.items():
            request = filled(site, rpc, {"org_id": org.id})
            if await refused(site, rpc, request, caller) is (name in may):
                differences.append(f"{short(rpc)}: {name} {'may not' if name in may else 'may'}")
    assert not differences


async def test_a_gateway_may_what_is_public_or_its_own(site):
    """The token that gateways share opens their rpcs and no other."""
    differences = []
    for rpc in rpcs().values():
        may, foreign = TABLE[short(rpc)]
        # The news never end; `Admit` answers for a key that it does not know as for a caller.
        if rpc.name not in {"Watch", "Admit"}:
            allowed = not await refused(site, rpc, filled(site, rpc, {}), Nobody())
            if allowed is not (foreign == "gateway" or may is ANYONE):
                differences.append(f"{short(rpc)}: {'may' if allowed else 'may not'}")
    assert not differences


async def test_what_is_another_organisations_does_not_exist(site):
    """With the ids of one organisation, the owner of another and their admin key are told that nothing is there."""
    mine, theirs = await site.found(), await site.found()
    names = await fill(site, theirs)
    key = await site.key(mine, role=ROLE_ADMIN)
    differences = []
    for rpc in rpcs().values():
        may, foreign = TABLE[short(rpc)]
        for name, caller in (("owner", mine.owner), ("key:admin", key)):
            if foreign == "hidden" and name in may:
                code, _ = await site.outcome(filled(site, rpc, names), caller)
                if code is not StatusCode.NOT_FOUND:
                    differences.append(f"{short(rpc)}: {name} is told {code.name}")
    assert not differences
