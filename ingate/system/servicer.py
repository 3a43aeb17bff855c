"""SystemService: readiness."""

from importlib.metadata import version
from typing import Any

from sqlalchemy import text

from gen.ingate.system.v1 import system_service_pb2 as pb
from gen.ingate.system.v1 import system_service_pb2_grpc
from ingate.db import Database
from ingate.errors import Unavailable


class SystemServicer(system_service_pb2_grpc.SystemServiceServicer):
    """Ready means: not shutting down, and the database answers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = version("ingate")
        self.draining = False

    async def GetHealth(self, request: pb.GetHealthRequest, context: Any) -> pb.GetHealthResponse:
        """Returns ok, or raises Unavailable."""
        if self.draining:
            raise Unavailable("shutting down")
        async with self._database.read() as db:
            await db.execute(text("SELECT 1"))
        return pb.GetHealthResponse(status="ok", version=self._version)
