"""A core with organisations and people in it, over either transport and either database. Knows no REST.

    site = site_fixture()                              # in a test module, with `pytestmark = module_loop`

    async def test_something(site):
        acme = await site.found()                      # an organisation and its owner
        admin = await site.join(acme, ROLE_ADMIN)
        await site.call(CreateTeamRequest(org_id=acme.id, name="blue"), admin)
        assert await site.code(DeleteOrgRequest(org_id=acme.id), admin) is StatusCode.PERMISSION_DENIED

An rpc is named by its request; a caller is whatever has call metadata.
"""

import itertools
import sqlite3
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from sqlalchemy import func, select, text

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER
from gen.ingate.auth.v1.auth_service_pb2 import AcceptInvitationRequest, LoginRequest, SignupRequest
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest
from gen.ingate.orgs.v1.member_service_pb2 import InviteMemberRequest
from ingate import migrate
from ingate.config import Settings
from ingate.core import EMBEDDED_FILE, Core, open_core, open_database
from ingate.rpc import server as rpc_server
from ingate.rpc.connect import connect
from ingate.rpc.services import rpcs
from tests.support.postgres import create_database, drop_database, ensure_template

PASSWORD = "correct horse battery"
KINDS = ("sqlite-inprocess", "postgres-socket")
BY_REQUEST = {rpc.request: rpc for rpc in rpcs().values()}
PATIENCE = 30.0
_embedded = []

module_loop = pytest.mark.asyncio(loop_scope="module")
"""The mark of modules whose tests share a site, and with it a loop."""


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
    data_dir: Path
    _numbers: itertools.count = field(default_factory=itertools.count)

    async def call(self, request, who=None, *, address="", more=()):
        """Returns the response, a list of them for a stream. Raises AioRpcError.

        `address` is where the call seems to come from; a new one each time where it is not stated.
        """
        rpc = BY_REQUEST[type(request)]
        make = self.channel.unary_stream if rpc.server_streaming else self.channel.unary_unary
        method = make(
            rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.response.FromString
        )
        metadata = [("x-ingate-gateway", self.core.gateway_token), ("x-ingate-address", address or self.address())]
        running = method(request, metadata=(*metadata, *(who.metadata if who else ()), *more), timeout=PATIENCE)
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
        """Returns a number that this site has not given out before."""
        return next(self._numbers)

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

    async def count(self, table, *conditions):
        """Returns how many rows of a table meet the conditions."""
        async with self.core.database.read() as db:
            return await db.scalar(select(func.count()).select_from(table).where(*conditions))


@asynccontextmanager
async def open_site(kind, postgres_server, data_dir, **settings):
    """Yields a `Site` of a kind, `<database>-<transport>`; `postgres_server` is a function that returns the server."""
    database, _, transport = kind.partition("-")
    async with AsyncExitStack() as stack:
        chosen = Settings(**{"allow_private_upstreams": "yes", "data_dir": str(data_dir), "demo": True, **settings})
        if database == "postgres":
            server = postgres_server()
            url = await create_database(server, await ensure_template(server, _migrate, "tenancy"))
            stack.push_async_callback(drop_database, server, url)
            chosen = Settings(
                **{field: getattr(chosen, field) for field in chosen.__struct_fields__} | {"database_url": url}
            )
        elif _embedded:
            (Path(data_dir) / EMBEDDED_FILE).write_bytes(_embedded[0])
        core = await stack.enter_async_context(open_core(chosen))
        if database == "sqlite" and not _embedded:
            _embedded.append(_copy(Path(data_dir) / EMBEDDED_FILE))
        channel = core.channel
        if transport == "socket":
            listening = await rpc_server.start("127.0.0.1:0", core.servicers, interceptors=core.interceptors)
            stack.push_async_callback(listening.stop, 0.0)
            channel = await stack.enter_async_context(connect(listening.target))
        yield Site(core, channel, Path(data_dir))


def site_fixture(*kinds, **settings):
    """Returns a module's fixture that opens a `Site` of each kind in turn, for all its tests."""

    @pytest_asyncio.fixture(scope="module", loop_scope="module", params=kinds or KINDS)
    async def site(request, tmp_path_factory):
        def server():
            return request.getfixturevalue("postgres_server")

        async with open_site(request.param, server, tmp_path_factory.mktemp("site"), **settings) as opened:
            yield opened

    return site


async def _migrate(url):
    async with open_database(Settings(database_url=url)) as database:
        await migrate.upgrade(database)


def _copy(path):
    with sqlite3.connect(path) as source:
        return source.serialize()
