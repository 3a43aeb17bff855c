"""The record of changes, written in the transaction that makes them."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from ingate import clock, ids
from ingate.identity.tables import AuditEntry
from ingate.rpc.principal import principal


def record(
    db: AsyncSession, action: str, resource_id: str, *, org_id: str = "", actor_id: str = "", **metadata: str | int
) -> None:
    """Adds an entry to the transaction. `action` is `<resource type>.<verb>`.

    Actor and organisation are the caller's unless stated. What is a number in the metadata stays one. No secret belongs
    there.
    """
    caller = principal()
    db.add(
        AuditEntry(
            id=ids.uuid7(),
            org_id=org_id or caller.org_id,
            actor_id=actor_id or caller.user_id or caller.key_id,
            action=action,
            resource_type=action.partition(".")[0],
            resource_id=resource_id,
            meta=metadata,
            address=caller.address,
            created_at=clock.now(),
        )
    )


def names(fields: Iterable[str]) -> str:
    """Returns the names of fields that an update changed, as entries have them: in order, comma-separated."""
    return ",".join(sorted(fields))
