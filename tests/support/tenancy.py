"""Organisations and people in a running core, whatever the transport and the database. Knows no REST.

    site = tenancy.site                                # in a test module under tests/contract

    async def test_something(site):
        acme = await site.found()                      # an organisation and its owner
        admin = await site.join(acme, ROLE_ADMIN)
        await site.call(CreateTeamRequest(org_id=acme.id, name="blue"), admin)
        assert await site.code(DeleteOrgRequest(org_id=acme.id), admin) is StatusCode.PERMISSION_DENIED

An rpc is named by its request; a caller is whatever has call metadata.
"""

import itertools
from dataclasses import dataclass

import grpc
import pytest
import pytest_asyncio
from sqlalchemy import func, select, text

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER
from gen.ingate.auth.v1.auth_service_pb2 import AcceptInvitationRequest, LoginRequest, SignupRequest
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest
from gen.ingate.orgs.v1.member_service_pb2 import InviteMemberRequest
from ingate.core import Core
from ingate.rpc import server as rpc_server
from ingate.rpc.connect import connect
from ingate.rpc.services import rpcs

PASSWORD = "correct horse battery"
ENDLESS = frozenset({"Watch", "TailExchanges"})
"""Streams that end with their callers."""
BY_REQUEST = {rpc.request: rpc for rpc in rpcs().values()}
PATIENCE = 30.0
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in: `metadata` carries the session."""

    user_id: str
    email: str
    token: str
    password: str = PASSWORD

    @property
    def metadata(self):
        """Call metadata."""
        return (("authorization", f"Bearer {self.token}"),)


@dataclass(frozen=True, slots=True)
class Secret:
    """A key: `metadata` carries its secret."""

    id: str
    secret: str

    @property
    def metadata(self):
        """Call metadata."""
        return (("x-ingate-key", self.secret),)


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation as its founder got it; `key` is a member's."""

    id: str
    slug: str
    owner: Person
    key: str


@dataclass(frozen=True, slots=True)
class Site:
    """A running core and a channel to it."""

    core: Core
    channel: grpc.aio.Channel

    async def call(self, request, who=None, *, address="", direct=False):
        """Returns the response, a list of them for a stream, of one that has no end the first. Raises AioRpcError.

        The call comes through a gateway unless it is `direct`, and seems to come from `address`, a new one each time
        where it is not stated.
        """
        rpc = BY_REQUEST[type(request)]
        make = self.channel.unary_stream if rpc.server_streaming else self.channel.unary_unary
        method = make(
            rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.response.FromString
        )
        via = (("x-ingate-gateway", self.core.gateway_token), ("x-ingate-address", address or self.address()))
        metadata = (*(() if direct else via), *(who.metadata if who else ()))
        running = method(request, metadata=metadata, timeout=PATIENCE)
        if rpc.name in ENDLESS:
            first = await running.read()
            running.cancel()
            return [first]
        return [message async for message in running] if rpc.server_streaming else await running

    async def code(self, request, who=None, **options):
        """Returns the code that a call ends with."""
        return (await self.outcome(request, who, **options))[0]

    async def outcome(self, request, who=None, **options):
        """Returns code and response, or code and AioRpcError."""
        try:
            return grpc.StatusCode.OK, await self.call(request, who, **options)
        except grpc.aio.AioRpcError as error:
            return error.code(), error

    def number(self):
        """Returns a number that no site has given out before."""
        return next(_numbers)

    def address(self):
        """Returns a client address that nobody has called from."""
        number = self.number()
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    async def found(self, **fields):
        """Signs up, and returns the new `Organisation`."""
        slug = f"org-{self.number()}"
        made = await self.call(
            SignupRequest(**{"email": f"owner@{slug}.example", "password": PASSWORD, "org_slug": slug, **fields})
        )
        return Organisation(made.org.id, made.org.slug, Person(made.user.id, made.user.email, made.token), made.api_key)

    async def invite(self, org, role=ROLE_MEMBER, email="", who=None, **fields):
        """Invites an address, and returns the response."""
        email = email or f"person-{self.number()}@example.com"
        request = InviteMemberRequest(org_id=org.id, email=email, role=role, **fields)
        return await self.call(request, who or org.owner)

    async def join(self, org, role=ROLE_MEMBER, email=""):
        """Makes somebody a member, with a new account unless the address has one, and returns the `Person`."""
        offered = await self.invite(org, role, email)
        made = await self.call(AcceptInvitationRequest(token=offered.token, password=PASSWORD))
        return Person(made.user.id, made.user.email, made.token)

    async def login(self, person, **fields):
        """Opens another session, and returns the `Person` with it."""
        made = await self.call(LoginRequest(email=person.email, password=person.password, **fields))
        return Person(person.user_id, person.email, made.token, person.password)

    async def key(self, org, who=None, **fields):
        """Creates a key, and returns the `Secret`."""
        made = await self.call(CreateKeyRequest(**{"name": "key", **fields}), who or org.owner)
        return Secret(made.description.id, made.key)

    async def sql(self, statement, **values):
        """Runs a statement as the administrator would."""
        async with self.core.database.write() as db:
            await db.execute(text(statement), values)

    async def value(self, column, *conditions):
        """Returns a column of some row that meets the conditions, None where none does."""
        async with self.core.database.read() as db:
            return await db.scalar(select(column).where(*conditions).limit(1))

    async def count(self, table, *conditions):
        """Returns how many rows of a table meet the conditions."""
        async with self.core.database.read() as db:
            return await db.scalar(select(func.count()).select_from(table).where(*conditions))


@pytest.fixture
def site(core, grpc_channel):
    """A `Site` on the module's core."""
    return Site(core, grpc_channel)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def grpc_channel(core, database_kind):
    """For modules that take long: one transport for each database instead of both."""
    if database_kind == "sqlite":
        yield core.channel
        return
    server = await rpc_server.start("127.0.0.1:0", core.servicers, interceptors=core.interceptors)
    async with connect(server.target) as channel:
        yield channel
    await server.stop(0)
