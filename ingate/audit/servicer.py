"""AuditService: list and get entries."""

from typing import Any

from sqlalchemy import select

from gen.ingate.audit.v1 import audit_service_pb2 as pb
from gen.ingate.audit.v1 import audit_service_pb2_grpc, entry_pb2
from ingate import clock
from ingate.db import Database
from ingate.errors import NotFound
from ingate.identity.tables import AuditEntry
from ingate.page import Order
from ingate.rpc.principal import principal

EQUAL = ("action", "resource_type", "actor_id", "resource_id")
NEWEST = Order(AuditEntry.created_at, AuditEntry.id, descending=True)


class AuditServicer(audit_service_pb2_grpc.AuditServiceServicer):
    """Entries in the database; features add them in their own transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ListEntries(self, request: pb.ListEntriesRequest, context: Any) -> pb.ListEntriesResponse:
        """Returns a page, newest first."""
        org_id = principal().org_id
        matching = [AuditEntry.org_id == org_id]
        matching += [getattr(AuditEntry, name) == getattr(request, name) for name in EQUAL if request.HasField(name)]
        if request.HasField("since"):
            matching.append(AuditEntry.created_at >= clock.from_proto(request.since))
        if request.HasField("until"):
            matching.append(AuditEntry.created_at < clock.from_proto(request.until))
        async with self._database.read() as db:
            found = await NEWEST.page(db, select(AuditEntry).where(*matching), request, org_id)
        return pb.ListEntriesResponse(**found.answer(_entry(row[0]) for row in found.rows))

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
        metadata={name: value for name, value in row.meta.items() if isinstance(value, str)},
        numbers={name: value for name, value in row.meta.items() if isinstance(value, int)},
        ip_address=row.address,
        created_at=clock.to_proto(row.created_at),
    )
