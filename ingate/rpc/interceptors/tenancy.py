"""Decides which organisation a call acts in, by the rpc's tenancy option alone. What states nothing is refused.

Where a field of the request names it, the caller has the standing that they have there; an organisation that the caller
does not belong to does not exist, as far as they can tell. Does not know what standings allow.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol

from ingate.errors import Forbidden, NotFound
from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.principal import Principal, principal, set_principal
from ingate.rpc.services import Rpc


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's role in an organisation, and its plan."""

    role: int
    plan: str


class Memberships(Protocol):
    """Says where people belong."""

    async def standing(self, user_id: str, org_id: str) -> Standing | None:
        """Returns a person's standing in an organisation, None where they are no member."""
        ...


def names_organisation(rpc: Rpc) -> bool:
    """Tells whether the organisation, and so the caller's role, follows from the request."""
    return bool(rpc.tenancy.field)


async def _refused(_request: Incoming, _call: Call) -> Any:
    raise Forbidden("nobody may call this")


def tenancy(memberships: Memberships) -> Stage:
    """Returns the stage."""

    async def seated(caller: Principal, org_id: str) -> Principal:
        if org_id == caller.org_id:
            return caller
        standing = await memberships.standing(caller.user_id, org_id) if caller.kind == "user" else None
        if standing is None:
            raise NotFound.of("organization", org_id)
        return dataclasses.replace(caller, org_id=org_id, role=standing.role, plan=standing.plan)

    def wrap(rpc: Rpc, step: Step) -> Step:
        if rpc.tenancy.WhichOneof("organization") is None:
            return _refused
        if not names_organisation(rpc):
            return step
        field = rpc.tenancy.field

        async def placed(request: Incoming, call: Call) -> Any:
            caller = principal()
            # Bytes that are no message name no organisation; they are refused in their turn.
            org_id = getattr(request.message, field, "")
            if org_id and caller.kind in {"user", "key"}:
                set_principal(await seated(caller, org_id))
            return await step(request, call)

        return placed

    return Stage("tenancy", wrap, after=("authenticate",))
