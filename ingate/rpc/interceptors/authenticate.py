"""Establishes who is calling, from metadata and the connection.

A caller's credential is a secret in `authorization: Bearer …` or `x-ingate-key`; what a secret stands for is the
Authenticator's to say. `x-ingate-gateway` proves a gateway process, whose word for the client's address is taken.
Does not know what a caller may do, except that a public rpc asks for no credential: it ignores a stale one, so that
signing in works with one.
"""

import dataclasses
import hmac
from typing import Any, Protocol

from ingate.errors import Unauthenticated
from ingate.net.forwarded import TrustedProxies
from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.peer import peer_address
from ingate.rpc.principal import Principal, set_principal
from ingate.rpc.request_ids import GATEWAY
from ingate.rpc.services import Rpc

AUTHORIZATION = "authorization"
KEY = "x-ingate-key"
ADDRESS = "x-ingate-address"

_ADDRESS_CHARACTERS = 64


class Authenticator(Protocol):
    """Says whom a credential stands for."""

    async def authenticate(self, metadata: dict[str, str]) -> Principal:
        """Returns the caller, without address and request id. `credential(metadata)` is never None here.

        Raises Unauthenticated for a credential that is unknown, revoked or expired, always in the same words, or that
        looks like a vendor's.
        """
        ...


def credential(metadata: dict[str, str]) -> str | None:
    """Returns the caller's secret, or None where the caller shows none.

    Raises Unauthenticated for one that is empty or of another scheme, and for two that differ.
    """
    secrets = set()
    if (given := metadata.get(AUTHORIZATION)) is not None:
        scheme, _, secret = given.partition(" ")
        secrets.add(secret.strip() if scheme.lower() == "bearer" else "")
    if (given := metadata.get(KEY)) is not None:
        secrets.add(given.strip())
    if not secrets:
        return None
    if len(secrets) > 1 or "" in secrets:
        raise Unauthenticated("the credential is not valid")
    return secrets.pop()


def called_from(call: Call, proxies: TrustedProxies | None) -> str:
    """Returns the address of the peer, or of the caller behind it where the peer is a trusted proxy."""
    peer = peer_address(call.context.peer())
    if proxies is None:
        return peer
    return proxies.caller(peer, [(name.encode(), value.encode()) for name, value in call.metadata.items()])


def authenticate(authenticator: Authenticator, gateway_token: str, proxies: TrustedProxies | None = None) -> Stage:
    """Returns the stage. `proxies` are those whose word for a caller's address is taken.

    Raises ValueError for an empty gateway token, which everyone could show.
    """
    if not gateway_token:
        raise ValueError("the gateway token must not be empty")
    expected = gateway_token.encode()

    async def identify(metadata: dict[str, str], *, public: bool, gateway: bool) -> Principal:
        if not public and credential(metadata) is not None:
            return await authenticator.authenticate(metadata)
        return Principal(kind="gateway" if gateway else "anonymous")

    def wrap(rpc: Rpc, step: Step) -> Step:
        public = rpc.access.public

        async def authenticated(request: Incoming, call: Call) -> Any:
            metadata = call.metadata
            token = metadata.get(GATEWAY)
            if token is not None and not hmac.compare_digest(token.encode(), expected):
                raise Unauthenticated("the gateway token is not valid")
            gateway = token is not None
            address = metadata.get(ADDRESS, "")[:_ADDRESS_CHARACTERS] if gateway else ""
            address = address or called_from(call, proxies)
            caller = await identify(metadata, public=public, gateway=gateway)
            set_principal(dataclasses.replace(caller, address=address, request_id=call.request_id))
            return await step(request, call)

        return authenticated

    return Stage("authenticate", wrap, after=("failures", "access_log"))
