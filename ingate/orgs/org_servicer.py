"""OrgService: organisations themselves."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.orgs.v1 import org_service_pb2 as pb
from gen.ingate.orgs.v1 import org_service_pb2_grpc
from ingate.db import Database
from ingate.errors import Conflict, Forbidden, NotFound
from ingate.identity import audit, founding, messages
from ingate.identity.changes import Changes, Subject
from ingate.identity.tables import Member, Org, Session
from ingate.page import Order
from ingate.rpc.principal import principal
from ingate.rpc.updates import stated

FIRST_JOINED = Order(Member.created_at, Org.id)


class OrgServicer(org_service_pb2_grpc.OrgServiceServicer):
    """Organisations on the identity tables. `purges` delete, by an organisation's id, what no foreign key does."""

    def __init__(
        self,
        database: Database,
        changes: Changes,
        purges: tuple[Callable[[str], Awaitable[None]], ...],
        *,
        default_plan: str,
        closed: bool,
    ) -> None:
        self._database = database
        self._changes = changes
        self._purges = purges
        self._default_plan = default_plan
        self._closed = closed

    async def CreateOrg(self, request: pb.CreateOrgRequest, context: Any) -> pb.CreateOrgResponse:
        """Creates an organisation with the caller as owner; a session that acts in none acts in it from now on."""
        caller = principal()
        if self._closed:
            raise Forbidden(
                "INGATE_SIGNUP is closed: whoever runs this installation makes organisations with `ingate orgs create`",
                metadata={"setting": "signup"},
            )
        row = founding.new_org(request.slug, request.name, self._default_plan)
        try:
            async with self._database.write() as db:
                await founding.found(db, row, await founding.founder(db, caller.user_id), slug_field="slug")
                homeless = (Session.id == caller.session_id, Session.org_id.is_(None))
                await db.execute(update(Session).where(*homeless).values(org_id=row.id))
        except IntegrityError:
            raise _taken(request.slug) from None
        return pb.CreateOrgResponse(org=messages.organization(row))

    async def ListOrgs(self, request: pb.ListOrgsRequest, context: Any) -> pb.ListOrgsResponse:
        """Returns a page of the caller's organisations."""
        user_id = principal().user_id
        query = select(Org).join(Member, Member.org_id == Org.id).where(Member.user_id == user_id)
        async with self._database.read() as db:
            found = await FIRST_JOINED.page(db, query, request, user_id)
        return pb.ListOrgsResponse(**found.answer(messages.organization(row[0]) for row in found.rows))

    async def GetOrg(self, request: pb.GetOrgRequest, context: Any) -> pb.GetOrgResponse:
        """Returns the organisation that the call acts in."""
        async with self._database.read() as db:
            return pb.GetOrgResponse(org=messages.organization(await _find(db)))

    async def UpdateOrg(self, request: pb.UpdateOrgRequest, context: Any) -> pb.UpdateOrgResponse:
        """Changes name and slug."""
        try:
            # Which of the installation's providers an organisation reaches may depend on its slug.
            async with self._changes.write(principal().org_id, Subject.POLICY) as db:
                row = await _find(db, lock=True)
                changes = {name: getattr(request, name) for name in stated(request)}
                for name, value in changes.items():
                    setattr(row, name, value)
                audit.record(db, "org.settings_update", row.id, **changes)
        except IntegrityError:
            raise _taken(request.slug) from None
        return pb.UpdateOrgResponse(org=messages.organization(row))

    async def DeleteOrg(self, request: pb.DeleteOrgRequest, context: Any) -> pb.DeleteOrgResponse:
        """Deletes what other features keep of the organisation, then it, then what was added meanwhile.

        Until it is gone, a call that failed in the middle can be made again.
        """
        org_id = principal().org_id
        await self._purge(org_id)
        async with self._changes.write(org_id, Subject.ALL) as db:
            await db.delete(await _find(db, lock=True))
        await self._purge(org_id)
        return pb.DeleteOrgResponse()

    async def _purge(self, org_id: str) -> None:
        for purge in self._purges:
            await purge(org_id)


async def _find(db: AsyncSession, *, lock: bool = False) -> Org:
    """Returns the organisation that the call acts in, unless somebody deleted it since the call began."""
    row = await db.get(Org, principal().org_id, with_for_update=lock or None)
    if row is None:
        raise NotFound.of("organization", principal().org_id)
    return row


def _taken(slug: str) -> Conflict:
    return Conflict(f"slug {slug} is taken", fields={"slug": "is taken"})
