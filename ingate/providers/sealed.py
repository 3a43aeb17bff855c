"""Stored provider keys, and whether the master key still opens them."""

from collections.abc import Sequence

from sqlalchemy import select

from ingate.db import Database
from ingate.errors import BadRequest, Unavailable
from ingate.identity import audit
from ingate.identity.changes import Changes, Subject
from ingate.providers.messages import context
from ingate.providers.tables import Provider
from ingate.vault import Vault

LOOKED_AT = 100
"""Rows that a start looks at: one that opens is enough."""
WAYS_OUT = (
    "put back the file (or state the right INGATE_MASTER_KEY), or give those keys up with"
    " `ingate providers discard-keys` and store them anew"
)


async def sealed(database: Database, most: int | None = None) -> Sequence[Provider]:
    """Returns the providers that have a stored key, `most` at most."""
    async with database.read() as db:
        found = await db.scalars(select(Provider).where(Provider.sealed_key.is_not(None)).limit(most))
        return found.all()


def unreadable(rows: Sequence[Provider], key: bytes | None) -> list[Provider]:
    """Returns those whose key the master key does not open; all of them where there is no master key."""
    if key is None or not rows:
        return list(rows)
    vault = Vault(key)
    return [row for row in rows if not _opens(row, vault)]


async def require_readable(database: Database, key: bytes | None, where: str) -> None:
    """Raises Unavailable, naming both ways out, where keys are stored and the master key opens none of them.

    A master key that is not there (None) opens none; `where` is what states it, or where its file belongs.
    """
    rows = await sealed(database, LOOKED_AT)
    if rows and len(unreadable(rows, key)) == len(rows):
        stored = f"{len(rows)}{' or more' if len(rows) == LOOKED_AT else ''} stored provider keys"
        problem = "is lost, and the database holds" if key is None else "is not the one that sealed the"
        raise Unavailable(f"the master key {problem} {stored} ({where}): {WAYS_OUT}")


async def discard(database: Database, key: bytes | None) -> list[Provider]:
    """Removes the stored keys that the master key does not open, and returns their providers, which stay."""
    lost = unreadable(await sealed(database), key)
    changes = Changes(database)
    for row in lost:
        async with changes.write(row.org_id, Subject.POLICY) as db:
            stored = await db.get(Provider, (row.org_id, row.name), with_for_update=True)
            if stored is not None and stored.sealed_key == row.sealed_key:
                stored.sealed_key = None
                audit.record(db, "provider.update", row.name, org_id=row.org_id, api_key="discarded")
    return lost


def _opens(row: Provider, vault: Vault) -> bool:
    try:
        vault.open(row.sealed_key or b"", context(row))
    except BadRequest:
        return False
    return True
