"""SystemService: readiness."""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Protocol

from sqlalchemy import text

from gen.ingate.system.v1 import system_service_pb2 as pb
from gen.ingate.system.v1 import system_service_pb2_grpc
from ingate.db import RETRY_SECONDS, Database
from ingate.errors import DomainError, Unavailable

PATIENCE = 3.0
"""Seconds for the database to answer: less than those who ask whether a gateway is ready wait for it themselves."""


class Condition(Protocol):
    """How the parts of the process are; asking costs next to nothing."""

    unready: str
    """Why the gateway is to be taken for one that is not ready, whatever its parts say; empty where it is not."""

    def refusing(self) -> str | None:
        """Returns why calls are refused, None when they are not."""

    def degraded(self) -> Mapping[str, str]:
        """Returns what is wrong, by name."""

    def parts(self) -> pb.Parts:
        """Returns all that there is to tell."""


class SystemServicer(system_service_pb2_grpc.SystemServiceServicer):
    """Ready means: started and not shutting down, the database answers, no call is refused for want of a record."""

    def __init__(self, database: Database, condition: Condition) -> None:
        self._database = database
        self._condition = condition
        self._version = version("ingate")
        self._asking: asyncio.Task[None] | None = None

    async def GetHealth(self, request: pb.GetHealthRequest, context: Any) -> pb.GetHealthResponse:
        """Returns ok or degraded, or raises Unavailable."""
        if self._condition.unready:
            raise Unavailable(self._condition.unready)
        if (why := self._condition.refusing()) is not None:
            raise self._unready(f"calls are refused, for they could not be recorded: {why}")
        # One question for all who ask meanwhile: a database that hangs is not to be left with ever more of them.
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(_hear)
        answered, _ = await asyncio.wait({self._asking}, timeout=PATIENCE)
        if not answered:
            raise self._unready("the database does not answer in time")
        for asked in answered:
            try:
                asked.result()
            except DomainError as error:
                raise self._unready(error.message) from error
        return pb.GetHealthResponse(
            status="degraded" if self._condition.degraded() else "ok",
            version=self._version,
            parts=self._condition.parts() if request.deep else None,
        )

    def _unready(self, why: str) -> Unavailable:
        return Unavailable(why, fields=self._condition.degraded(), retry_after=RETRY_SECONDS)

    async def _ask(self) -> None:
        async with self._database.read() as db:
            await db.execute(text("SELECT 1"))

    async def aclose(self) -> None:
        """Ends the question under way, if there is one."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking}, timeout=PATIENCE)


def _hear(asking: "asyncio.Task[None]") -> None:
    """Takes note of a failure that comes when nobody waits for it any more."""
    if not asking.cancelled():
        asking.exception()
