"""KeyService: create, list, get, revoke."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER, Role, Scope
from gen.ingate.keys.v1 import key_service_pb2 as pb
from gen.ingate.keys.v1 import key_service_pb2_grpc
from ingate import clock, ids
from ingate.db import Database
from ingate.epochs import Epochs
from ingate.errors import BadRequest, Forbidden, NotFound
from ingate.identity import messages, scopes
from ingate.identity.tables import Key
from ingate.page import page
from ingate.rpc.principal import principal


class KeyServicer(key_service_pb2_grpc.KeyServiceServicer):
    """Keys on the identity tables; every change is announced to the gateways."""

    def __init__(self, database: Database, epochs: Epochs) -> None:
        self._database = database
        self._epochs = epochs

    async def CreateKey(self, request: pb.CreateKeyRequest, context: Any) -> pb.CreateKeyResponse:
        """Stores the hash of a new secret and answers the secret once."""
        caller = principal()
        role, allowed = _standing(request, caller.role)
        secret = ids.new_key()
        row = Key(
            id=ids.uuid7(),
            org_id=caller.org_id,
            name=request.name,
            secret_hash=ids.secret_hash(secret),
            role=role,
            scopes=scopes.pack(allowed),
            app_id=request.app_id or None,
            team_id=request.team_id or None,
            rate_limit=request.rate_limit_per_minute if request.HasField("rate_limit_per_minute") else None,
            created_by=caller.user_id or None,
            created_at=clock.now(),
            expires_at=_expiry(request),
        )
        async with self._database.write() as db:
            db.add(row)
        self._epochs.bump(caller.org_id)
        return pb.CreateKeyResponse(description=messages.key(row), key=secret)

    async def ListKeys(self, request: pb.ListKeysRequest, context: Any) -> pb.ListKeysResponse:
        """Returns a page, newest first."""
        limit, offset = page(request)
        mine = Key.org_id == principal().org_id
        async with self._database.read() as db:
            rows = await db.scalars(select(Key).where(mine).order_by(Key.id.desc()).limit(limit).offset(offset))
            total = await db.scalar(select(func.count()).select_from(Key).where(mine))
        return pb.ListKeysResponse(items=[messages.key(row) for row in rows], total=total, limit=limit, offset=offset)

    async def GetKey(self, request: pb.GetKeyRequest, context: Any) -> pb.GetKeyResponse:
        """Returns the description of one key."""
        async with self._database.read() as db:
            return pb.GetKeyResponse(key=messages.key(await _find(db, request.key_id)))

    async def RevokeKey(self, request: pb.RevokeKeyRequest, context: Any) -> pb.RevokeKeyResponse:
        """Ends a key for good. Revoking it again changes nothing."""
        async with self._database.write() as db:
            row = await _find(db, request.key_id, lock=True)
            row.revoked_at = min(row.revoked_at or clock.now(), clock.now())
        self._epochs.bump(row.org_id)
        return pb.RevokeKeyResponse()


async def _find(db: AsyncSession, key_id: str, *, lock: bool = False) -> Key:
    query = select(Key).where(Key.id == key_id, Key.org_id == principal().org_id)
    row = await db.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound.of("key", key_id)
    return row


def _standing(request: pb.CreateKeyRequest, caller_role: int) -> tuple[int, frozenset[int]]:
    """Returns the role and scopes of the key to create; at most what the caller's own role allows."""
    role = request.role if request.HasField("role") else ROLE_MEMBER
    if not role:
        raise BadRequest.field("role", "must be one of viewer, member, admin, owner")
    if role > caller_role:
        raise Forbidden(f"role {Role.Name(role)[5:].lower()} is above your own")
    allowed = scopes.BY_ROLE[role]
    asked = frozenset(request.scopes)
    for scope in sorted(asked - allowed):
        raise BadRequest.field("scopes", f"may not hold {Scope.Name(scope)[6:].lower()} with this role")
    return role, asked or allowed


def _expiry(request: pb.CreateKeyRequest) -> int | None:
    if not request.HasField("expires_at"):
        return None
    expires_at = clock.from_proto(request.expires_at)
    if expires_at <= clock.now():
        raise BadRequest.field("expires_at", "must be in the future")
    return expires_at
