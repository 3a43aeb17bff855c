"""A core that admits keys as a test says."""

import asyncio

from grpc import StatusCode

from gen.ingate.access.v1.access_pb2 import SCOPE_PROXY
from gen.ingate.gateway.v1 import gateway_service_pb2 as pb
from gen.ingate.gateway.v1 import gateway_service_pb2_grpc
from gen.ingate.gateway.v1.grant_pb2 import Grant
from gen.ingate.gateway.v1.policy_pb2 import Policy


class Core(gateway_service_pb2_grpc.GatewayServiceServicer):
    """Admits the keys in `keys`, by organisation, with the `routes` of each.

    `news` are told to whoever watches: the epoch, the organisations whose grants changed, and those whose policies did.
    None ends the stream.

    While `held` is set, what an answer says is settled and not sent yet. `away` is how every question fails.
    """

    def __init__(self):
        self.keys = {}
        self.routes = {}
        self.news = asyncio.Queue()
        self.asked = []
        self.policies_asked = []
        self.at_once = self.most = 0
        self.away = None
        self.held = None
        self.watching = 0

    async def Admit(self, request, context):  # noqa: N802
        self.asked.append(request.key_hash)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            org, away = self.keys.get(request.key_hash), self.away
            limit = len(self.asked)
            if self.held is not None:
                await self.held.wait()
            if away is not None:
                await context.abort(away)
            if org is None:
                await context.abort(StatusCode.UNAUTHENTICATED)
            grant = Grant(org_id=org, key_id="key", scopes=[SCOPE_PROXY], rate_limit_per_minute=limit)
            return pb.AdmitResponse(grant=grant)
        finally:
            self.at_once -= 1

    async def GetPolicy(self, request, context):  # noqa: N802
        self.policies_asked.append(request.org_id)
        routes, away = list(self.routes.get(request.org_id, ())), self.away
        if self.held is not None:
            await self.held.wait()
        if away is not None:
            await context.abort(away)
        return pb.GetPolicyResponse(policy=Policy(org_id=request.org_id, routes=routes))

    async def Watch(self, request, context):  # noqa: N802
        self.watching += 1
        while (word := await self.news.get()) is not None:
            yield pb.WatchResponse(epoch=word[0], org_ids=word[1:2], policy_org_ids=word[2:])
