"""TeamService: teams and who is in them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.orgs.v1 import team_pb2, team_service_pb2_grpc
from gen.ingate.orgs.v1 import team_service_pb2 as pb
from ingate import clock, ids
from ingate.db import Database
from ingate.errors import BadRequest, Conflict, NotFound
from ingate.identity import audit
from ingate.identity.changes import Changes, Subject
from ingate.identity.tables import Key, Member, Team, TeamMember
from ingate.page import Order
from ingate.rpc.principal import principal
from ingate.rpc.updates import stated

BY_NAME = Order(Team.name)


class TeamServicer(team_service_pb2_grpc.TeamServiceServicer):
    """Teams on the identity tables."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    async def CreateTeam(self, request: pb.CreateTeamRequest, context: Any) -> pb.CreateTeamResponse:
        """Creates a team with its people."""
        row = Team(id=ids.uuid7(), org_id=principal().org_id, name=request.name, created_at=clock.now())
        try:
            async with self._database.write() as db:
                db.add(row)
                await db.flush()
                people = await _seat(db, row, request.member_ids)
                audit.record(db, "team.create", row.id, name=row.name)
        except IntegrityError:
            raise _taken(request.name) from None
        return pb.CreateTeamResponse(team=_team(row, people))

    async def ListTeams(self, request: pb.ListTeamsRequest, context: Any) -> pb.ListTeamsResponse:
        """Returns a page, by name."""
        org_id = principal().org_id
        async with self._database.read() as db:
            found = await BY_NAME.page(db, select(Team).where(Team.org_id == org_id), request, org_id)
            teams = [row[0] for row in found.rows]
            people = await _people(db, [team.id for team in teams])
        return pb.ListTeamsResponse(**found.answer(_team(team, people.get(team.id, [])) for team in teams))

    async def UpdateTeam(self, request: pb.UpdateTeamRequest, context: Any) -> pb.UpdateTeamResponse:
        """Changes the name, the people, or both."""
        try:
            async with self._database.write() as db:
                row = await _find(db, request.team_id)
                changes = stated(request)
                if "name" in changes:
                    row.name = request.name
                if "member_ids" in changes:
                    await db.execute(delete(TeamMember).where(TeamMember.team_id == row.id))
                    await _seat(db, row, request.member_ids)
                audit.record(db, "team.update", row.id, name=row.name, changed=audit.names(changes))
                await db.flush()
                people = await _people(db, [row.id])
        except IntegrityError:
            raise _taken(request.name) from None
        return pb.UpdateTeamResponse(team=_team(row, people.get(row.id, [])))

    async def DeleteTeam(self, request: pb.DeleteTeamRequest, context: Any) -> pb.DeleteTeamResponse:
        """Deletes the team; keys and applications that were bound to it are bound to none."""
        org_id = principal().org_id
        async with self._changes.write(org_id, Subject.KEYS) as db:
            row = await _find(db, request.team_id)
            await db.execute(update(Key).where(Key.org_id == org_id, Key.team_id == row.id).values(team_id=None))
            await db.delete(row)
            audit.record(db, "team.delete", row.id, name=row.name)
        return pb.DeleteTeamResponse()


async def _find(db: AsyncSession, team_id: str) -> Team:
    row = await db.scalar(select(Team).where(Team.id == team_id, Team.org_id == principal().org_id).with_for_update())
    if row is None:
        raise NotFound.of("team", team_id)
    return row


async def _seat(db: AsyncSession, team: Team, member_ids: Iterable[str]) -> list[str]:
    """Puts people into a team, and returns their ids. Raises BadRequest for one who is not of the organisation."""
    wanted = sorted(set(member_ids))
    # Held until the commit, so that none of them leaves and keeps a seat.
    people = select(Member.user_id).where(Member.org_id == team.org_id, Member.user_id.in_(wanted))
    known = set(await db.scalars(people.with_for_update(read=True, key_share=True)))
    if len(known) < len(wanted):
        raise BadRequest.field("member_ids", "must be members of the organisation")
    db.add_all(TeamMember(team_id=team.id, user_id=user_id) for user_id in wanted)
    return wanted


async def _people(db: AsyncSession, team_ids: list[str]) -> dict[str, list[str]]:
    seats = select(TeamMember.team_id, TeamMember.user_id).where(TeamMember.team_id.in_(team_ids))
    people: dict[str, list[str]] = {}
    for team_id, user_id in await db.execute(seats.order_by(TeamMember.user_id)):
        people.setdefault(team_id, []).append(user_id)
    return people


def _team(row: Team, people: list[str]) -> team_pb2.Team:
    return team_pb2.Team(id=row.id, name=row.name, member_ids=people, created_at=clock.to_proto(row.created_at))


def _taken(name: str) -> Conflict:
    return Conflict(f"there is a team {name} already", fields={"name": "is taken"})
