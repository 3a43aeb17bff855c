"""SystemService: readiness."""

import asyncio
from importlib.metadata import version
from typing import Any

from sqlalchemy import text

from gen.ingate.system.v1 import system_service_pb2 as pb
from gen.ingate.system.v1 import system_service_pb2_grpc
from ingate.db import RETRY_SECONDS, Database
from ingate.errors import Unavailable

PATIENCE = 3.0
"""Seconds for the database to answer: less than those who ask whether a gateway is ready wait for it themselves."""


class SystemServicer(system_service_pb2_grpc.SystemServiceServicer):
    """Ready means: not shutting down, and the database answers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = version("ingate")
        self._asking: asyncio.Task[None] | None = None
        self.draining = False

    async def GetHealth(self, request: pb.GetHealthRequest, context: Any) -> pb.GetHealthResponse:
        """Returns ok, or raises Unavailable."""
        if self.draining:
            raise Unavailable("shutting down")
        # One question for all who ask meanwhile: a database that hangs is not to be left with ever more of them.
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(_hear)
        answered, _ = await asyncio.wait({self._asking}, timeout=PATIENCE)
        if not answered:
            raise Unavailable("the database does not answer in time", retry_after=RETRY_SECONDS)
        for asked in answered:
            asked.result()
        return pb.GetHealthResponse(status="ok", version=self._version)

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
