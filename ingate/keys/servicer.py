"""KeyService: keys are created, listed, changed, rotated and revoked."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.keys.v1 import key_service_pb2 as pb
from gen.ingate.keys.v1 import key_service_pb2_grpc
from ingate import clock
from ingate.db import Database
from ingate.errors import BadRequest, Conflict, NotFound
from ingate.identity import audit, lookups, messages, scopes
from ingate.identity.authenticator import working
from ingate.identity.changes import Changes, Subject
from ingate.identity.holder import Holder, holder
from ingate.identity.tables import Key
from ingate.keys import rights, rows
from ingate.page import Order
from ingate.rpc.principal import principal
from ingate.rpc.updates import stated

DEFAULT_OVERLAP_HOURS = 24
NEWEST = Order(Key.id, descending=True)


class KeyServicer(key_service_pb2_grpc.KeyServiceServicer):
    """Keys on the identity tables; every change is announced to the gateways.

    A key that is confined to a workspace reaches keys of that workspace alone: others do not exist for it.
    """

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    async def CreateKey(self, request: pb.CreateKeyRequest, context: Any) -> pb.CreateKeyResponse:
        """Stores the hash of a secret and answers the secret once."""
        async with self._change() as (db, mine):
            row, secret = rows.new_row(request, principal().org_id)
            row.scopes = scopes.pack(rights.given(mine, row.role, request))
            row.app_id, row.team_id = row.app_id or mine.app_id, row.team_id or mine.team_id
            if request.own_workspace or not row.workspace:
                row.workspace = mine.workspace or row.workspace
            row.created_by, row.made_by = mine.person, mine.name
            row.expires_at = row.expires_at or mine.ends
            mine.check_end(row.expires_at)
            mine.check_binding(row.app_id, row.team_id, row.workspace)
            await lookups.require_app(db, row.org_id, row.app_id)
            await lookups.require_team(db, row.org_id, row.team_id)
            await rows.refuse_external_id(db, row)
            await rows.refuse_secret(db, row)
            db.add(row)
            audit.record(db, "key.create", row.id, name=row.name, **_limits(row, rows.LIMITS))
        return pb.CreateKeyResponse(description=messages.key(row), key=secret)

    async def ListKeys(self, request: pb.ListKeysRequest, context: Any) -> pb.ListKeysResponse:
        """Returns a page, newest first."""
        org_id = principal().org_id
        query = select(Key).where(*_within_reach())
        if request.workspace:
            query = query.where(Key.workspace == request.workspace)
        if request.live:
            query = query.where(*working())
        async with self._database.read() as db:
            found = await NEWEST.page(db, query, request, org_id)
        return pb.ListKeysResponse(**found.answer(messages.key(row[0]) for row in found.rows))

    async def GetKey(self, request: pb.GetKeyRequest, context: Any) -> pb.GetKeyResponse:
        """Returns the description of one key."""
        async with self._database.read() as db:
            return pb.GetKeyResponse(key=messages.key(await _find(db, request.key_id)))

    async def UpdateKey(self, request: pb.UpdateKeyRequest, context: Any) -> pb.UpdateKeyResponse:
        """Changes what the request states. Without new scopes, those that the role allows are left."""
        async with self._change() as (db, mine):
            row = await _find_to_change(db, mine, request.key_id)
            changes = stated(request)
            if not changes.isdisjoint({"role", "scopes"}):
                rights.restate(mine, row, request)
            for name in changes & {"name", "description", "active"}:
                setattr(row, name, getattr(request, name))
            if "role_label" in changes:
                row.role_label = request.role_label if request.HasField("role_label") else None
            if "permissions" in changes:
                row.permissions = rows.permissions(request.permissions)
            if "metadata" in changes:
                row.metadata_json = rows.document(request.metadata)
            if "workspace" in changes:
                mine.check_binding(mine.app_id, mine.team_id, request.workspace)
                row.workspace = request.workspace
            _change_limits(row, request, changes)
            if "expires_at" in changes:
                expires_at = rows.expiry(request)
                if row.expires_at is not None and (expires_at is None or expires_at > row.expires_at):
                    mine.check_end(expires_at)
                row.expires_at = expires_at
            audit.record(db, "key.update", row.id, name=row.name, changed=audit.names(changes), **_limits(row, changes))
        return pb.UpdateKeyResponse(key=messages.key(row))

    async def RotateKey(self, request: pb.RotateKeyRequest, context: Any) -> pb.RotateKeyResponse:
        """Gives the key a new secret: under a new id with an end of the old one, or under its own at once."""
        hours = request.overlap_hours if request.HasField("overlap_hours") else DEFAULT_OVERLAP_HOURS
        if request.in_place:
            if request.overlap_hours:
                raise BadRequest.field("overlap_hours", "must not be stated beside in_place")
            hours = 0
        async with self._change() as (db, mine):
            old = await _find_to_change(db, mine, request.key_id)
            if old.revoked_at is not None:
                raise Conflict("the key has been rotated or revoked already")
            # The caller is shown the new secret.
            mine.check_scopes(scopes.unpack(old.scopes))
            mine.check_end(old.expires_at)
            mine.check_binding(old.app_id, old.team_id, old.workspace)
            until = clock.now() + hours * clock.HOUR
            if request.in_place:
                new, secret = old, rows.renew(old, request.secret)
            else:
                old.revoked_at = until
                new, secret = rows.replacement(old, request.secret)
                new.created_by, new.made_by = mine.person, mine.name
            await rows.refuse_secret(db, new)
            # The old row first: it gives up its external id.
            await db.flush()
            db.add(new)
            audit.record(db, "key.rotate", old.id, new_key_id=new.id, overlap_hours=hours)
        return pb.RotateKeyResponse(
            description=messages.key(new), key=secret, replaces=old.id, replaced_valid_until=clock.to_proto(until)
        )

    async def RevokeKey(self, request: pb.RevokeKeyRequest, context: Any) -> pb.RevokeKeyResponse:
        """Ends a key for good. Revoking it again changes nothing."""
        async with self._changes.write(principal().org_id, Subject.KEYS) as db:
            row = await _find(db, request.key_id, lock=True)
            _refuse_fixed(row)
            now = clock.now()
            if row.revoked_at is None or row.revoked_at > now:
                row.revoked_at = now
                audit.record(db, "key.revoke", row.id, name=row.name)
            elif request.live:
                raise NotFound.of("key", request.key_id)
        return pb.RevokeKeyResponse()

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[tuple[AsyncSession, Holder]]:
        """Yields a transaction that changes keys, and what the caller holds. Raises Conflict for what is taken."""
        try:
            async with self._changes.write(principal().org_id, Subject.KEYS) as db:
                yield db, await holder(db)
        except IntegrityError:
            # Another transaction has taken it meanwhile.
            raise Conflict("external_id or secret is taken") from None


def _within_reach() -> tuple[Any, ...]:
    caller = principal()
    confined = (Key.workspace == caller.workspace,) if caller.workspace else ()
    return Key.org_id == caller.org_id, *confined


async def _find(db: AsyncSession, key_id: str, *, lock: bool = False) -> Key:
    """Returns a key by its id, else by its external one. Raises NotFound."""
    named = or_(Key.id == key_id, Key.external_id == key_id)
    query = select(Key).where(*_within_reach(), named).order_by((Key.id == key_id).desc()).limit(1)
    row = await db.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound.of("key", key_id)
    return row


async def _find_to_change(db: AsyncSession, mine: Holder, key_id: str) -> Key:
    """Returns a key, locked, that the caller may change: one that stands above them is out of reach."""
    row = await _find(db, key_id, lock=True)
    _refuse_fixed(row)
    mine.check_role(row.role)
    return row


def _refuse_fixed(row: Key) -> None:
    if row.fixed:
        raise Conflict("the key is stated in settings, where it can be changed", metadata={"fixed": row.id})


def _change_limits(row: Key, request: pb.UpdateKeyRequest, changes: Collection[str]) -> None:
    rows.check_limits(request, unlimited="unlimited" in changes and request.unlimited)
    if "unlimited" in changes:
        row.unlimited = request.unlimited
        if row.unlimited:
            row.rate_limit = row.hourly_limit = None
    for name, column in rows.LIMITS.items():
        if name in changes:
            limit = getattr(request, name) or None
            setattr(row, column, limit)
            row.unlimited = row.unlimited and limit is None


def _limits(row: Key, changes: Collection[str]) -> dict[str, int]:
    """Returns what an audit entry says of limits that were stated; that of the plan is not the key's."""
    found = {name: getattr(row, column) for name, column in rows.LIMITS.items() if name in changes}
    return {name: limit for name, limit in found.items() if limit is not None}
