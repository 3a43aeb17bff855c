"""AuditService: list and get entries."""

from typing import Any

from sqlalchemy import func, select

from gen.ingate.audit.v1 import audit_service_pb2 as pb
from gen.ingate.audit.v1 import audit_service_pb2_grpc, entry_pb2
from ingate import clock
from ingate.db import Database
from ingate.errors import NotFound
from ingate.identity.tables import AuditEntry
from ingate.page import fitted, page
from ingate.rpc.principal import principal

EQUAL = ("action", "resource_type", "actor_id", "resource_id")


class AuditServicer(audit_service_pb2_grpc.AuditServiceServicer):
    """Entries in the database; features add them in their own transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ListEntries(self, request: pb.ListEntriesRequest, context: Any) -> pb.ListEntriesResponse:
        """Returns a page, newest first."""
        limit, offset = page(request)
        matching = [AuditEntry.org_id == principal().org_id]
        matching += [getattr(AuditEntry, name) == getattr(request, name) for name in EQUAL if request.HasField(name)]
        if request.HasField("since"):
            matching.append(AuditEntry.created_at >= clock.from_proto(request.since))
        if request.HasField("until"):
            matching.append(AuditEntry.created_at < clock.from_proto(request.until))
        newest = select(AuditEntry).where(*matching).order_by(AuditEntry.created_at.desc(), AuditEntry.id.desc())
        async with self._database.read() as db:
            rows = await db.scalars(newest.limit(limit).offset(offset))
            total = await db.scalar(select(func.count()).select_from(AuditEntry).where(*matching))
        items, limit = fitted([_entry(row) for row in rows], limit)
        return pb.ListEntriesResponse(items=items, total=total, limit=limit, offset=offset)

    async def GetEntry(self, request: pb.GetEntryRequest, context: Any) -> pb.GetEntryResponse:
        """Returns one entry."""
        mine = (AuditEntry.id == request.entry_id, AuditEntry.org_id == principal().org_id)
        async with self._database.read() as db:
            row = await db.scalar(select(AuditEntry).where(*mine))
        if row is None:
            raise NotFound.of("audit entry", request.entry_id)
        return pb.GetEntryResponse(entry=_entry(row))


def _entry(row: AuditEntry) -> entry_pb2.Entry:
    return entry_pb2.Entry(
        id=row.id,
        org_id=row.org_id,
        actor_id=row.actor_id,
        action=row.action,
        resource_type=row.resource_type,
        resource_id=row.resource_id,
        metadata=row.meta,
        ip_address=row.address,
        created_at=clock.to_proto(row.created_at),
    )
