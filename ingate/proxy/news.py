"""Follows the changes that the core announces, for as long as the process runs."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import structlog
from grpc.aio import AioRpcError

from gen.ingate.gateway.v1.gateway_service_pb2 import WatchRequest, WatchResponse

if TYPE_CHECKING:
    from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceAsyncStub

SILENCE = 3.0
"""Seconds without a word from the core after which the stream counts as lost: three of its heartbeats."""
RECONNECT_SECONDS = 0.2
EVERYBODY = ""
"""Stands for all organisations among those that changed."""

Forget = Callable[[Collection[str]], None]
"""Drops what is cached of organisations, or of all of them for `EVERYBODY`."""

log = structlog.get_logger(__name__)


class News:
    """Announced changes, passed on to the caches of grants (`keys`) and of policies (`policies`).

    Until `live_until`, a time of the monotonic clock, the absence of news means that nothing has changed.
    """

    def __init__(self, stub: "GatewayServiceAsyncStub", metadata: tuple[tuple[str, str], ...]) -> None:
        self._stub = stub
        self._metadata = metadata
        self._keys: list[Forget] = []
        self._policies: list[Forget] = []
        self._following = False
        self._epoch = 0
        self.live_until = 0.0

    def tell(self, *, keys: Forget | None = None, policies: Forget | None = None) -> None:
        """Registers what to call when keys or policies have changed."""
        self._keys += () if keys is None else (keys,)
        self._policies += () if policies is None else (policies,)

    def forget(self, keys: Collection[str] = (), policies: Collection[str] = ()) -> None:
        """Drops what is cached of organisations; questions from now on are asked anew."""
        if keys:
            for forget in self._keys:
                forget(keys)
        if policies:
            for forget in self._policies:
                forget(policies)

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
                    self._heard(news)
            except AioRpcError as error:
                log.warning("watch_lost", code=error.code().name)
            except TimeoutError:
                log.warning("watch_silent", seconds=SILENCE)
            finally:
                self._following = False
                self.live_until = 0.0
                call.cancel()
            await asyncio.sleep(RECONNECT_SECONDS)

    def _heard(self, news: WatchResponse) -> None:
        changed = bool(news.org_ids or news.policy_org_ids)
        if not self._following or news.epoch != self._epoch + changed:
            self.forget((EVERYBODY,), (EVERYBODY,))
        else:
            self.forget(news.org_ids, news.policy_org_ids)
        self._following = True
        self._epoch = news.epoch
        self.live_until = time.monotonic() + SILENCE
