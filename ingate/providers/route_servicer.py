"""RouteService: where an organisation's requests can go."""

from typing import Any

import structlog
from sqlalchemy import select

from gen.ingate.providers.v1 import route_service_pb2 as pb
from gen.ingate.providers.v1 import route_service_pb2_grpc
from gen.ingate.providers.v1.route_pb2 import Route
from ingate.db import Database
from ingate.errors import BadRequest
from ingate.identity.tables import Org
from ingate.providers import messages
from ingate.providers.shared import Shared
from ingate.providers.tables import Provider
from ingate.vault import Vault

log = structlog.get_logger(__name__)


class RouteServicer(route_service_pb2_grpc.RouteServiceServicer):
    """The providers of the database with their credentials, and those of the installation."""

    def __init__(self, database: Database, vault: Vault, shared: Shared) -> None:
        self._database = database
        self._vault = vault
        self._shared = shared

    async def ListRoutes(self, request: pb.ListRoutesRequest, context: Any) -> pb.ListRoutesResponse:
        """Returns an organisation's enabled providers with their credentials, then the shared ones that it reaches."""
        own = select(Provider).where(Provider.org_id == request.org_id).order_by(Provider.name)
        async with self._database.read() as db:
            rows = list(await db.scalars(own))
            org = await db.get(Org, request.org_id)
        shared = self._shared.reached_by(org.slug, founding=org.founding) if org else []
        names = {row.name for row in rows}
        routes = [route for row in rows if row.enabled and (route := self._route(row)) is not None]
        return pb.ListRoutesResponse(routes=[*routes, *(route for route in shared if route.name not in names)])

    def _route(self, row: Provider) -> Route | None:
        try:
            return messages.route(row, self._vault)
        except BadRequest as error:
            # The others go on. Nothing takes its name, so its requests are refused rather than sent elsewhere.
            log.warning("provider_key_unreadable", org_id=row.org_id, provider=row.name, problem=error.message)
            return None
