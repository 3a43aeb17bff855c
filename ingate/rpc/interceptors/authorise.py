"""Decides whether the caller may call the rpc, by the rpc's access option alone. What states nothing is refused.

A gateway may ask for more than the option does, where a dialect does; never for less.

Whose resources a caller may touch is the servicer's to decide.
"""

from typing import Any

from gen.ingate.access.v1 import access_pb2
from gen.ingate.options.v1 import options_pb2
from ingate import entitlements
from ingate.errors import Forbidden, Unauthenticated
from ingate.rpc.gateway_metadata import SCOPES, says
from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.principal import Principal, principal
from ingate.rpc.services import Rpc


def permit(access: options_pb2.Access, caller: Principal) -> None:
    """Returns if `access` admits the caller; raises Unauthenticated or Forbidden if not."""
    if access.public:
        return
    if access.gateway:
        _permit_gateway(caller)
    elif access.person:
        _permit_person(caller)
    elif access.authenticated:
        permit_credential(caller)
    elif access.role:
        _permit_member(access, caller)
    else:
        raise Forbidden("nobody may call this")


def permit_credential(caller: Principal) -> None:
    """Returns if the caller is a person or a key; raises Unauthenticated if not."""
    # A gateway that shows no credential speaks for somebody who has none.
    if caller.kind not in ("user", "key"):
        raise Unauthenticated("a credential is required")


def _permit_gateway(caller: Principal) -> None:
    # A person or a key gets the answer of a stranger, even where a gateway speaks for them.
    if caller.kind != "gateway":
        raise Unauthenticated("the gateway token is required, and no other credential")


def _permit_person(caller: Principal) -> None:
    if caller.kind not in ("user", "key"):
        raise Unauthenticated("a session is required")
    if caller.kind != "user":
        raise Forbidden("only a person who signed in may call this")


def _permit_member(access: options_pb2.Access, caller: Principal) -> None:
    permit_credential(caller)
    if caller.role < access.role:
        role = access_pb2.Role.Name(access.role).removeprefix("ROLE_").lower()
        raise Forbidden(f"this takes the role {role}", metadata={"role": role})
    if access.scope and caller.kind == "key" and caller.scopes.isdisjoint((access.scope, *access.or_scopes)):
        scope = access_pb2.Scope.Name(access.scope).removeprefix("SCOPE_").lower()
        raise Forbidden(f"this takes a key with the scope {scope}", metadata={"scope": scope})
    if access.feature and access.feature not in entitlements.features(caller.plan):
        raise Forbidden(
            f"the plan {caller.plan} does not include {access.feature}",
            metadata={"feature": access.feature, "plan": caller.plan},
        )


def _permit_scopes(words: str, caller: Principal) -> None:
    """Returns if a key holds one of the scopes that a gateway asks for; raises Forbidden if not."""
    scopes = {access_pb2.Scope.Value(f"SCOPE_{word.upper()}") for word in words.split(",")}
    if caller.kind == "key" and caller.scopes.isdisjoint(scopes):
        raise Forbidden(f"this takes a key with the scope {words.replace(',', ' or ')}", metadata={"scope": words})


def _wrap(rpc: Rpc, step: Step) -> Step:
    access = rpc.access

    async def authorised(request: Incoming, call: Call) -> Any:
        caller = principal()
        permit(access, caller)
        if says(call.metadata, SCOPES):
            _permit_scopes(call.metadata[SCOPES], caller)
        return await step(request, call)

    return authorised


AUTHORISE = Stage("authorise", _wrap, after=("authenticate", "tenancy"))
