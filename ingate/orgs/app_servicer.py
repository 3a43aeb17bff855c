"""AppService: applications."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.orgs.v1 import app_pb2, app_service_pb2_grpc
from gen.ingate.orgs.v1 import app_service_pb2 as pb
from ingate import clock, ids
from ingate.db import Database
from ingate.errors import Conflict, NotFound
from ingate.identity import audit, lookups
from ingate.identity.changes import Changes, Subject
from ingate.identity.tables import App, Key
from ingate.page import Order
from ingate.rpc.principal import principal
from ingate.rpc.updates import stated

BY_NAME = Order(App.name)


class AppServicer(app_service_pb2_grpc.AppServiceServicer):
    """Applications on the identity tables."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    async def CreateApp(self, request: pb.CreateAppRequest, context: Any) -> pb.CreateAppResponse:
        """Registers an application."""
        row = App(
            id=ids.uuid7(),
            org_id=principal().org_id,
            name=request.name,
            description=request.description,
            team_id=request.team_id or None,
            created_at=clock.now(),
        )
        try:
            async with self._database.write() as db:
                await lookups.require_team(db, row.org_id, row.team_id)
                db.add(row)
                audit.record(db, "app.create", row.id, name=row.name)
        except IntegrityError:
            raise _taken(request.name) from None
        return pb.CreateAppResponse(app=_app(row))

    async def ListApps(self, request: pb.ListAppsRequest, context: Any) -> pb.ListAppsResponse:
        """Returns a page, by name."""
        org_id = principal().org_id
        async with self._database.read() as db:
            found = await BY_NAME.page(db, select(App).where(App.org_id == org_id), request, org_id)
        return pb.ListAppsResponse(**found.answer(_app(row[0]) for row in found.rows))

    async def UpdateApp(self, request: pb.UpdateAppRequest, context: Any) -> pb.UpdateAppResponse:
        """Changes what the request states."""
        try:
            async with self._database.write() as db:
                row = await _find(db, request.app_id)
                changes = stated(request)
                # Before the row changes: what asks the database sends it the changes first.
                await lookups.require_team(db, row.org_id, request.team_id)
                for name in changes & {"name", "description"}:
                    setattr(row, name, getattr(request, name))
                if "team_id" in changes:
                    row.team_id = request.team_id or None
                audit.record(db, "app.update", row.id, name=row.name, changed=audit.names(changes))
        except IntegrityError:
            raise _taken(request.name) from None
        return pb.UpdateAppResponse(app=_app(row))

    async def DeleteApp(self, request: pb.DeleteAppRequest, context: Any) -> pb.DeleteAppResponse:
        """Unregisters the application and revokes its keys."""
        org_id = principal().org_id
        async with self._changes.write(org_id, Subject.KEYS) as db:
            row = await _find(db, request.app_id)
            now = clock.now()
            live = (Key.org_id == org_id, Key.app_id == row.id, Key.revoked_at.is_(None) | (Key.revoked_at > now))
            await db.execute(update(Key).where(*live).values(revoked_at=now))
            await db.delete(row)
            audit.record(db, "app.delete", row.id, name=row.name)
        return pb.DeleteAppResponse()


async def _find(db: AsyncSession, app_id: str) -> App:
    row = await db.scalar(select(App).where(App.id == app_id, App.org_id == principal().org_id).with_for_update())
    if row is None:
        raise NotFound.of("application", app_id)
    return row


def _app(row: App) -> app_pb2.App:
    return app_pb2.App(
        id=row.id,
        name=row.name,
        description=row.description,
        team_id=row.team_id,
        created_at=clock.to_proto(row.created_at),
    )


def _taken(name: str) -> Conflict:
    return Conflict(f"there is an application {name} already", fields={"name": "is taken"})
