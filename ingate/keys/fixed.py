"""Keys that settings define: created when a gateway starts, and deactivated when the settings no longer have them.

They are like all other keys, but can only be changed in the settings.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest
from ingate.db import Database
from ingate.errors import Conflict, NotFound
from ingate.identity import audit
from ingate.identity.changes import Changes, Subject
from ingate.identity.scopes import pack
from ingate.identity.tables import Key, Org
from ingate.keys import rows

ACTOR = "settings"
"""The actor in audit entries about such keys."""
_STATED = (
    "name",
    "role",
    "scopes",
    "secret_hash",
    "preview",
    "format",
    "workspace",
    "role_label",
    "permissions",
    "description",
    "unlimited",
    "active",
)
"""Columns that are updated from the settings."""


async def provide(database: Database, stated: Iterable[tuple[str, CreateKeyRequest]]) -> None:
    """Creates, updates and deactivates fixed keys, so that they are as stated: slugs of organisations, and their keys.

    Organisations without a difference are not written. Raises NotFound for an unknown organisation, and Conflict for an
    id that is stated twice, and for an id or a secret that another key has.
    """
    async with database.read() as db:
        wanted = await _by_org(db, stated)
        there: dict[str, dict[str, Key]] = defaultdict(dict)
        for row in await db.scalars(select(Key).where(Key.fixed)):
            there[row.org_id][row.external_id or ""] = row
    changes = Changes(database)
    await _release(changes, wanted, there)
    for org_id in sorted(wanted.keys() | there.keys()):
        if _differ(wanted[org_id], there[org_id]):
            async with changes.write(org_id, Subject.KEYS) as db:
                await _write(db, org_id, wanted[org_id])


async def _by_org(db: AsyncSession, stated: Iterable[tuple[str, CreateKeyRequest]]) -> defaultdict[str, dict[str, Key]]:
    """Returns rows of keys by organisation and external id, none of them stored."""
    found: defaultdict[str, dict[str, Key]] = defaultdict(dict)
    for slug, request in stated:
        org_id = await db.scalar(select(Org.id).where(Org.slug == slug))
        if org_id is None:
            raise NotFound(
                f"settings state the key {request.external_id} of the organisation {slug}, and there is none: make it"
                f" with `ingate orgs create {slug} EMAIL`"
            )
        if request.external_id in found[org_id]:
            raise Conflict(f"settings state two keys {request.external_id} of the organisation {slug}")
        row, _ = rows.new_row(request, org_id)
        row.scopes, row.fixed, row.made_by = pack(request.scopes), True, ACTOR
        found[org_id][request.external_id] = row
    return found


async def _release(
    changes: Changes, wanted: Mapping[str, Mapping[str, Key]], there: Mapping[str, Mapping[str, Key]]
) -> None:
    """Takes their secrets from keys of one organisation that another one's are to have, so that they can move."""
    owners = {row.secret_hash: org_id for org_id, keys in wanted.items() for row in keys.values()}
    for org_id, keys in there.items():
        moved = [row.id for row in keys.values() if owners.get(row.secret_hash, org_id) != org_id]
        if moved:
            async with changes.write(org_id, Subject.KEYS) as db:
                for row in await db.scalars(select(Key).where(Key.id.in_(moved)).with_for_update()):
                    row.secret_hash = os.urandom(32)


def _differ(wanted: Mapping[str, Key], there: Mapping[str, Key]) -> bool:
    gone = any(row.active for name, row in there.items() if name not in wanted)
    return gone or any(name not in there or not _alike(row, there[name]) for name, row in wanted.items())


def _alike(one: Key, other: Key) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _STATED)


async def _write(db: AsyncSession, org_id: str, wanted: Mapping[str, Key]) -> None:
    there = {
        row.external_id or "": row
        for row in await db.scalars(select(Key).where(Key.org_id == org_id, Key.fixed).with_for_update())
    }
    changes = {
        name: [column for column in _STATED if getattr(wanted[name], column) != getattr(row, column)]
        for name, row in there.items()
        if name in wanted
    }
    for name, row in there.items():
        if name not in wanted and row.active:
            row.active = False
            audit.record(db, "key.update", row.id, org_id=org_id, actor_id=ACTOR, name=row.name, changed="active")
        if name not in wanted or "secret_hash" in changes[name]:
            # Frees the secret, which another key may now have.
            row.secret_hash = os.urandom(32)
    await db.flush()
    for name, new in wanted.items():
        old = there.get(name)
        if old is None:
            await _refuse_taken(db, new)
            db.add(new)
            audit.record(db, "key.create", new.id, org_id=org_id, actor_id=ACTOR, name=new.name)
        elif changed := changes[name]:
            await _refuse_taken(db, new, old.id)
            for column in changed:
                setattr(old, column, getattr(new, column))
            audit.record(
                db, "key.update", old.id, org_id=org_id, actor_id=ACTOR, name=old.name, changed=audit.names(changed)
            )
        await db.flush()


async def _refuse_taken(db: AsyncSession, row: Key, own_id: str = "") -> None:
    """Raises Conflict if another key has the id or secret of a row; `own_id` is the key that the row updates."""
    row.id = own_id or row.id
    try:
        await rows.refuse_external_id(db, row)
        await rows.refuse_secret(db, row)
    except Conflict as error:
        raise Conflict(f"the key {row.external_id} that settings state cannot be made: {error.message}") from None
