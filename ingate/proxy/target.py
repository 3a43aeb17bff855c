"""A provider ready to be called: a route from a grant, parsed once rather than with every request. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from gen.ingate.providers.v1.provider_pb2 import (
    AUTH_MODE_PASSTHROUGH,
    PROVIDER_TYPE_DEMO,
    PROVIDER_TYPE_HTTP,
    ProviderType,
)
from gen.ingate.providers.v1.route_pb2 import Route
from ingate.formats import Format
from ingate.net.addresses import AddressPolicy, for_operators
from ingate.provider_types import KINDS, Kind
from ingate.proxy import base_urls, outgoing
from ingate.proxy.masking import Mask, mask_of
from ingate.proxy.ports import Account, Headers, Origin, Timeouts, Transport

DEMO_ORIGIN = Origin("http", "demo.invalid", 80)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Where a request can go. One is told from another by identity: each is made once, when its policy is.

    `transport` is how it is called. `account` is without credentials of the caller's own. `prefix` is the path of the
    base URL without a trailing slash. `extra` are the headers that the gateway sets, the credential among them, and
    `set_here` their names; `defaults` those it sets unless the caller does. `price_provider` says whose prices apply.
    `mask` finds its credentials in what is recorded. `verbatim`: the path is asked for below `prefix` as it is, no
    provider is named before a model, and all headers cross but those of the connection and the gateway.
    """

    name: str
    type: int
    type_name: str
    transport: Transport
    account: Account
    prefix: str
    speaks: frozenset[Format]
    natural: frozenset[Format]
    passthrough: bool
    custom_headers: bool
    extra: Headers
    set_here: frozenset[bytes]
    defaults: Headers
    timeouts: Timeouts
    models: frozenset[str]
    is_default: bool
    demo: bool
    price_provider: str
    mask: Mask | None
    verbatim: bool = False


def _price_provider(kind: Kind, base_url: str) -> str:
    """Returns whose prices apply. At another address than its own, a type may be spoken by somebody else."""
    if not kind.price_provider:
        return base_url
    own = kind.base_url and base_url.startswith(kind.base_url)
    return kind.price_provider if own else f"{kind.price_provider} {base_url}"


def compile_target(
    route: Route,
    timeouts: Timeouts,
    addresses: AddressPolicy,
    transports: Mapping[bool, Transport],
    *,
    org: str,
    verbatim: bool = False,
) -> Target:
    """Returns the target of a route for an organisation, by its id. `verbatim`: see `Target`.

    `transports` has the network at False and the demo model at True.

    Raises BadRequest when its address may not be called or a header not be sent.
    """
    kind = KINDS[route.type]
    demo = route.type == PROVIDER_TYPE_DEMO
    # What the installation itself configures may be inside its network.
    allowed = for_operators(addresses) if route.shared else addresses
    origin, prefix = (DEMO_ORIGIN, "") if demo else base_urls.parse(route.base_url, allowed)
    passthrough = route.auth_mode == AUTH_MODE_PASSTHROUGH
    extra = outgoing.headers(route.headers)
    if route.api_key and route.auth_header and not passthrough:
        name, value = outgoing.credential(route.auth_header, route.auth_format, route.api_key)
        extra[name] = value
    headers = [(name.encode(), value.encode()) for name, value in extra.items()]
    return Target(
        name=route.name,
        type=route.type,
        type_name=ProviderType.Name(route.type).removeprefix("PROVIDER_TYPE_").lower(),
        transport=transports[demo],
        account=Account.of(origin, org, headers),
        prefix=prefix,
        speaks=kind.speaks,
        natural=kind.natural,
        passthrough=passthrough,
        custom_headers=route.type == PROVIDER_TYPE_HTTP,
        extra=headers,
        set_here=frozenset(name for name, _ in headers),
        defaults=[(name.encode(), value.encode()) for name, value in kind.headers if not (verbatim or name in extra)],
        timeouts=Timeouts(timeouts.connect, route.timeout_ms / 1000, timeouts.idle),
        models=frozenset(route.models),
        is_default=route.is_default,
        demo=demo,
        price_provider="demo" if demo else _price_provider(kind, route.base_url),
        mask=mask_of(outgoing.secrets(route)),
        verbatim=verbatim,
    )
