"""What gateways ask of a process."""

from gen.ingate.providers.v1.route_service_pb2_grpc import RouteServiceStub
from ingate.feature import Feature, Parts
from ingate.gateway.servicer import GatewayServicer


def _servicer(parts: Parts) -> GatewayServicer:
    routes = RouteServiceStub(parts.channel)
    return GatewayServicer(parts.database, parts.changes, routes, parts.as_gateway, parts.rate_limits)


FEATURE = Feature(servicers={"ingate.gateway.v1.GatewayService": _servicer})
