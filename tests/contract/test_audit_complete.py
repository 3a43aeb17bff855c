"""Nothing changes without an entry: what each rpc writes, by transaction, against what it says of itself."""

from collections import defaultdict
from dataclasses import dataclass, field

from google.protobuf.descriptor_pb2 import MethodOptions

from gen.ingate.auth.v1 import auth_service_pb2 as auth
from gen.ingate.orgs.v1.org_service_pb2 import CreateOrgRequest, DeleteOrgRequest
from gen.ingate.providers.v1 import provider_service_pb2 as providers
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_DEMO
from ingate.rpc.services import rpcs
from tests.support import tenancy
from tests.support.everything import everything
from tests.support.possessions import fill
from tests.support.tenancy import BY_REQUEST, PASSWORD, Site
from tests.support.writes import watched

core_settings = {"demo": True}
site, grpc_channel = tenancy.site, tenancy.grpc_channel

ENTRIES = "audit_entries"
UNRECORDED = {
    "auth.v1.AuthService/Login": "opens a session of the person's own",
    "auth.v1.AuthService/Logout": "ends a session of the person's own",
    "auth.v1.AuthService/RevokeSession": "ends a session of the person's own",
    "auth.v1.AuthService/ChangePassword": "an account is a person's, who may be in many organisations or in none",
    "chat.v1.ChatService/Complete": "stores nothing; the exchange is recorded",
    "chat.v1.ChatService/StreamComplete": "stores nothing; the exchange is recorded",
    "exchanges.v1.RecordService/Record": "what it stores is a record itself",
    "orgs.v1.OrgService/DeleteOrg": "the entries of an organisation end with it",
    "providers.v1.ProviderService/TestProvider": "stores nothing",
    "proxy.v1.ProxyService/Forward": "stores nothing; the exchange is recorded",
}
"""Rpcs that change something and leave no entry, and why."""
UNSEEN = {"sessions", "known_addresses", "changes"}
"""Tables of what is nobody's to look up afterwards: who is signed in, and the news for gateways."""
MORE = {
    "auth.v1.AuthService/ChangePassword": {"users"},
    "orgs.v1.OrgService/DeleteOrg": {"orgs", "exchanges"},
}
"""What else rpcs without an entry write to."""


def short(rpc):
    return rpc.path.removeprefix("/ingate.")


def changing():
    """Returns the names of the rpcs that do not say that they have no effect."""
    return {short(rpc) for rpc in rpcs().values() if rpc.idempotency != MethodOptions.NO_SIDE_EFFECTS}


@dataclass(frozen=True, slots=True)
class Watching(Site):
    """A site that keeps what each transaction of a call wrote to, by rpc."""

    committed: list = field(default_factory=list)
    written: dict = field(default_factory=lambda: defaultdict(list))

    async def call(self, request, who=None, **options):
        self.committed.clear()
        try:
            return await Site.call(self, request, who, **options)
        finally:
            self.written[short(BY_REQUEST[type(request)])] += map(set, self.committed)


async def test_each_transaction_that_changes_something_has_its_entry(site):
    """Of every rpc that changes anything, but for those that are listed with a reason."""
    with watched(site.core.database) as committed:
        watching = Watching(site.core, site.channel, committed)
        org = await watching.found()
        await everything(watching, org)
        await watching.call(CreateOrgRequest(slug=f"second-{org.slug}", name="Second"), org.owner)
    assert set(watching.written) - {"auth.v1.AuthService/Login"} == changing() - set(UNRECORDED)
    for name, transactions in watching.written.items():
        assert any(ENTRIES in tables for tables in transactions), (name, transactions)
        for tables in transactions:
            assert ENTRIES in tables or tables <= UNSEEN, name


async def test_what_leaves_no_entry_writes_no_more_than_is_listed(site):
    """So a reason stays true."""
    assert set(UNRECORDED) <= changing()
    org = await site.found()
    await site.call(providers.CreateProviderRequest(name="p", type=PROVIDER_TYPE_DEMO), org.owner)
    with watched(site.core.database) as committed:
        watching = Watching(site.core, site.channel, committed)
        other, third = await watching.login(org.owner), await watching.login(org.owner)
        sessions = (await site.call(auth.ListSessionsRequest(), third)).items
        new = "another horse battery"
        for request in (
            auth.RevokeSessionRequest(session_id=sessions[-1].id),
            auth.ChangePasswordRequest(current_password=PASSWORD, new_password=new),
            providers.TestProviderRequest(name="p"),
            auth.LogoutRequest(),
        ):
            await watching.call(request, third)
        signed_in = await watching.call(auth.LoginRequest(email=org.owner.email, password=new))
        await watching.call(DeleteOrgRequest(org_id=org.id), tenancy.Person("", "", signed_in.token))
    assert other.token != third.token
    # What gateways report and what providers answer is stored by `Record` alone.
    assert set(watching.written) == set(UNRECORDED) - {
        "chat.v1.ChatService/Complete",
        "chat.v1.ChatService/StreamComplete",
        "exchanges.v1.RecordService/Record",
        "proxy.v1.ProxyService/Forward",
    }
    for name, transactions in watching.written.items():
        for tables in transactions:
            assert tables <= UNSEEN | MORE.get(name, set()), name


async def test_what_says_that_it_has_no_effect_writes_nothing(site):
    """Of every rpc that says so and ends by itself, asked for what there is."""
    org = await site.found()
    names = await fill(site, org)
    with watched(site.core.database) as committed:
        for rpc in rpcs().values():
            if short(rpc) in changing() or rpc.server_streaming:
                continue
            request = rpc.request()
            for one in rpc.request.DESCRIPTOR.fields:
                if one.name in names and not one.has_presence:
                    setattr(request, one.name, names[one.name])
            await site.outcome(request, None if rpc.access.gateway else org.owner)
            assert committed == [], short(rpc)
