"""Providers as the planner sees them, made of a few words."""

from gen.ingate.providers.v1 import provider_pb2 as pb
from gen.ingate.providers.v1.route_pb2 import Route
from ingate.net.addresses import EVERYWHERE
from ingate.provider_types import KINDS
from ingate.proxy.ports import Timeouts
from ingate.proxy.target import compile_target

TRANSPORTS = {False: None, True: None}
"""Of targets that are not called."""


def target(name, type=None, base_url="http://127.0.0.1:9", **fields):
    """Returns the Target of a provider; its type is what its name says unless stated, such as "openai-compatible"."""
    number = pb.ProviderType.Value("PROVIDER_TYPE_" + (type or name).replace("-", "_").upper())
    kind = KINDS[number]
    given = {"auth_header": kind.auth_header, "auth_format": kind.auth_format, "auth_mode": pb.AUTH_MODE_API_KEY}
    given |= {"timeout_ms": 1000, "api_key": "sk-provider-secret", **fields}
    route = Route(name=name, type=number, base_url=base_url, **given)
    return compile_target(route, Timeouts(), EVERYWHERE, TRANSPORTS, org="org")
