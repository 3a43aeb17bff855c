"""KeyService: create, list, get, update, rotate, revoke."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER, Scope
from gen.ingate.keys.v1 import key_service_pb2 as pb
from gen.ingate.keys.v1 import key_service_pb2_grpc
from ingate import clock, ids
from ingate.db import Database
from ingate.errors import BadRequest, Conflict, NotFound
from ingate.identity import audit, lookups, messages, scopes
from ingate.identity.changes import Changes, Subject
from ingate.identity.holder import Holder, holder
from ingate.identity.tables import Key
from ingate.page import Order
from ingate.rpc.principal import principal
from ingate.rpc.updates import stated

DEFAULT_OVERLAP_HOURS = 24
NEWEST = Order(Key.id, descending=True)


class KeyServicer(key_service_pb2_grpc.KeyServiceServicer):
    """Keys on the identity tables; every change is announced to the gateways."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    async def CreateKey(self, request: pb.CreateKeyRequest, context: Any) -> pb.CreateKeyResponse:
        """Stores the hash of a new secret and answers the secret once."""
        caller = principal()
        role = request.role if request.HasField("role") else ROLE_MEMBER
        secret = ids.new_key()
        async with self._changes.write(caller.org_id, Subject.KEYS) as db:
            mine = await holder(db)
            row = Key(
                id=ids.uuid7(),
                org_id=caller.org_id,
                name=request.name,
                secret_hash=ids.secret_hash(secret),
                role=role,
                scopes=scopes.pack(_given(mine, role, request.scopes)),
                app_id=request.app_id or mine.app_id,
                team_id=request.team_id or mine.team_id,
                rate_limit=request.rate_limit_per_minute if request.HasField("rate_limit_per_minute") else None,
                created_by=mine.person,
                created_at=clock.now(),
                expires_at=_expiry(request) or mine.ends,
            )
            mine.check_end(row.expires_at)
            mine.check_binding(row.app_id, row.team_id)
            await lookups.require_app(db, row.org_id, row.app_id)
            await lookups.require_team(db, row.org_id, row.team_id)
            db.add(row)
            audit.record(db, "key.create", row.id, name=row.name, **_limit(row, {"rate_limit_per_minute"}))
        return pb.CreateKeyResponse(description=messages.key(row), key=secret)

    async def ListKeys(self, request: pb.ListKeysRequest, context: Any) -> pb.ListKeysResponse:
        """Returns a page, newest first."""
        org_id = principal().org_id
        async with self._database.read() as db:
            found = await NEWEST.page(db, select(Key).where(Key.org_id == org_id), request, org_id)
        return pb.ListKeysResponse(**found.answer(messages.key(row[0]) for row in found.rows))

    async def GetKey(self, request: pb.GetKeyRequest, context: Any) -> pb.GetKeyResponse:
        """Returns the description of one key."""
        async with self._database.read() as db:
            return pb.GetKeyResponse(key=messages.key(await _find(db, request.key_id)))

    async def UpdateKey(self, request: pb.UpdateKeyRequest, context: Any) -> pb.UpdateKeyResponse:
        """Changes what the request states. Without new scopes, those that the role allows are left."""
        async with self._changes.write(principal().org_id, Subject.KEYS) as db:
            mine = await holder(db)
            row = await _find_to_change(db, mine, request.key_id)
            changes = stated(request)
            if "name" in changes:
                row.name = request.name
            if not changes.isdisjoint({"role", "scopes"}):
                _restate(mine, row, request)
            if "rate_limit_per_minute" in changes:
                row.rate_limit = request.rate_limit_per_minute or None
            if "expires_at" in changes:
                expires_at = _expiry(request)
                if row.expires_at is not None and (expires_at is None or expires_at > row.expires_at):
                    mine.check_end(expires_at)
                row.expires_at = expires_at
            audit.record(db, "key.update", row.id, name=row.name, changed=audit.names(changes), **_limit(row, changes))
        return pb.UpdateKeyResponse(key=messages.key(row))

    async def RotateKey(self, request: pb.RotateKeyRequest, context: Any) -> pb.RotateKeyResponse:
        """Copies the key under a new id and secret, and dates the end of the old one."""
        hours = request.overlap_hours if request.HasField("overlap_hours") else DEFAULT_OVERLAP_HOURS
        secret, now = ids.new_key(), clock.now()
        async with self._changes.write(principal().org_id, Subject.KEYS) as db:
            mine = await holder(db)
            old = await _find_to_change(db, mine, request.key_id)
            if old.revoked_at is not None:
                raise Conflict("the key has been rotated or revoked already")
            # Whoever rotates a key is shown its new secret.
            mine.check_scopes(scopes.unpack(old.scopes))
            mine.check_end(old.expires_at)
            mine.check_binding(old.app_id, old.team_id)
            old.revoked_at = now + hours * clock.HOUR
            new = Key(
                id=ids.uuid7(),
                org_id=old.org_id,
                name=old.name,
                secret_hash=ids.secret_hash(secret),
                role=old.role,
                scopes=old.scopes,
                app_id=old.app_id,
                team_id=old.team_id,
                rate_limit=old.rate_limit,
                created_by=mine.person,
                created_at=now,
                expires_at=old.expires_at,
            )
            db.add(new)
            audit.record(db, "key.rotate", old.id, new_key_id=new.id, overlap_hours=hours)
        return pb.RotateKeyResponse(
            description=messages.key(new),
            key=secret,
            replaces=old.id,
            replaced_valid_until=clock.to_proto(old.revoked_at),
        )

    async def RevokeKey(self, request: pb.RevokeKeyRequest, context: Any) -> pb.RevokeKeyResponse:
        """Ends a key for good. Revoking it again changes nothing."""
        async with self._changes.write(principal().org_id, Subject.KEYS) as db:
            row = await _find(db, request.key_id, lock=True)
            now = clock.now()
            if row.revoked_at is None or row.revoked_at > now:
                row.revoked_at = now
                audit.record(db, "key.revoke", row.id, name=row.name)
        return pb.RevokeKeyResponse()


async def _find(db: AsyncSession, key_id: str, *, lock: bool = False) -> Key:
    query = select(Key).where(Key.id == key_id, Key.org_id == principal().org_id)
    row = await db.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound.of("key", key_id)
    return row


async def _find_to_change(db: AsyncSession, mine: Holder, key_id: str) -> Key:
    """Returns a key, locked, that the caller may change: one that stands above them is out of reach."""
    row = await _find(db, key_id, lock=True)
    mine.check_role(row.role)
    return row


def _given(mine: Holder, role: int, asked: Iterable[int]) -> frozenset[int]:
    """Returns the scopes of a new key: those asked for, or all that its role allows and the caller holds."""
    asked = _allowed(mine, role, asked)
    given = asked or scopes.BY_ROLE[role] & mine.scopes
    if not given:
        raise BadRequest.field("scopes", "cannot be any: the calling key holds none of those that the role allows")
    mine.check_scopes(given)
    return given


def _restate(mine: Holder, row: Key, request: pb.UpdateKeyRequest) -> None:
    """Changes role and scopes. What the key gains by it must be the caller's own."""
    role = request.role if request.HasField("role") else row.role
    before = scopes.unpack(row.scopes)
    after = _allowed(mine, role, request.scopes or _kept(row, role))
    mine.check_scopes(after if role > row.role else after - before)
    row.role, row.scopes = role, scopes.pack(after)


def _allowed(mine: Holder, role: int, asked: Iterable[int]) -> frozenset[int]:
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


def _limit(row: Key, changes: Collection[str]) -> dict[str, int]:
    """Returns what an audit entry says of a limit that was stated; that of the plan is not the key's."""
    if row.rate_limit is None or "rate_limit_per_minute" not in changes:
        return {}
    return {"rate_limit_per_minute": row.rate_limit}


def _expiry(request: pb.CreateKeyRequest | pb.UpdateKeyRequest) -> int | None:
    if not request.HasField("expires_at"):
        return None
    expires_at = clock.from_proto(request.expires_at)
    if expires_at <= clock.now():
        raise BadRequest.field("expires_at", "must be in the future")
    return expires_at
