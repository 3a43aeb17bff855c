"""Checks which scopes a key may get: those that its role allows and that the caller holds. Pure."""

from collections.abc import Iterable

from gen.ingate.access.v1.access_pb2 import Scope
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest, UpdateKeyRequest
from ingate.errors import BadRequest
from ingate.identity import scopes
from ingate.identity.holder import Holder
from ingate.identity.tables import Key


def given(mine: Holder, role: int, request: CreateKeyRequest) -> frozenset[int]:
    """Returns the scopes of a new key: those asked for, or all that its role allows and the caller holds."""
    asked = allowed(mine, role, request.scopes)
    if request.no_scopes:
        if asked:
            raise BadRequest.field("no_scopes", "must not be stated beside scopes")
        return asked
    found = asked or scopes.BY_ROLE[role] & mine.scopes
    if not found:
        raise BadRequest.field("scopes", "cannot be any: the calling key holds none of those that the role allows")
    mine.check_scopes(found)
    return found


def restate(mine: Holder, row: Key, request: UpdateKeyRequest) -> None:
    """Changes role and scopes. What the key gains by it must be the caller's own."""
    role = request.role if request.HasField("role") else row.role
    before = scopes.unpack(row.scopes)
    after = allowed(mine, role, request.scopes or _kept(row, role))
    mine.check_scopes(after if role > row.role else after - before)
    row.role, row.scopes = role, scopes.pack(after)
    row.role_label, row.permissions = None, []


def allowed(mine: Holder, role: int, asked: Iterable[int]) -> frozenset[int]:
    """Returns the scopes as a set. Raises BadRequest for one that the role does not allow."""
    if not role:
        raise BadRequest.field("role", "must be one of viewer, member, admin, owner")
    mine.check_role(role)
    asked = frozenset(asked)
    for scope in sorted(asked - scopes.BY_ROLE[role]):
        word = Scope.Name(scope).removeprefix("SCOPE_").lower()
        raise BadRequest.field("scopes", f"may not hold {word or 'nothing'} with this role")
    return asked


def _kept(row: Key, role: int) -> frozenset[int]:
    """Returns the scopes of a key that a new role allows, so that a change of role never adds any."""
    kept = scopes.unpack(row.scopes) & scopes.BY_ROLE.get(role, frozenset())
    if role and not kept:
        raise BadRequest.field("scopes", "must be stated, for the role allows none of those that the key holds")
    return kept
