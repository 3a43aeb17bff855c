"""A process out of features: their servicers behind one interceptor chain, their jobs, and the engine beside them.

Here the halves of a process meet: the in-process channel that the facade is given, the engine that facade and
ProxyService share, and the interceptors that a socket server for other callers runs too. Knows no feature.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc.aio

from ingate import migrate
from ingate.condition import Condition
from ingate.config import Settings
from ingate.db import Database
from ingate.entitlements import RateLimits
from ingate.feature import Feature, Parts
from ingate.forwarding import open_forwarding
from ingate.identity.authenticator import Authenticator
from ingate.identity.changes import Changes
from ingate.identity.last_used import LastUsed
from ingate.identity.memberships import Memberships
from ingate.identity.operator import owner_session
from ingate.limits.window import RateWindows
from ingate.net import addresses, forwarded
from ingate.net.budget import BodyBudget
from ingate.proxy.chat_servicer import COMPLETE, STREAM_COMPLETE, ChatServicer
from ingate.proxy.engine import Engine
from ingate.proxy.journal import Shipper
from ingate.proxy.refusals import Refusals
from ingate.proxy.rpc_host import RpcHost
from ingate.proxy.servicer import FORWARD, HEAD_BYTES, ProxyServicer
from ingate.rpc.connect import MAX_MESSAGE_BYTES
from ingate.rpc.door import Door
from ingate.rpc.inprocess import InProcessServer
from ingate.rpc.interceptors.chain import chain
from ingate.rpc.interceptors.refusals import refusals
from ingate.rpc.interceptors.stages import stages
from ingate.rpc.interceptors.standing import Standing
from ingate.rpc.services import rpcs, services
from ingate.storage import data_dir, inside, keep_private, open_database
from ingate.supervision import Supervisor
from ingate.vault import MASTER_KEY_FILE, Vault, find_master_key, make_master_key

FLUSH_SECONDS = 5.0
LEAST_MESSAGE_BYTES = 16 * 1024 * 1024
"""Bytes that a gateway's batch may have over a socket, however small bodies must be."""
CUT_SECONDS = 1.0
LAST_WORDS_SECONDS = 2.0
PROXY = "ingate.proxy.v1.ProxyService"
CHAT = "ingate.chat.v1.ChatService"
PROXIED = frozenset({FORWARD, COMPLETE, STREAM_COMPLETE})
"""Rpcs that the engine answers, whose requests are as large as over HTTP."""


@dataclass(frozen=True, slots=True)
class Core:
    """A running core. `servicers` are by full service name, for a socket server with `interceptors` and `door`."""

    channel: grpc.aio.Channel
    interceptors: tuple[grpc.aio.ServerInterceptor, ...]
    door: Door
    bodies: BodyBudget
    servicers: dict[str, Any]
    engine: Engine
    condition: Condition
    shipper: Shipper
    refusals: Refusals
    database: Database
    gateway_token: str
    made_master_key: bool
    supervisor: Supervisor

    def drain(self) -> None:
        """Makes readiness say no, so that load balancers look elsewhere while open requests finish."""
        self.condition.unready = "shutting down"

    def hold(self) -> None:
        """Makes readiness say no until `release`."""
        self.condition.unready = "starting"

    def release(self) -> None:
        """Lets readiness say what is."""
        self.condition.unready = ""

    @asynccontextmanager
    async def as_owner(self, org_slug: str) -> AsyncIterator[tuple[tuple[str, str], ...]]:
        """Yields call metadata with which the operator acts as an organisation's owner. Raises NotFound."""
        async with owner_session(self.database, org_slug) as token:
            yield (("authorization", f"Bearer {token}"),)


@asynccontextmanager
async def compose(settings: Settings, features: Sequence[Feature]) -> AsyncIterator[Core]:
    """Yields the running core of some features; afterwards the journal is flushed and everything is closed.

    An embedded database is migrated here; another must be at the right version, else Unavailable is raised.
    Raises ValueError for features of which two serve a service, or run a job of one name.
    """
    _check(features)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        await migrate.make_ready(database)
        yield await _build(settings, features, database, stack)


def _check(features: Iterable[Feature]) -> None:
    names = [
        PROXY,
        CHAT,
        *(name for feature in features for name in (*feature.servicers, *(it.name for it in feature.jobs))),
    ]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"more than one feature has {', '.join(sorted(twice))}")


async def _build(settings: Settings, features: Sequence[Feature], database: Database, stack: AsyncExitStack) -> Core:
    directory = data_dir(settings)
    with inside(directory):
        keep_private(directory)
        key, made = await _master_key(settings, features, database, directory)
    token = settings.gateway_token or secrets.token_urlsafe(32)
    as_gateway = (("x-ingate-gateway", token),)
    windows, last_used = RateWindows(), LastUsed(database)
    rate_limits = RateLimits(settings.rate_limit_free, settings.rate_limit_enterprise)
    policy = addresses.policy(settings.allow_private_upstreams, settings.ssrf_allowed_hosts, embedded=database.embedded)
    proxies = forwarded.trusted_proxies(settings.trusted_proxies)
    authenticator, memberships = Authenticator(database, last_used, rate_limits), Memberships(database)
    refused, supervisor, standing = Refusals(), Supervisor(), Standing(lasting=frozenset({FORWARD}))

    def interceptors(door: Door | None) -> tuple[grpc.aio.ServerInterceptor, ...]:
        judged = stages(
            authenticator,
            memberships,
            gateway_token=token,
            windows=windows,
            door=door,
            refused=refusals(PROXIED, refused.note),
            standing=standing,
            proxies=proxies,
        )
        return (chain(judged, rpcs(), gateway_token=token, limits=limits, door=door),)

    largest = settings.max_body_bytes + HEAD_BYTES
    limits = dict.fromkeys(PROXIED, largest)
    door = Door(max(largest, LEAST_MESSAGE_BYTES))
    closing = await stack.enter_async_context(AsyncExitStack())
    server = InProcessServer(interceptors=interceptors(None), max_message_bytes=MAX_MESSAGE_BYTES)
    channel = server.channel()
    # Before the database closes: a handler in the middle of a statement would wait for it for ever.
    stack.push_async_callback(server.stop, None)
    forwarding = open_forwarding(settings, windows, channel, as_gateway, stack, addresses=policy)
    engine = forwarding.engine
    # The gateway of this process hears before the caller is answered, and so serves nobody what they have just changed.
    changes = Changes(database, forwarding.forget)
    await changes.start()
    bodies, shipper = _body_budget(settings), forwarding.shipper
    condition = Condition(engine, forwarding.recorder, forwarding.journal.counts, shipper, supervisor, refused)
    parts = Parts(
        settings=settings,
        database=database,
        vault=Vault(key),
        changes=changes,
        last_used=last_used,
        rate_limits=rate_limits,
        channel=channel,
        as_gateway=as_gateway,
        policy=policy,
        transports=forwarding.transports,
        condition=condition,
        purges=tuple(partial(feature.purge, database) for feature in features if feature.purge is not None),
        closing=closing,
    )
    host, max_body = RpcHost(engine), settings.max_body_bytes
    servicers: dict[str, Any] = {
        PROXY: ProxyServicer(host, bodies, max_body=max_body),
        CHAT: ChatServicer(host, forwarding.policies, bodies, max_body=max_body),
    }
    for feature in features:
        own = parts.of(feature)
        servicers |= {name: build(own) for name, build in feature.servicers.items()}
    for name, servicer in servicers.items():
        services()[name].add_to_server(servicer, server)
    _start_jobs(supervisor, features, parts, servicers, stack)
    for name, work in (*forwarding.jobs(), ("streams.judge", standing.watch)):
        stack.push_async_callback(_end, supervisor.start(name, work))
    shipper.start(partial(supervisor.start, "shipper.run", may_end=True))
    stack.push_async_callback(shipper.stop, FLUSH_SECONDS)
    # What is still under way now is cut, and recorded while the journal is there to record it.
    stack.push_async_callback(engine.drained, CUT_SECONDS)
    stack.push_async_callback(forwarding.pool.aclose)
    return Core(
        channel,
        interceptors(door),
        door,
        bodies,
        servicers,
        engine,
        condition,
        shipper,
        refused,
        database,
        token,
        made,
        supervisor,
    )


def _start_jobs(
    supervisor: Supervisor,
    features: Iterable[Feature],
    parts: Parts,
    servicers: Mapping[str, Any],
    stack: AsyncExitStack,
) -> None:
    """Starts the features' jobs; `stack` ends them, the last first."""
    for feature in features:
        for job in feature.jobs:
            work = partial(job.run, parts.of(feature), servicers)
            stack.push_async_callback(_end, supervisor.start(job.name, work, may_end=job.may_end))


async def _master_key(
    settings: Settings, features: Iterable[Feature], database: Database, directory: Path
) -> tuple[bytes, bool]:
    """Returns the master key, and whether it was made now. Raises Unavailable where that would lose stored secrets."""
    key = find_master_key(settings.master_key, directory)
    where = "INGATE_MASTER_KEY" if settings.master_key else str(directory / MASTER_KEY_FILE)
    for feature in features:
        if feature.check_master_key is not None:
            await feature.check_master_key(database, key, where)
    return (key, False) if key is not None else make_master_key(directory)


def _body_budget(settings: Settings) -> BodyBudget:
    """Returns the budget of bodies under way. The largest body that is accepted fits into each of its bounds."""
    return BodyBudget(
        *(
            max(settings.max_body_bytes, bound)
            for bound in (
                settings.max_inflight_bytes,
                settings.max_inflight_bytes_organisation,
                settings.max_inflight_bytes_address,
            )
        )
    )


async def _end(job: "asyncio.Task[None]") -> None:
    """Cancels a job, and once more when its last words take too long, as with a database that is away."""
    job.cancel()
    if not (await asyncio.wait({job}, timeout=LAST_WORDS_SECONDS))[0]:
        job.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await job
