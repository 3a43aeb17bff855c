"""Who may call which rpc: every rpc, every caller, against what the protos say."""

import asyncio
import dataclasses

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gen.ingate.access.v1 import access_pb2
from gen.ingate.keys.v1 import key_service_pb2 as keys_pb
from gen.ingate.options.v1 import options_pb2
from ingate.errors import Forbidden, Unauthenticated, Unavailable
from ingate.rpc.interceptors.authorise import permit
from ingate.rpc.interceptors.tenancy import Standing
from ingate.rpc.principal import Principal, principal
from ingate.rpc.services import rpcs, services
from ingate.rpc.status import from_rpc_error
from tests.support.chain import (
    ALL_SCOPES,
    AS_GATEWAY,
    AS_KEY,
    AS_PERSON,
    KEY,
    TRANSPORTS,
    Callers,
    LastCaller,
    answering,
    call,
    list_keys,
    scripted,
    serving,
)

OK = grpc.StatusCode.OK
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT
KEYS = "ingate.keys.v1.KeyService"

ROLES = [role for role in access_pb2.Role.values() if role]
CALLERS = {
    "anonymous": None,
    "gateway": None,
    **{f"user-{role}": dataclasses.replace(KEY, kind="user", key_id="", user_id="u", role=role) for role in ROLES},
    **{f"key-{role}": dataclasses.replace(KEY, role=role) for role in ROLES},
    **{f"key-scope-{scope}": dataclasses.replace(KEY, scopes=frozenset({scope})) for scope in ALL_SCOPES},
    "key-no-scopes": dataclasses.replace(KEY, scopes=frozenset()),
    "key-free": dataclasses.replace(KEY, plan="free"),
}


@pytest.fixture(autouse=True, params=TRANSPORTS)
def transport(request, monkeypatch):
    """Every test here holds on both transports."""
    monkeypatch.setattr("tests.support.chain.TRANSPORT", request.param)
    return request.param


def expected(access, name):
    """Returns the code that the options promise to a caller, said once more in other words than the code's."""
    caller = CALLERS[name]
    if access.public:
        return OK
    if access.gateway:
        return OK if name == "gateway" else UNAUTHENTICATED
    if caller is None:
        return UNAUTHENTICATED
    if access.authenticated:
        return OK
    if access.person:
        return OK if caller.kind == "user" else DENIED
    enough = caller.role >= access.role > 0
    scopes = {access.scope, *access.or_scopes}
    scoped = caller.kind == "user" or not access.scope or not scopes.isdisjoint(caller.scopes)
    planned = not access.feature or caller.plan == "enterprise"
    return OK if enough and scoped and planned else DENIED


async def test_every_rpc_admits_exactly_whom_its_options_name():
    """All rpcs by all kinds of callers over a socket. A request that is admitted but empty may be refused as such."""
    callers = Callers({name: caller for name, caller in CALLERS.items() if caller is not None})
    servicers = {name: answering(name) for name in services()}
    wrong = []
    async with serving(servicers, callers=callers) as (channel, _):

        async def one(rpc, name):
            metadata = {"anonymous": (), "gateway": AS_GATEWAY}.get(name, (("x-ingate-key", name),))
            code, promised = await call(channel, rpc, metadata=metadata), expected(rpc.access, name)
            if code != promised and not (code is INVALID and promised is OK):
                wrong.append((rpc.path, name, code, promised))

        for rpc in rpcs().values():
            await asyncio.gather(*(one(rpc, name) for name in CALLERS))
    assert wrong == []


def test_an_rpc_that_states_nothing_is_refused_to_everyone():
    """Default deny: an owner, a gateway and a stranger alike; a scope or a feature alone opens nothing."""
    for access in (options_pb2.Access(), options_pb2.Access(scope=1), options_pb2.Access(feature="evals")):
        for caller in (KEY, Principal(kind="gateway"), Principal()):
            with pytest.raises(Forbidden):
                permit(access, caller)


async def test_an_rpc_that_does_not_say_in_which_organisation_it_acts_is_refused():
    """Default deny: whoever may call it otherwise, without a request being looked at."""
    path = f"/{KEYS}/ListKeys"
    table = {path: dataclasses.replace(rpcs()[path], tenancy=options_pb2.Tenancy())}
    async with serving({KEYS: answering(KEYS)}, table=table) as (channel, _):
        assert await call(channel, table[path], metadata=AS_KEY) is DENIED
        assert await call(channel, table[path], metadata=AS_PERSON) is DENIED


async def test_the_organisation_is_in_the_field_that_the_rpc_states():
    """Whatever its name is; one that the caller does not belong to does not exist, as far as they can tell."""
    path = f"/{KEYS}/GetKey"
    table = {path: dataclasses.replace(rpcs()[path], tenancy=options_pb2.Tenancy(field="key_id"))}
    callers = Callers()
    callers.standing = _member_of_org_2
    seen = []

    async def get_key(_request, _context):
        seen.append((principal().org_id, principal().role))
        return keys_pb.GetKeyResponse()

    async with serving({KEYS: scripted(KEYS, GetKey=get_key)}, callers=callers, table=table) as (channel, _):
        for org_id, who, code in (
            ("org-2", AS_PERSON, OK),
            ("org-1", AS_PERSON, OK),
            ("org-1", AS_KEY, OK),
            ("org-3", AS_PERSON, grpc.StatusCode.NOT_FOUND),
            ("org-2", AS_KEY, grpc.StatusCode.NOT_FOUND),
        ):
            assert await call(channel, table[path], keys_pb.GetKeyRequest(key_id=org_id), who) is code, (org_id, who)
    owner, member = access_pb2.ROLE_OWNER, access_pb2.ROLE_MEMBER
    assert seen == [("org-2", member), ("org-1", owner), ("org-1", owner)]


async def _member_of_org_2(_user_id, org_id):
    return Standing(access_pb2.ROLE_MEMBER, "enterprise") if org_id == "org-2" else None


def test_a_feature_that_the_plan_lacks_is_named():
    """The refusal says which feature, as metadata too; the plan that has it is admitted."""
    access = options_pb2.Access(role=access_pb2.ROLE_VIEWER, feature="evals")
    permit(access, KEY)
    with pytest.raises(Forbidden, match="evals") as refused:
        permit(access, dataclasses.replace(KEY, plan="free"))
    assert refused.value.metadata == {"feature": "evals", "plan": "free"}


@pytest.mark.parametrize(
    "metadata",
    [
        [("x-ingate-key", "good")],
        [("authorization", "Bearer good")],
        [("authorization", "bearer  good ")],
        [("x-ingate-key", "good"), ("authorization", "Bearer good")],
    ],
)
async def test_a_credential_is_taken_from_either_place(metadata):
    """Key header and Bearer are the same to us, and the same secret twice is one."""
    async with serving({KEYS: answering(KEYS)}) as (channel, _):
        await list_keys(channel, metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        [("x-ingate-key", "bad")],
        [("x-ingate-key", "")],
        [("authorization", "good")],
        [("authorization", "Basic good")],
        [("authorization", "Bearer ")],
        [("authorization", "Bearer other"), ("x-ingate-key", "good")],
        [("x-ingate-key", "good"), ("x-ingate-key", "other")],
        [("x-ingate-key", "good"), ("x-ingate-gateway", "wrong")],
        [("x-ingate-gateway", "")],
        [("x-ingate-gateway", "gateway-token-for-tests"), ("x-ingate-gateway", "gateway-token-for-tests")],
        [],
    ],
)
async def test_a_bad_missing_or_contradictory_credential_is_unauthenticated(metadata):
    """Nobody gets through by a second header, and the answer does not quote a secret."""
    async with serving({KEYS: answering(KEYS)}) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await list_keys(channel, metadata)
    failure = from_rpc_error(refused.value)
    assert (failure.code, failure.reason) == (UNAUTHENTICATED, "UNAUTHENTICATED")
    assert not any(value and value in failure.message for _, value in metadata)


async def test_an_authenticator_that_cannot_tell_is_not_a_refusal():
    """A database that is down is UNAVAILABLE, not a wrong credential."""
    callers = Callers({"good": Unavailable("the database is down", retry_after=1)})
    async with serving({KEYS: answering(KEYS)}, callers=callers) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await list_keys(channel, AS_KEY)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_stale_credential_does_not_shut_a_public_rpc():
    """Whoever signs in may still carry an old session."""
    system = "ingate.system.v1.SystemService"
    rpc = rpcs()[f"/{system}/GetHealth"]
    async with serving({system: answering(system)}) as (channel, _):
        assert await call(channel, rpc, metadata=[("authorization", "Bearer stale")]) is OK
        assert await call(channel, rpc, metadata=[("x-ingate-gateway", "wrong")]) is UNAUTHENTICATED


async def test_the_client_address_is_the_connections_unless_a_gateway_says_otherwise(transport):
    """x-ingate-address counts only beside a valid gateway token. Within a process there is no connection."""
    tell = LastCaller()
    own = "127.0.0.1" if transport == "socket" else ""
    said = ("x-ingate-address", "203.0.113.9")
    async with serving({KEYS: scripted(KEYS, ListKeys=tell.list_keys)}) as (channel, _):
        await list_keys(channel, [*AS_KEY, said])
        assert tell.caller.address == own
        await list_keys(channel, [*AS_KEY, *AS_GATEWAY, said])
        assert (tell.caller.address, tell.caller.kind) == ("203.0.113.9", "key")
        await list_keys(channel, [*AS_KEY, *AS_GATEWAY])
        assert tell.caller.address == own


async def test_callers_do_not_see_one_another():
    """Calls that overlap each read their own principal, also after awaiting."""
    barrier = asyncio.Barrier(8)

    async def meet(_request, _context):
        before = principal()
        await barrier.wait()
        assert principal() is before
        return keys_pb.ListKeysResponse(total=int(principal().org_id))

    callers = Callers({f"k{n}": dataclasses.replace(KEY, org_id=str(n), key_id=f"k{n}") for n in range(8)})
    async with serving({KEYS: scripted(KEYS, ListKeys=meet)}, callers=callers) as (channel, _):
        answers = await asyncio.gather(*(list_keys(channel, [("x-ingate-key", f"k{n}")]) for n in range(8)))
    assert [answer.total for answer in answers] == list(range(8))


async def test_a_refusal_is_a_rich_status():
    """A foreign client reads reason, domain and metadata with the standard library for it."""
    callers = Callers({"good": dataclasses.replace(KEY, role=access_pb2.ROLE_VIEWER)})
    async with serving({KEYS: answering(KEYS)}, callers=callers) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await list_keys(channel, AS_KEY)
    status = await rpc_status.aio.from_call(_Ended(refused.value))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == ("FORBIDDEN", "ingate", {"role": "member"})
    assert rpc_status.to_status(status).code is DENIED


class _Ended:
    """An AioRpcError with the asynchronous accessors of a call, which from_call awaits."""

    def __init__(self, error):
        self._error = error

    async def code(self):
        return self._error.code()

    async def details(self):
        return self._error.details()

    async def trailing_metadata(self):
        return self._error.trailing_metadata()


def test_a_gateway_without_a_callers_credential_is_nobody():
    """It speaks for somebody who showed none, so the answer is "sign in", not "forbidden"."""
    with pytest.raises(Unauthenticated):
        permit(options_pb2.Access(role=1), Principal(kind="gateway"))
