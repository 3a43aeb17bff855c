"""GatewayService: grants, and the news that they are no longer true."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from gen.ingate.gateway.v1 import gateway_service_pb2 as pb
from gen.ingate.gateway.v1 import gateway_service_pb2_grpc
from gen.ingate.gateway.v1.grant_pb2 import Grant
from gen.ingate.gateway.v1.policy_pb2 import Policy
from gen.ingate.providers.v1.route_service_pb2 import ListRoutesRequest
from ingate import clock
from ingate.db import Database
from ingate.entitlements import RateLimits
from ingate.errors import Unauthenticated
from ingate.identity.authenticator import REFUSED, live_key
from ingate.identity.changes import Changes
from ingate.identity.scopes import unpack

if TYPE_CHECKING:
    from gen.ingate.providers.v1.route_service_pb2_grpc import RouteServiceAsyncStub


class GatewayServicer(gateway_service_pb2_grpc.GatewayServiceServicer):
    """Grants from the identity tables and the providers feature, which it asks over its service."""

    def __init__(
        self,
        database: Database,
        changes: Changes,
        routes: "RouteServiceAsyncStub",
        metadata: tuple[tuple[str, str], ...],
        rate_limits: RateLimits,
    ) -> None:
        self._database = database
        self._changes = changes
        self._routes = routes
        self._metadata = metadata
        self._rate_limits = rate_limits

    async def Admit(self, request: pb.AdmitRequest, context: Any) -> pb.AdmitResponse:
        """Returns the grant of a key."""
        async with self._database.read() as db:
            row = (await db.execute(live_key(request.key_hash))).one_or_none()
        if row is None:
            raise Unauthenticated(REFUSED)
        key, plan = row
        ends = [moment for moment in (key.expires_at, key.revoked_at) if moment is not None]
        return pb.AdmitResponse(
            grant=Grant(
                org_id=key.org_id,
                key_id=key.id,
                role=key.role,
                scopes=sorted(unpack(key.scopes)),
                plan=plan,
                rate_limit_per_minute=0 if key.unlimited else self._rate_limits.of(plan, key.rate_limit),
                rate_limit_per_hour=key.hourly_limit or 0,
                expires_at=clock.to_proto(min(ends, default=None)),
                app_id=key.app_id,
                team_id=key.team_id,
            )
        )

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Any) -> pb.GetPolicyResponse:
        """Returns what an organisation's keys may reach."""
        found = await self._routes.ListRoutes(ListRoutesRequest(org_id=request.org_id), metadata=self._metadata)
        return pb.GetPolicyResponse(policy=Policy(org_id=request.org_id, routes=found.routes))

    async def Watch(self, request: pb.WatchRequest, context: Any) -> AsyncIterator[pb.WatchResponse]:
        """Streams changes until the caller leaves, and that there are none where there are none."""
        with self._changes.listen() as news:
            async for epoch, org_id, subject in news:
                told = [org_id] if org_id else []
                keys, policies = told if subject.keys else (), told if subject.policy else ()
                yield pb.WatchResponse(epoch=epoch, org_ids=keys, policy_org_ids=policies)
