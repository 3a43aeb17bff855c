"""GatewayService: grants, and the news that they are no longer true."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from gen.ingate.gateway.v1 import gateway_service_pb2 as pb
from gen.ingate.gateway.v1 import gateway_service_pb2_grpc
from gen.ingate.gateway.v1.grant_pb2 import Grant
from gen.ingate.providers.v1.provider_service_pb2 import ListRoutesRequest
from ingate import clock, plans
from ingate.db import Database
from ingate.epochs import Epochs
from ingate.errors import Unauthenticated
from ingate.identity.authenticator import REFUSED, live_key
from ingate.identity.scopes import unpack

if TYPE_CHECKING:
    from gen.ingate.providers.v1.provider_service_pb2_grpc import ProviderServiceAsyncStub


class GatewayServicer(gateway_service_pb2_grpc.GatewayServiceServicer):
    """Grants from the identity tables and the providers feature, which it asks over its service."""

    def __init__(
        self,
        database: Database,
        epochs: Epochs,
        providers: "ProviderServiceAsyncStub",
        metadata: tuple[tuple[str, str], ...],
    ) -> None:
        self._database = database
        self._epochs = epochs
        self._providers = providers
        self._metadata = metadata

    async def Admit(self, request: pb.AdmitRequest, context: Any) -> pb.AdmitResponse:
        """Returns the grant of a key."""
        async with self._database.read() as db:
            row = (await db.execute(live_key(request.key_hash))).one_or_none()
        if row is None:
            raise Unauthenticated(REFUSED)
        key, plan = row
        routes = await self._providers.ListRoutes(ListRoutesRequest(org_id=key.org_id), metadata=self._metadata)
        ends = [moment for moment in (key.expires_at, key.revoked_at) if moment is not None]
        return pb.AdmitResponse(
            grant=Grant(
                org_id=key.org_id,
                key_id=key.id,
                role=key.role,
                scopes=sorted(unpack(key.scopes)),
                plan=plan,
                rate_limit_per_minute=key.rate_limit or plans.rate_limit(plan),
                expires_at=clock.to_proto(min(ends, default=None)),
                app_id=key.app_id,
                team_id=key.team_id,
                routes=routes.routes,
            )
        )

    async def Watch(self, request: pb.WatchRequest, context: Any) -> AsyncIterator[pb.WatchResponse]:
        """Streams changes until the caller leaves."""
        with self._epochs.listen() as changes:
            yield pb.WatchResponse(epoch=self._epochs.epoch)
            async for epoch, org_id in changes:
                yield pb.WatchResponse(epoch=epoch, org_ids=[org_id])
