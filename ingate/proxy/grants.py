"""What keys may do, as this process knows it: a bounded cache that the core's news keeps true.

A grant is used for `ttl` seconds at most, which use does not extend, and is dropped the moment the core says that
its organisation changed. While the news stream is down, or silent for `SILENCE` seconds, a grant is refreshed when it
is older than `STALE` seconds and the core answers; when the core does not answer, it serves until its `ttl` ends.

Keys that do not work are remembered apart, so that unknown ones push out no grant, and until the next news only.
"""

import asyncio
import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from grpc.aio import AioRpcError

from gen.ingate.access.v1.access_pb2 import SCOPE_PROXY
from gen.ingate.exchanges.v1.exchange_pb2 import CACHE_BYPASS, SOURCE_PROXY, Exchange
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from gen.ingate.gateway.v1.gateway_service_pb2 import WatchRequest, WatchResponse
from gen.ingate.gateway.v1.grant_pb2 import Grant as GrantMessage
from gen.ingate.providers.v1.route_pb2 import Route as Provider
from ingate import clock
from ingate.errors import BadRequest, Unauthenticated, Unavailable
from ingate.net.addresses import Policy
from ingate.proxy.admission import Admission
from ingate.proxy.ports import Timeouts
from ingate.proxy.target import Target, compile_target

if TYPE_CHECKING:
    from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceAsyncStub

CAPACITY = 10_000
REFUSALS = 10_000
NEGATIVE_SECONDS = 5.0
STALE = 1.0
SILENCE = 3.0
"""Seconds without a word from the core after which the stream counts as lost: three of its heartbeats."""
RECONNECT_SECONDS = 0.2
REFUSED = "the key is missing, unknown, expired or revoked"
EVERYBODY = ""
"""Stands for all organisations among those that changed."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one key may do.

    `stated` is what every record of an exchange says of its key: a part of an ExchangeRecord, in wire form. `policy`
    tells organisations, and what they may reach and how, from one another: what is alike in both has the same.
    """

    org_id: str
    key_id: str
    stated: bytes
    policy: bytes
    may_proxy: bool
    rate_limit: int
    expires_at: int | None
    targets: tuple[Target, ...]


@dataclass(slots=True)
class _Entry:
    """A grant: when it was asked for, until when it serves, its last use, and the use for which it has its place."""

    grant: Grant
    fetched: float
    until: float
    used: float
    placed: float


_DROPPED = _Entry(Grant("", "", b"", b"", False, 0, None, ()), 0.0, 0.0, 0.0, 0.0)
"""In the place of a grant that is no longer true: its key is none that nobody knows."""


@dataclass(slots=True, eq=False)
class _Fetch:
    """A grant being asked for, and the organisations that changed meanwhile: for them the answer may be too old."""

    changed: set[str] = field(default_factory=set)
    task: "asyncio.Task[Grant | str | None]" = field(init=False)


class Grants:
    """Grants by the hash of a key's secret, fetched on first use, one fetch for concurrent first uses."""

    def __init__(
        self,
        stub: "GatewayServiceAsyncStub",
        metadata: tuple[tuple[str, str], ...],
        timeouts: Timeouts,
        *,
        ttl: float,
        policy: Policy,
    ) -> None:
        self._stub = stub
        self._metadata = metadata
        self._timeouts = timeouts
        self._ttl = ttl
        self._policy = policy
        self._admission = Admission(stub, metadata)
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._refused: dict[bytes, float] = {}
        self._only: dict[tuple[str, str], tuple[Grant, tuple[Target, ...]]] = {}
        """By key and provider: the grant for which the target was made, and the target."""
        self._fetching: dict[bytes, _Fetch] = {}
        """The fetches that whoever asks now may wait for."""
        self._fetches: set[_Fetch] = set()
        self._live_until = 0.0
        self._following = False
        self._epoch = 0

    def known(self, digest: bytes) -> Grant | None:
        """Returns the grant of a key, by its hash, when the core need not be asked. Raises Unauthenticated."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        now = time.monotonic()
        if now >= entry.until or (now >= self._live_until and now >= entry.fetched + STALE):
            return None
        entry.used = now
        grant = entry.grant
        if grant.expires_at is not None and grant.expires_at <= clock.now():
            raise Unauthenticated(REFUSED)
        return grant

    async def grant(self, digest: bytes) -> Grant:
        """Returns the grant of a key, by its hash. Raises Unauthenticated, or Unavailable when the core cannot say."""
        if (grant := self.known(digest)) is not None:
            return grant
        self._check_refusals(digest)
        fetch = self._fetching.get(digest) or self._fetch(digest)
        found = await asyncio.shield(fetch.task)
        if isinstance(found, str):
            entry = self._entries.get(digest)
            if entry is None or time.monotonic() >= entry.until:
                raise Unavailable(found, retry_after=1)
            found = entry.grant
        if found is None or (found.expires_at is not None and found.expires_at <= clock.now()):
            raise Unauthenticated(REFUSED)
        return found

    def only(self, provider: Provider, grant: Grant) -> tuple[Target, ...]:
        """Returns the target of a provider that gets requests as they are, for the key of a grant.

        It is made once for each. Raises BadRequest where the provider's address may not be called.
        """
        known = self._only.get((grant.key_id, provider.name))
        if known is not None and known[0] is grant:
            return known[1]
        target = compile_target(
            provider, self._timeouts, self._policy, org=grant.org_id, key=grant.key_id, verbatim=True
        )
        if len(self._only) >= CAPACITY:
            self._only.clear()  # those in use are back at once
        _, targets = self._only[grant.key_id, provider.name] = grant, (target,)
        return targets

    def forget(self, org_ids: Collection[str]) -> None:
        """Drops what is known of organisations that changed, so that whoever asks from now on gets what is true now."""
        everybody = EVERYBODY in org_ids
        for digest, entry in self._entries.items():
            if everybody or entry.grant.org_id in org_ids:
                self._entries[digest] = _DROPPED
        self._refused.clear()
        self._fetching.clear()
        for fetch in self._fetches:
            fetch.changed.update(org_ids)

    async def watch(self) -> None:
        """Follows the core's news until cancelled, reconnecting for ever."""
        while True:
            call = self._stub.Watch(WatchRequest(), metadata=self._metadata)
            try:
                while True:
                    async with asyncio.timeout(SILENCE):
                        news = await call.read()
                    if not isinstance(news, WatchResponse):
                        break  # the core has ended the stream
                    self._heard(news.epoch, news.org_ids)
            except AioRpcError as error:
                log.warning("watch_lost", code=error.code().name)
            except TimeoutError:
                log.warning("watch_silent", seconds=SILENCE)
            finally:
                self._following = False
                self._live_until = 0.0
                call.cancel()
            await asyncio.sleep(RECONNECT_SECONDS)

    def _heard(self, epoch: int, org_ids: Collection[str]) -> None:
        if not self._following or epoch != self._epoch + bool(org_ids):
            self.forget((EVERYBODY,))
        elif org_ids:
            self.forget(org_ids)
        self._following = True
        self._epoch = epoch
        self._live_until = time.monotonic() + SILENCE

    def _check_refusals(self, digest: bytes) -> None:
        at = self._refused.get(digest)
        if at is not None:
            now = time.monotonic()
            if now < at + (NEGATIVE_SECONDS if now < self._live_until else STALE):
                raise Unauthenticated(REFUSED)

    def _fetch(self, digest: bytes) -> _Fetch:
        fetch = self._fetching[digest] = _Fetch()
        self._fetches.add(fetch)
        fetch.task = asyncio.create_task(self._ask(digest, fetch))
        return fetch

    async def _ask(self, digest: bytes, fetch: _Fetch) -> Grant | str | None:
        asked = time.monotonic()
        try:
            found = await self._admission.ask(digest, strange=digest not in self._entries)
        finally:
            self._fetches.discard(fetch)
            if self._fetching.get(digest) is fetch:
                del self._fetching[digest]
        if found is None and not fetch.changed:
            self._refuse(digest, asked)
        if not isinstance(found, GrantMessage):
            return found
        grant = self._compile(found)
        if fetch.changed.isdisjoint((grant.org_id, EVERYBODY)):
            self._keep(digest, _Entry(grant, asked, asked + self._ttl, asked, asked))
        return grant

    def _keep(self, digest: bytes, entry: _Entry) -> None:
        self._entries.pop(digest, None)
        while len(self._entries) >= CAPACITY:
            oldest = next(iter(self._entries))
            found = self._entries[oldest]
            if found.used > found.placed:
                # Moved now and not with every use, which would cost more than to note it.
                found.placed = found.used
                self._entries.move_to_end(oldest)
            else:
                del self._entries[oldest]
        self._entries[digest] = entry

    def _refuse(self, digest: bytes, asked: float) -> None:
        self._entries.pop(digest, None)
        self._refused.pop(digest, None)
        self._refused[digest] = asked
        if len(self._refused) > REFUSALS:
            del self._refused[next(iter(self._refused))]

    def _compile(self, message: GrantMessage) -> Grant:
        targets = []
        policy = hashlib.sha256(message.org_id.encode())
        for route in message.routes:
            policy.update(route.SerializeToString(deterministic=True))
            try:
                targets.append(
                    compile_target(route, self._timeouts, self._policy, org=message.org_id, key=message.key_id)
                )
            except BadRequest as error:
                log.warning("provider_unusable", org=message.org_id, provider=route.name, problem=error.message)
        exchange = Exchange(
            source=SOURCE_PROXY,
            cache=CACHE_BYPASS,
            key_id=message.key_id,
            app_id=message.app_id or None,
            team_id=message.team_id or None,
        )
        return Grant(
            org_id=message.org_id,
            key_id=message.key_id,
            stated=ExchangeRecord(org_id=message.org_id, exchange=exchange).SerializeToString(),
            policy=policy.digest(),
            may_proxy=SCOPE_PROXY in message.scopes,
            rate_limit=message.rate_limit_per_minute,
            expires_at=clock.from_proto(message.expires_at) if message.HasField("expires_at") else None,
            targets=tuple(targets),
        )

    async def aclose(self) -> None:
        """Drops every fetch under way."""
        for fetch in list(self._fetches):
            fetch.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await fetch.task
