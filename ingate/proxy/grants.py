"""What keys may do, as this process knows it: a bounded cache that the core's news keeps true.

A grant is used for `ttl` seconds at most, which use does not extend, and is dropped the moment the core says that
its organisation changed. While the news stream is down, a grant is refreshed when it is older than `STALE` seconds and
the core answers; when the core does not answer, it serves until its `ttl` ends.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from grpc import StatusCode
from grpc.aio import AioRpcError

from gen.ingate.access.v1.access_pb2 import SCOPE_PROXY
from gen.ingate.exchanges.v1.exchange_pb2 import CACHE_BYPASS, SOURCE_PROXY, Exchange
from gen.ingate.exchanges.v1.exchange_service_pb2 import ExchangeRecord
from gen.ingate.gateway.v1.gateway_service_pb2 import AdmitRequest, WatchRequest
from gen.ingate.gateway.v1.grant_pb2 import Grant as GrantMessage
from ingate import clock
from ingate.errors import BadRequest, Unauthenticated, Unavailable
from ingate.net.addresses import Policy
from ingate.proxy.ports import Timeouts
from ingate.proxy.target import Target, compile_target

if TYPE_CHECKING:
    from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceAsyncStub

CAPACITY = 10_000
NEGATIVE_SECONDS = 5.0
STALE = 1.0
RECONNECT_SECONDS = 0.2
ADMIT_SECONDS = 5.0
REFUSED = "the key is missing, unknown, expired or revoked"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one key may do.

    `stated` is what every record of an exchange says of its key: a part of an ExchangeRecord, in wire form.
    """

    org_id: str
    key_id: str
    stated: bytes
    may_proxy: bool
    rate_limit: int
    expires_at: int | None
    targets: tuple[Target, ...]


@dataclass(slots=True)
class _Entry:
    grant: Grant | None
    fetched: float
    until: float


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
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._fetching: dict[bytes, asyncio.Task[_Entry]] = {}
        self._live = False
        self._epoch = 0

    @property
    def size(self) -> int:
        """How many keys are known, refused ones included."""
        return len(self._entries)

    def known(self, digest: bytes) -> Grant | None:
        """Returns the grant of a key, by its hash, when the core need not be asked. Raises Unauthenticated."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        now = time.monotonic()
        if now >= entry.until or not (self._live or now < entry.fetched + STALE):
            return None
        return _valid(entry)

    async def grant(self, digest: bytes) -> Grant:
        """Returns the grant of a key, by its hash. Raises Unauthenticated, or Unavailable when the core cannot say."""
        return self.known(digest) or _valid(await self._refresh(digest, self._entries.get(digest)))

    async def _refresh(self, digest: bytes, known: _Entry | None) -> _Entry:
        task = self._fetching.get(digest)
        if task is None:
            task = self._fetching[digest] = asyncio.create_task(self._fetch(digest))
            task.add_done_callback(lambda _: self._fetching.pop(digest, None))
        try:
            return await asyncio.shield(task)
        except AioRpcError as error:
            if known is not None and time.monotonic() < known.until:
                return known
            log.warning("admit_failed", code=error.code().name)
            raise Unavailable("the gateway cannot check keys at the moment", retry_after=1) from None

    async def _fetch(self, digest: bytes) -> _Entry:
        epoch = self._epoch
        now = time.monotonic()
        try:
            answer = await self._stub.Admit(
                AdmitRequest(key_hash=digest), metadata=self._metadata, timeout=ADMIT_SECONDS
            )
        except AioRpcError as error:
            if error.code() is not StatusCode.UNAUTHENTICATED:
                raise
            entry = _Entry(None, now, now + NEGATIVE_SECONDS)
        else:
            entry = _Entry(self._compile(answer.grant), now, now + self._ttl)
        if epoch == self._epoch:
            # Else something changed while the core answered, and the answer may be from before: use it once.
            self._entries[digest] = entry
            self._entries.move_to_end(digest)
            if len(self._entries) > CAPACITY:
                self._entries.popitem(last=False)
        return entry

    def _compile(self, message: GrantMessage) -> Grant:
        targets = []
        for route in message.routes:
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
            may_proxy=SCOPE_PROXY in message.scopes,
            rate_limit=message.rate_limit_per_minute,
            expires_at=clock.from_proto(message.expires_at) if message.HasField("expires_at") else None,
            targets=tuple(targets),
        )

    async def watch(self) -> None:
        """Follows the core's news until cancelled, reconnecting for ever."""
        while True:
            call = self._stub.Watch(WatchRequest(), metadata=self._metadata)
            try:
                async for news in call:
                    self._heard(news.epoch, frozenset(news.org_ids))
            except AioRpcError as error:
                log.warning("watch_lost", code=error.code().name)
            finally:
                self._live = False
                call.cancel()
            await asyncio.sleep(RECONNECT_SECONDS)

    def _heard(self, epoch: int, org_ids: frozenset[str]) -> None:
        missed = not self._live or epoch != self._epoch + 1
        self._live = True
        self._epoch = epoch
        for digest, entry in list(self._entries.items()):
            if missed or entry.grant is None or entry.grant.org_id in org_ids:
                del self._entries[digest]

    async def aclose(self) -> None:
        """Drops every fetch under way."""
        for task in list(self._fetching.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, AioRpcError):
                await task


def _valid(entry: _Entry) -> Grant:
    """Returns the grant in an entry. Raises Unauthenticated when there is none, or when the key has expired."""
    grant = entry.grant
    if grant is None or (grant.expires_at is not None and grant.expires_at <= clock.now()):
        raise Unauthenticated(REFUSED)
    return grant
