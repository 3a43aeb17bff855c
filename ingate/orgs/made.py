"""What a member made and others may still hold: keys and open invitations. They do not outlive its maker's rights.

Each function takes part in the transaction that changes the membership, and returns what an audit entry says of it.
"""

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN
from ingate import clock
from ingate.identity.scopes import BY_ROLE, pack, unpack
from ingate.identity.tables import Invitation, Key

LISTED = 20
"""Ids that an audit entry names at most; it counts all."""


async def revoke_keys(db: AsyncSession, org_id: str, user_id: str) -> dict[str, str | int]:
    """Ends the keys that a person made in an organisation."""
    ended = update(Key).where(*_keys(org_id, user_id)).values(revoked_at=clock.now()).returning(Key.id)
    return _said("keys_revoked", list(await db.scalars(ended)))


async def narrow_keys(db: AsyncSession, org_id: str, user_id: str, role: int) -> dict[str, str | int]:
    """Takes from the keys that a person made what a role does not allow; a key that is left with nothing ends."""
    above = (*_keys(org_id, user_id), Key.role > role)
    narrowed: list[str] = []
    revoked: list[str] = []
    for stored in list(await db.scalars(select(Key.scopes).where(*above).distinct())):
        kept = unpack(stored) & BY_ROLE[role]
        change = update(Key).where(*above, Key.scopes == stored).returning(Key.id)
        if kept:
            narrowed += await db.scalars(change.values(role=role, scopes=pack(kept), role_label=None, permissions=[]))
        else:
            revoked += await db.scalars(change.values(revoked_at=clock.now()))
    return _said("keys_narrowed", narrowed) | _said("keys_revoked", revoked)


async def end_invitations(db: AsyncSession, org_id: str, user_id: str, role: int) -> dict[str, str | int]:
    """Takes back the open invitations that a person made and could not make with a role; 0 stands for none."""
    theirs = (Invitation.org_id == org_id, Invitation.created_by == user_id)
    beyond = Invitation.role > (role if role >= ROLE_ADMIN else 0)
    gone = await db.scalars(delete(Invitation).where(*theirs, beyond).returning(Invitation.id))
    return _said("invitations_revoked", list(gone))


def _keys(org_id: str, user_id: str) -> tuple[ColumnElement[bool], ...]:
    live = Key.revoked_at.is_(None) | (Key.revoked_at > clock.now())
    return Key.org_id == org_id, Key.created_by == user_id, live


def _said(name: str, ids: list[str]) -> dict[str, str | int]:
    return {name: len(ids), f"{name}_ids": ",".join(sorted(ids)[:LISTED])} if ids else {}
