"""A running gateway as its users know it: `gateway` in this process and loop, `demo_gateway` in a process of its own.

async with gateway(demo=True) as gw, ScriptedUpstream() as up:
    org = await gw.signup()
    await org.provider("openai", "openai", up.url, api_key="sk-upstream")
    await org.http.post("/v1/chat/completions", json={...})
    [entry] = await org.logs()
"""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import httpx

from ingate.cli.serve import make_facade, provide_keys
from ingate.config import Settings
from ingate.core import Core, open_core
from ingate.rpc import connect
from ingate.rpc import server as rpc_server
from ingate.storage import EMBEDDED_FILE
from rest_facade.http1 import Limits
from tests.support.embedded import make_embedded, migrate_to_newest
from tests.support.passwords import hash_cheaply
from tests.support.process import Child, ingate_argv

SIGNUPS_PER_ADDRESS = 9
PATIENCE = 60.0
"""Seconds that a client waits for an answer: one that takes so long never comes."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """Where a gateway process is and how to get in.

    url: `http://host:port` of its REST side. grpc: `host:port`. key: a secret that may call the demo model.
    """

    url: str
    grpc: str
    key: str
    child: Child


@contextmanager
def demo_gateway(data_dir, *flags, env=None, command=()):
    """Yields a `Spawned` that keeps its data in `data_dir`; `flags` go to `ingate serve`. Leaving kills it.

    There is no example traffic unless a flag asks for it. `command` is what runs, that of this checkout by default.
    """
    ports = ("--port", "0", "--grpc-port", "0")
    arguments = ("serve", "--demo", "--no-demo-traffic", *ports, "--data-dir", str(data_dir), *flags)
    with Child([*command, *arguments] if command else ingate_argv(*arguments), env=env) as child:
        ready = child.expect(r"is ready: (https?://\S+) \(gRPC (\S+)\)", timeout=60)
        key = child.expect(r"^ +key +(sk-ingate-\S+)$", timeout=60)
        yield Spawned(ready[1], ready[2], key[1], child)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A fresh organisation. `http` calls with its first key, a member's; `admin` with its owner's session."""

    gateway: "Gateway"
    id: str
    slug: str
    key: str
    token: str
    http: httpx.AsyncClient
    admin: httpx.AsyncClient

    async def provider(self, name, type, base_url="", **fields):
        """Creates a provider and returns it; `base_url` may be that of a ScriptedUpstream."""
        body = {"name": name, "type": type, "base_url": base_url, **fields}
        return checked(await self.admin.post("/api/v1/providers", json=body))

    async def make_key(self, name="another", **fields):
        """Creates a key (fields: role, scopes, rate_limit_per_minute, …) and returns its secret."""
        return checked(await self.admin.post("/api/v1/keys", json={"name": name, **fields}))["key"]

    async def logs(self, **params):
        """Returns the log entries, newest first, once everything that has ended is stored."""
        await self.gateway.settled()
        return checked(await self.http.get("/api/v1/logs", params=params))["items"]

    async def log(self, request_id):
        """Returns one log entry with its payload, once it is stored."""
        await self.gateway.settled()
        return checked(await self.http.get(f"/api/v1/logs/{request_id}"))

    async def last(self):
        """Returns the newest log entry with its payload."""
        return await self.log((await self.logs(limit=1))[0]["request_id"])


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway in this process. `grpc_target` is for `ingate.rpc.connect.connect`; `data_dir` holds what it keeps."""

    url: str
    grpc_target: str
    core: Core
    data_dir: str
    _stack: AsyncExitStack
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def signup(self, **fields):
        """Signs up over REST and returns the new `Organisation`; its clients are closed with the gateway."""
        number = next(self._numbers)
        slug = f"org-{number}"
        body = {"email": f"owner@{slug}.example", "password": "correct horse", "org_slug": slug, **fields}
        # Sign-ups are limited by address: a large test has several.
        address = f"127.0.0.{1 + number // SIGNUPS_PER_ADDRESS}"
        async with self.client(transport=httpx.AsyncHTTPTransport(local_address=address, verify=False)) as client:
            made = checked(await client.post("/api/v1/auth/signup", json=body))
        http, admin = [
            await self._stack.enter_async_context(self.client(headers=headers))
            for headers in ({"X-Ingate-Key": made["api_key"]}, {"Authorization": f"Bearer {made['token']}"})
        ]
        return Organisation(self, made["org"]["id"], made["org"]["slug"], made["api_key"], made["token"], http, admin)

    def client(self, **options):
        """Returns an httpx client whose paths are relative to the gateway."""
        # Without TLS nothing is verified, and not loading certificates saves a tenth of a second.
        options = {"base_url": self.url, "trust_env": False, "timeout": PATIENCE, "verify": False, **options}
        return httpx.AsyncClient(**options)

    async def channel(self):
        """Returns a gRPC channel to the gateway, closed with it."""
        channel: grpc.aio.Channel = connect.connect(self.grpc_target)
        return await self._stack.enter_async_context(channel)

    async def settled(self, seconds=10.0):
        """Waits until no exchange is under way and all are stored. Raises AssertionError."""
        if not await self.core.engine.drained(seconds):
            raise AssertionError(f"{self.core.engine.in_flight} exchanges still under way after {seconds:g} s")
        await self.core.shipper.drained()


def checked(response):
    """Returns the JSON of a response. Raises AssertionError, quoting it, unless it is a success."""
    if not response.is_success:
        raise AssertionError(
            f"{response.request.method} {response.request.url}: {response.status_code} {response.text}"
        )
    return response.json()


@asynccontextmanager
async def gateway(*, demo=False, data_dir=None, grpc=True, **settings):
    """Yields a `Gateway` of these settings on loopback ports.

    Without `data_dir`, a temporary one is used. A database that `database_url` names is migrated first. Providers may
    have private addresses. `grpc` tells whether there is a gRPC port (else `grpc_target` is empty).
    """
    async with AsyncExitStack() as stack:
        directory = str(data_dir or stack.enter_context(tempfile.TemporaryDirectory(prefix="ingate-")))
        plain = {"allow_private_upstreams": "yes", "data_dir": directory, "demo": demo, "signup": "open"}
        chosen = Settings(**{**plain, **settings})
        if chosen.database_url:
            await migrate_to_newest(chosen.database_url)
        elif not (Path(directory) / EMBEDDED_FILE).exists():
            make_embedded(directory)
        core = await stack.enter_async_context(open_core(chosen))
        hash_cheaply(core)
        stack.push_async_callback(core.engine.drained, 2.0)
        target = ""
        if grpc:
            server = await rpc_server.start(
                "127.0.0.1:0", core.servicers, interceptors=core.interceptors, door=core.door
            )
            stack.push_async_callback(server.stop, 0.0)
            target = server.target
        await provide_keys(core, chosen)
        facade = make_facade(core, chosen, Limits(head=chosen.max_header_bytes))
        port = await facade.start("127.0.0.1", 0)
        stack.push_async_callback(facade.drain, 1.0)
        clients = await stack.enter_async_context(AsyncExitStack())
        yield Gateway(f"http://127.0.0.1:{port}", target, core, directory, clients)


def pool_of(gw):
    """Returns the connections of a gateway to its providers."""
    return gw.core.engine._policies._transports[False]
