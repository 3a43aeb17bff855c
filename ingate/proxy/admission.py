"""Asks the core what keys may do and what they may reach, for few of them at once. Knows no cache.

Keys that were good before have a lane of their own, so that a flood of unknown ones neither delays them nor takes all
of the core's database connections. So have policies, which only good keys ask for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import structlog
from grpc import StatusCode
from grpc.aio import AioRpcError

from gen.ingate.gateway.v1.gateway_service_pb2 import AdmitRequest, GetPolicyRequest
from gen.ingate.gateway.v1.grant_pb2 import Grant
from gen.ingate.gateway.v1.policy_pb2 import Policy

if TYPE_CHECKING:
    from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceAsyncStub

KNOWN_AT_ONCE = 16
STRANGE_AT_ONCE = 4
POLICIES_AT_ONCE = 8
STRANGE_WAITING = 2000
"""Unknown keys that wait for their turn; more are refused until some had theirs."""
TURN_SECONDS = 2.0
"""Until the turn. The wait does not shorten what follows: a question that is cut costs a database connection."""
ANSWER_SECONDS = 5.0
"""From then until the answer."""
BUSY = "too many keys are being checked at the moment"
AWAY = "the gateway cannot check keys at the moment"

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Admission:
    """What may be asked at once.

    Where there is no answer, the reason is returned, not raised: an exception that many wait for would hold them all.
    """

    def __init__(self, stub: "GatewayServiceAsyncStub", metadata: tuple[tuple[str, str], ...]) -> None:
        self._stub = stub
        self._metadata = metadata
        self._known = asyncio.Semaphore(KNOWN_AT_ONCE)
        self._strange = asyncio.Semaphore(STRANGE_AT_ONCE)
        self._policies = asyncio.Semaphore(POLICIES_AT_ONCE)
        self._strangers = 0

    async def grant(self, digest: bytes, *, strange: bool) -> Grant | str | None:
        """Returns what a key may do, None for one that does not work, or why that cannot be said."""

        async def admit() -> Grant:
            question = AdmitRequest(key_hash=digest)
            return (await self._stub.Admit(question, metadata=self._metadata, timeout=ANSWER_SECONDS)).grant

        if not strange:
            return await _turn(self._known, "key", admit)
        if self._strangers >= STRANGE_WAITING:
            return BUSY
        self._strangers += 1
        try:
            return await _turn(self._strange, "key", admit)
        finally:
            self._strangers -= 1

    async def policy(self, org_id: str) -> Policy | str:
        """Returns what an organisation's keys may reach, or why that cannot be said."""

        async def get() -> Policy:
            question = GetPolicyRequest(org_id=org_id)
            return (await self._stub.GetPolicy(question, metadata=self._metadata, timeout=ANSWER_SECONDS)).policy

        # No key is asked about: a core that does not know this gateway says nothing of a policy.
        return await _turn(self._policies, "policy", get) or AWAY


async def _turn(lane: asyncio.Semaphore, asked: str, ask: Callable[[], Awaitable[T]]) -> T | str | None:
    """Returns the answer to a question in its turn, None where the core knows of no such key."""
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await lane.acquire()
    except TimeoutError:
        return BUSY
    try:
        return await ask()
    except AioRpcError as error:
        if error.code() is StatusCode.UNAUTHENTICATED:
            return None
        log.warning("admit_failed", asked=asked, code=error.code().name)
        return AWAY
    finally:
        lane.release()
