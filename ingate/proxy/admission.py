"""Asks the core what keys may do, for few of them at once. Knows no cache.

Keys that were good before have a lane of their own, so that a flood of unknown ones neither delays them nor takes all
of the core's database connections.
"""

import asyncio
from typing import TYPE_CHECKING

import structlog
from grpc import StatusCode
from grpc.aio import AioRpcError

from gen.ingate.gateway.v1.gateway_service_pb2 import AdmitRequest
from gen.ingate.gateway.v1.grant_pb2 import Grant

if TYPE_CHECKING:
    from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceAsyncStub

KNOWN_AT_ONCE = 16
STRANGE_AT_ONCE = 4
STRANGE_WAITING = 2000
"""Unknown keys that wait for their turn; more are refused until some had theirs."""
TURN_SECONDS = 2.0
"""Until the turn. Who has it is not cut short for having waited: a question that is cut costs a database connection."""
ADMIT_SECONDS = 5.0
"""From then until the answer."""
BUSY = "too many keys are being checked at the moment"

log = structlog.get_logger(__name__)


class Admission:
    """What may be asked at once."""

    def __init__(self, stub: "GatewayServiceAsyncStub", metadata: tuple[tuple[str, str], ...]) -> None:
        self._stub = stub
        self._metadata = metadata
        self._known = asyncio.Semaphore(KNOWN_AT_ONCE)
        self._strange = asyncio.Semaphore(STRANGE_AT_ONCE)
        self._strangers = 0

    async def ask(self, digest: bytes, *, strange: bool) -> Grant | str | None:
        """Returns what a key may do, None for one that does not work, or why that cannot be said.

        A reason is returned, not raised: an exception that many wait for would hold them all.
        """
        if not strange:
            return await self._ask(digest, self._known)
        if self._strangers >= STRANGE_WAITING:
            return BUSY
        self._strangers += 1
        try:
            return await self._ask(digest, self._strange)
        finally:
            self._strangers -= 1

    async def _ask(self, digest: bytes, lane: asyncio.Semaphore) -> Grant | str | None:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await lane.acquire()
        except TimeoutError:
            return BUSY
        try:
            question = AdmitRequest(key_hash=digest)
            return (await self._stub.Admit(question, metadata=self._metadata, timeout=ADMIT_SECONDS)).grant
        except AioRpcError as error:
            if error.code() is StatusCode.UNAUTHENTICATED:
                return None
            log.warning("admit_failed", code=error.code().name)
            return "the gateway cannot check keys at the moment"
        finally:
            lane.release()
