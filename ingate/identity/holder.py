"""What the caller of an rpc holds, and so may pass on: never more than that.

It is read in the transaction that passes it on, which waits for whoever is changing who belongs to the organisation:
nobody gives away at the last moment what is just being taken from them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.access.v1.access_pb2 import Role, Scope
from ingate import clock
from ingate.errors import Forbidden, Unauthenticated
from ingate.identity.authenticator import REFUSED
from ingate.identity.scopes import BY_ROLE, held, unpack
from ingate.identity.tables import Key, Member, Org
from ingate.rpc.principal import principal


def role_word(role: int) -> str:
    """Returns the name of a role, as callers write it."""
    return Role.Name(role).removeprefix("ROLE_").lower()


@dataclass(frozen=True, slots=True)
class Holder:
    """The standing of a person or key. Ids are None where they do not apply."""

    role: int
    scopes: frozenset[int]
    person: str | None
    """The person; for a key, whoever is behind it."""
    ends: int | None = None
    """When the key stops working, in microseconds."""
    app_id: str | None = None
    team_id: str | None = None
    workspace: str = ""
    name: str = ""
    """What stands for the caller on what they make: an id that they may choose themselves."""

    def check_role(self, role: int) -> None:
        """Raises Forbidden for a role above this one."""
        if role > self.role:
            raise Forbidden(f"role {role_word(role)} is above your own", metadata={"role": role_word(role)})

    def check_scopes(self, scopes: Iterable[int]) -> None:
        """Raises Forbidden for scopes beyond these."""
        if beyond := sorted(set(scopes) - held(self.scopes)):
            words = ", ".join(Scope.Name(scope).removeprefix("SCOPE_").lower() for scope in beyond)
            raise Forbidden(f"the calling key does not hold {words}, so it cannot give it", metadata={"scopes": words})

    def check_end(self, ends: int | None) -> None:
        """Raises Forbidden for a time after this one's end."""
        if self.ends is not None and (ends is None or ends > self.ends):
            raise Forbidden("expires_at must not be after the calling key stops working")

    def check_binding(self, app_id: str | None, team_id: str | None, workspace: str) -> None:
        """Raises Forbidden for an application, team or workspace other than the one that this is bound to."""
        own = {"app_id": self.app_id, "team_id": self.team_id, "workspace": self.workspace}
        for name, asked in (("app_id", app_id), ("team_id", team_id), ("workspace", workspace)):
            if own[name] and asked != own[name]:
                raise Forbidden(f"{name} must be that of the calling key")

    def check_person(self, role: int) -> None:
        """Raises Forbidden where a person with this role could do what this cannot, or for longer."""
        self.check_role(role)
        self.check_scopes(BY_ROLE[role])
        if self.ends is not None or self.app_id is not None or self.team_id is not None or self.workspace:
            raise Forbidden(
                "a key that expires, or is bound to an application, team or workspace, gives people no roles"
            )


async def holder(db: AsyncSession) -> Holder:
    """Returns what the caller holds in the organisation that the call acts in. Raises Unauthenticated, Forbidden."""
    caller = principal()
    await db.execute(select(Org.id).where(Org.id == caller.org_id).with_for_update(read=True))
    if caller.kind == "key":
        key = await db.scalar(select(Key).where(Key.id == caller.key_id).execution_options(populate_existing=True))
        ends = min((at for at in (key.expires_at, key.revoked_at) if at is not None), default=None) if key else 0
        if key is None or not key.active or (ends is not None and ends <= clock.now()):
            raise Unauthenticated(REFUSED)
        name = key.external_id or key.id
        return Holder(key.role, unpack(key.scopes), key.created_by, ends, key.app_id, key.team_id, key.workspace, name)
    mine = (Member.org_id == caller.org_id, Member.user_id == caller.user_id)
    role = await db.scalar(select(Member.role).where(*mine))
    if role is None:
        raise Forbidden("you are no longer a member of the organisation")
    return Holder(role, BY_ROLE[role], caller.user_id, name=caller.user_id)
