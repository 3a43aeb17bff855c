"""The gateway half of a process: what forwards requests, and what it records them with.

It reaches the core by a channel alone, as a gateway on another machine would.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import grpc.aio

from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from ingate.config import Settings
from ingate.identity.changes import Subject
from ingate.net.addresses import AddressPolicy
from ingate.net.budget import BodyBudget
from ingate.providers.demo import DemoTransport, Roster
from ingate.proxy.abandoned import Abandoned
from ingate.proxy.admission import Admission
from ingate.proxy.attempts import Attempts
from ingate.proxy.engine import Engine
from ingate.proxy.grants import Grants
from ingate.proxy.journal import Journal, Shipper
from ingate.proxy.news import News
from ingate.proxy.policies import Policies
from ingate.proxy.ports import Meter, Timeouts, Transport
from ingate.proxy.recorder import Recorder
from ingate.proxy.shipping import ship_over
from ingate.proxy.stream_usage import StreamUsage
from ingate.proxy.upstream import UpstreamPool
from ingate.rpc.connect import MAX_MESSAGE_BYTES
from ingate.storage import data_dir, inside
from ingate.supervision import Work

SHIP_SECONDS = 0.25
"""Between two batches under load: a transaction costs as much as the rows of a hundred exchanges."""
SHIPPED_AT_ONCE = 2000
"""Records of a batch at most: what arrives between two of them on a busy process."""
TEND_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Forwarding:
    """The gateway half of a process: what forwards requests, and reaches the core by a channel alone."""

    engine: Engine
    policies: Policies
    transports: dict[bool, Transport]
    pool: UpstreamPool
    news: News
    journal: Journal
    recorder: Recorder
    shipper: Shipper

    def jobs(self) -> tuple[tuple[str, Work], ...]:
        """Returns what runs beside the requests, by name."""
        return (("news.watch", self.news.watch), ("journal.tend", partial(_tend, self.journal)))

    def forget(self, org_id: str, subject: Subject) -> None:
        """Drops what is known of an organisation that has changed."""
        told = (org_id,)
        self.news.forget(keys=told if subject.keys else (), policies=told if subject.policy else ())


def open_forwarding(
    settings: Settings,
    meter: Meter,
    channel: grpc.aio.Channel,
    as_gateway: tuple[tuple[str, str], ...],
    stack: AsyncExitStack,
    *,
    addresses: AddressPolicy,
) -> Forwarding:
    """Returns the gateway half, which reaches the core by `channel`; `stack` closes it."""
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
    stub = GatewayServiceStub(channel)
    admission, news = Admission(stub, as_gateway), News(stub, as_gateway)
    transports: dict[bool, Transport] = {False: pool, True: DemoTransport(Roster.of(settings.demo_models))}
    grants = Grants(admission, news, ttl=settings.grant_seconds)
    policies = Policies(admission, news, transports, timeouts, ttl=settings.grant_seconds, addresses=addresses)
    stack.push_async_callback(grants.aclose)
    stack.push_async_callback(policies.aclose)
    answers = BodyBudget(settings.max_answer_bytes, settings.max_answer_bytes // 2)
    recorder = Recorder(journal, settings.capture_bytes, settings.when_unrecorded, answers)
    stack.callback(recorder.close)
    abandoned = Abandoned(
        drain=settings.on_disconnect == "drain", seconds=settings.drain_seconds, size=settings.drain_bytes
    )
    attempts = Attempts(StreamUsage(ask=settings.stream_usage == "ask"))
    engine = Engine(grants, policies, meter, recorder, attempts=attempts, abandoned=abandoned)
    return Forwarding(engine, policies, transports, pool, news, journal, recorder, shipper)


async def _tend(journal: Journal) -> None:
    """Looks after the journal until cancelled."""
    while True:
        await asyncio.sleep(TEND_SECONDS)
        journal.tend()
