"""The core: every servicer, its stores and its jobs, behind one interceptor chain.

`open_core` is the place where the halves of a process meet: the in-process channel that the facade is given, the
engine that facade and ProxyService share, and the interceptors that a socket server for other callers runs too.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc.aio

from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from gen.ingate.providers.v1.route_service_pb2_grpc import RouteServiceStub
from ingate import migrate
from ingate.audit.servicer import AuditServicer
from ingate.auth.doors import Doors
from ingate.auth.passwords import Passwords
from ingate.auth.servicer import AuthServicer
from ingate.condition import Condition
from ingate.config import Settings
from ingate.db import Database
from ingate.exchanges.call_lines import CallLines
from ingate.exchanges.record_servicer import RecordServicer
from ingate.exchanges.servicer import ExchangeServicer
from ingate.gateway.servicer import GatewayServicer
from ingate.identity.authenticator import Authenticator
from ingate.identity.changes import Changes
from ingate.identity.last_used import LastUsed
from ingate.identity.memberships import Memberships
from ingate.identity.operator import owner_session
from ingate.keys.servicer import KeyServicer
from ingate.limits.window import FixedWindows
from ingate.net import addresses, forwarded
from ingate.net.budget import BodyBudget
from ingate.orgs.app_servicer import AppServicer
from ingate.orgs.member_servicer import MemberServicer
from ingate.orgs.org_servicer import OrgServicer
from ingate.orgs.team_servicer import TeamServicer
from ingate.plans import RateLimits
from ingate.providers.demo import DemoTransport, Roster
from ingate.providers.route_servicer import RouteServicer
from ingate.providers.sealed import require_readable
from ingate.providers.servicer import ProviderServicer
from ingate.providers.shared import shared
from ingate.proxy.abandoned import Abandoned
from ingate.proxy.engine import Engine
from ingate.proxy.grants import Grants
from ingate.proxy.journal import Journal, Shipper
from ingate.proxy.ports import Timeouts, Transport
from ingate.proxy.recorder import Recorder
from ingate.proxy.refusals import Refusals
from ingate.proxy.servicer import FORWARD, HEAD_BYTES, ProxyServicer
from ingate.proxy.shipping import ship_over
from ingate.proxy.stream_usage import StreamUsage
from ingate.proxy.upstream import UpstreamPool
from ingate.rpc.connect import MAX_MESSAGE_BYTES
from ingate.rpc.door import Door
from ingate.rpc.inprocess import InProcessServer
from ingate.rpc.interceptors.chain import chain
from ingate.rpc.interceptors.refusals import refusals
from ingate.rpc.interceptors.stages import stages
from ingate.rpc.services import rpcs, services
from ingate.storage import data_dir, inside, keep_private, open_database
from ingate.supervision import Supervisor
from ingate.system.servicer import SystemServicer
from ingate.vault import MASTER_KEY_FILE, Vault, find_master_key, make_master_key

FLUSH_SECONDS = 5.0
SHIP_SECONDS = 0.25
"""Between two batches under load: a transaction costs as much as the rows of a hundred exchanges."""
SHIPPED_AT_ONCE = 2000
"""Records of a batch at most: what arrives between two of them on a busy process."""
LEAST_MESSAGE_BYTES = 16 * 1024 * 1024
"""Bytes that a gateway's batch may have over a socket, however small bodies must be."""
PREPARE_SECONDS = 5.0
"""After the start: what the first batch needs is loaded while there is mostly nothing else to do yet."""
TEND_SECONDS = 1.0
CUT_SECONDS = 1.0
LAST_WORDS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Core:
    """A running core. `servicers` are by full service name, for a socket server with `interceptors` and `door`."""

    channel: grpc.aio.Channel
    interceptors: tuple[grpc.aio.ServerInterceptor, ...]
    door: Door
    bodies: BodyBudget
    servicers: dict[str, Any]
    engine: Engine
    system: SystemServicer
    shipper: Shipper
    refusals: Refusals
    database: Database
    gateway_token: str
    made_master_key: bool
    supervisor: Supervisor

    def drain(self) -> None:
        """Makes readiness say no, so that load balancers look elsewhere while open requests finish."""
        self.system.unready = "shutting down"

    def hold(self) -> None:
        """Makes readiness say no until `release`."""
        self.system.unready = "starting"

    def release(self) -> None:
        """Lets readiness say what is."""
        self.system.unready = ""

    @asynccontextmanager
    async def as_owner(self, org_slug: str) -> AsyncIterator[tuple[tuple[str, str], ...]]:
        """Yields call metadata with which the operator acts as an organisation's owner. Raises NotFound."""
        async with owner_session(self.database, org_slug) as token:
            yield (("authorization", f"Bearer {token}"),)


@asynccontextmanager
async def open_core(settings: Settings) -> AsyncIterator[Core]:
    """Yields the running core; afterwards what the journal holds is flushed and everything is closed.

    An embedded database is migrated here; another must be at the right version, else Unavailable is raised.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        await migrate.make_ready(database)
        yield await _build(settings, database, stack)


async def _build(settings: Settings, database: Database, stack: AsyncExitStack) -> Core:
    directory = data_dir(settings)
    with inside(directory):
        keep_private(directory)
        key, made = await _master_key(settings, database, directory)
    token = settings.gateway_token or secrets.token_urlsafe(32)
    as_gateway = (("x-ingate-gateway", token),)
    windows, last_used = FixedWindows(), LastUsed(database)
    rate_limits = RateLimits(settings.rate_limit_free, settings.rate_limit_enterprise)
    passwords = Passwords()
    stack.callback(passwords.close)
    policy = addresses.policy(settings.allow_private_upstreams, settings.ssrf_allowed_hosts, embedded=database.embedded)
    proxies = forwarded.trusted_proxies(settings.trusted_proxies)
    authenticator, memberships = Authenticator(database, last_used, rate_limits), Memberships(database)
    refused, supervisor = Refusals(), Supervisor()

    def interceptors(door: Door | None) -> tuple[grpc.aio.ServerInterceptor, ...]:
        judged = stages(
            authenticator,
            memberships,
            gateway_token=token,
            windows=windows,
            door=door,
            refused=refusals(FORWARD, refused.note),
            proxies=proxies,
        )
        return (chain(judged, rpcs(), gateway_token=token, limits=limits, door=door),)

    limits = {FORWARD: settings.max_body_bytes + HEAD_BYTES}
    door = Door(max(limits[FORWARD], LEAST_MESSAGE_BYTES))
    server = InProcessServer(interceptors=interceptors(None), max_message_bytes=MAX_MESSAGE_BYTES)
    channel = server.channel()
    # Before the database closes: a handler in the middle of a statement would wait for it for ever.
    stack.push_async_callback(server.stop, None)
    forwarding = _forwarding(settings, windows, channel, as_gateway, stack, policy=policy)
    engine, transports = forwarding.engine, forwarding.transports
    # The gateway of this process hears before the caller is answered, and so serves nobody what they have just changed.
    changes = Changes(database, lambda org_id: forwarding.grants.forget((org_id,)))
    await changes.start()
    bodies = _body_budget(settings)
    journal, shipper = forwarding.journal, forwarding.shipper
    condition = Condition(engine, forwarding.recorder, journal.counts, shipper, supervisor, refused)
    system = SystemServicer(database, condition)
    stack.push_async_callback(system.aclose)
    vault, exchanges = Vault(key), ExchangeServicer(database)
    records = RecordServicer(database, last_used.touch, CallLines(database, settings.log_calls))
    servicers: dict[str, Any] = {
        "ingate.auth.v1.AuthService": AuthServicer(
            database,
            passwords,
            Doors(database, settings.signup),
            default_plan=settings.default_plan,
            session_hours=settings.session_hours,
        ),
        "ingate.audit.v1.AuditService": AuditServicer(database),
        "ingate.exchanges.v1.ExchangeService": exchanges,
        "ingate.exchanges.v1.RecordService": records,
        "ingate.gateway.v1.GatewayService": GatewayServicer(
            database, changes, RouteServiceStub(channel), as_gateway, rate_limits
        ),
        "ingate.keys.v1.KeyService": KeyServicer(database, changes),
        "ingate.orgs.v1.AppService": AppServicer(database, changes),
        "ingate.orgs.v1.MemberService": MemberServicer(database, changes),
        "ingate.orgs.v1.OrgService": OrgServicer(
            database,
            changes,
            (exchanges.purge,),
            default_plan=settings.default_plan,
            closed=settings.signup == "closed",
        ),
        "ingate.orgs.v1.TeamService": TeamServicer(database, changes),
        "ingate.providers.v1.ProviderService": ProviderServicer(
            database, vault, changes, transports, policy=policy, demo=settings.demo
        ),
        "ingate.providers.v1.RouteService": RouteServicer(
            database, vault, shared(settings, embedded=database.embedded)
        ),
        "ingate.proxy.v1.ProxyService": ProxyServicer(engine, bodies, max_body=settings.max_body_bytes),
        "ingate.system.v1.SystemService": system,
    }
    for name, servicer in servicers.items():
        services()[name].add_to_server(servicer, server)
    for name, job in (
        ("changes.follow", changes.follow),
        ("last_used.run", last_used.run),
        ("grants.watch", forwarding.grants.watch),
        ("journal.tend", partial(_tend, journal)),
    ):
        stack.push_async_callback(_end, supervisor.start(name, job))
    preparing = supervisor.start("records.prepare", partial(_prepare, records), may_end=True)
    stack.push_async_callback(_end, preparing)
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
        system,
        shipper,
        refused,
        database,
        token,
        made,
        supervisor,
    )


async def _master_key(settings: Settings, database: Database, directory: Path) -> tuple[bytes, bool]:
    """Returns the master key, and whether it was made now. Raises Unavailable where that would lose stored secrets."""
    key = find_master_key(settings.master_key, directory)
    where = "INGATE_MASTER_KEY" if settings.master_key else str(directory / MASTER_KEY_FILE)
    await require_readable(database, key, where)
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


@dataclass(frozen=True, slots=True)
class _Forwarding:
    """The gateway half of a process: what forwards requests, and reaches the core by a channel alone."""

    engine: Engine
    transports: dict[bool, Transport]
    pool: UpstreamPool
    grants: Grants
    journal: Journal
    recorder: Recorder
    shipper: Shipper


def _forwarding(
    settings: Settings,
    windows: FixedWindows,
    channel: grpc.aio.Channel,
    as_gateway: tuple[tuple[str, str], ...],
    stack: AsyncExitStack,
    *,
    policy: addresses.Policy,
) -> _Forwarding:
    directory = data_dir(settings)
    pool = UpstreamPool(
        max_calls=settings.upstream_calls,
        max_calls_per_origin=settings.upstream_calls_per_origin,
        max_idle=settings.upstream_idle,
    )
    stack.push_async_callback(pool.aclose)
    with inside(directory):
        journal = Journal(
            directory / "journal",
            max_bytes=settings.journal_max_bytes,
            fsync=settings.journal_fsync,
            overdraft=settings.when_unrecorded == "refuse",
        )
        journal.tend()
    stack.callback(journal.close)
    shipper = Shipper(
        journal,
        ship_over(channel, as_gateway),
        max_batch=SHIPPED_AT_ONCE,
        max_batch_bytes=MAX_MESSAGE_BYTES // 8,
        interval=SHIP_SECONDS,
    )
    timeouts = Timeouts(connect=settings.connect_timeout, idle=settings.idle_timeout)
    grants = Grants(GatewayServiceStub(channel), as_gateway, timeouts, ttl=settings.grant_seconds, policy=policy)
    stack.push_async_callback(grants.aclose)
    answers = BodyBudget(settings.max_answer_bytes, settings.max_answer_bytes // 2)
    recorder = Recorder(journal, settings.capture_bytes, settings.when_unrecorded, answers)
    stack.callback(recorder.close)
    transports: dict[bool, Transport] = {False: pool, True: DemoTransport(Roster.of(settings.demo_models))}
    abandoned = Abandoned(
        drain=settings.on_disconnect == "drain", seconds=settings.drain_seconds, size=settings.drain_bytes
    )
    stream_usage = StreamUsage(ask=settings.stream_usage == "ask")
    engine = Engine(grants, windows, recorder, transports, abandoned, stream_usage=stream_usage)
    return _Forwarding(engine, transports, pool, grants, journal, recorder, shipper)


async def _tend(journal: Journal) -> None:
    """Looks after the journal until cancelled."""
    while True:
        await asyncio.sleep(TEND_SECONDS)
        journal.tend()


async def _prepare(records: RecordServicer) -> None:
    await asyncio.sleep(PREPARE_SECONDS)
    await records.prepare()


async def _end(job: "asyncio.Task[None]") -> None:
    """Cancels a job, and once more when its last words take too long, as with a database that is away."""
    job.cancel()
    if not (await asyncio.wait({job}, timeout=LAST_WORDS_SECONDS))[0]:
        job.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await job
