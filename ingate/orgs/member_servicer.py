"""MemberService: people of an organisation and open invitations."""

from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, ROLE_MEMBER, ROLE_OWNER
from gen.ingate.orgs.v1 import member_pb2, member_service_pb2_grpc
from gen.ingate.orgs.v1 import member_service_pb2 as pb
from gen.ingate.orgs.v1.member_service_pb2 import REMOVED_KEYS_KEEP
from ingate import clock, ids
from ingate.db import Database
from ingate.errors import BadRequest, Conflict, Forbidden, NotFound
from ingate.identity import audit
from ingate.identity.changes import Changes, Subject
from ingate.identity.emails import email_key
from ingate.identity.holder import holder, role_word
from ingate.identity.tables import Invitation, Member, Org, Session, Team, TeamMember, User
from ingate.orgs import made
from ingate.page import Order
from ingate.rpc.principal import principal

DEFAULT_HOURS = 168
FIRST_JOINED = Order(Member.created_at, Member.user_id)
NEWEST = Order(Invitation.id, descending=True)


class MemberServicer(member_service_pb2_grpc.MemberServiceServicer):
    """Memberships and invitations on the identity tables."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    async def ListMembers(self, request: pb.ListMembersRequest, context: Any) -> pb.ListMembersResponse:
        """Returns a page, first joined first."""
        org_id = principal().org_id
        query = select(Member, User).join(User, User.id == Member.user_id).where(Member.org_id == org_id)
        async with self._database.read() as db:
            found = await FIRST_JOINED.page(db, query, request, org_id)
        return pb.ListMembersResponse(**found.answer(_member(row[0], row[1]) for row in found.rows))

    async def InviteMember(self, request: pb.InviteMemberRequest, context: Any) -> pb.InviteMemberResponse:
        """Stores the hash of a new token in place of any earlier one for the address."""
        caller = principal()
        role = request.role if request.HasField("role") else ROLE_MEMBER
        _require_stated(role)
        token, now = ids.new_invitation_token(), clock.now()
        key = email_key(request.email)
        row = Invitation(
            id=ids.uuid7(),
            org_id=caller.org_id,
            email=request.email,
            email_key=key,
            role=role,
            token_hash=ids.secret_hash(token),
            created_at=now,
            expires_at=now + (request.expires_in_hours or DEFAULT_HOURS) * clock.HOUR,
        )
        joined = select(Member).join(User, User.id == Member.user_id)
        async with self._database.write() as db:
            await _alone(db)
            mine = await holder(db)
            mine.check_person(role)
            row.created_by = mine.person
            if await db.scalar(joined.where(Member.org_id == caller.org_id, User.email_key == key)):
                raise Conflict("email belongs to a member already", fields={"email": "belongs to a member already"})
            same = (Invitation.org_id == caller.org_id, Invitation.email_key == key)
            await db.execute(delete(Invitation).where(*same))
            db.add(row)
            audit.record(db, "user.invite", row.id, email=row.email, role=role_word(role))
        return pb.InviteMemberResponse(invitation=_invitation(row), token=token)

    async def UpdateMember(self, request: pb.UpdateMemberRequest, context: Any) -> pb.UpdateMemberResponse:
        """Changes a role, unless that would leave no owner. What the person made follows a role that is lowered."""
        async with self._changes.write(principal().org_id, Subject.KEYS) as db:
            await _alone(db)
            member, user = await _find(db, request.user_id)
            mine = await holder(db)
            before, after = member.role, request.role
            _require_stated(after)
            if after > before:
                mine.check_person(after)
            else:
                mine.check_role(before)
            lost: dict[str, str | int] = {}
            if after < before:
                if before == ROLE_OWNER:
                    await _keep_an_owner(db)
                lost = await made.narrow_keys(db, member.org_id, user.id, after)
                lost |= await made.end_invitations(db, member.org_id, user.id, after)
            member.role = after
            audit.record(db, "user.role_change", user.id, before=role_word(before), after=role_word(after), **lost)
        return pb.UpdateMemberResponse(member=_member(member, user))

    async def RemoveMember(self, request: pb.RemoveMemberRequest, context: Any) -> pb.RemoveMemberResponse:
        """Removes a membership, its seats in teams, the organisation from the person's sessions, and what they made."""
        caller = principal()
        leaving = caller.user_id == request.user_id
        if not leaving and caller.role < ROLE_ADMIN:
            raise Forbidden("this takes the role admin", metadata={"role": "admin"})
        keep = request.keys == REMOVED_KEYS_KEEP
        async with self._changes.write(caller.org_id, Subject.KEYS) as db:
            await _alone(db)
            member, user = await _find(db, request.user_id)
            mine = await holder(db)
            if keep and mine.person == user.id:
                raise Forbidden("who leaves cannot keep their keys: somebody who stays can")
            if member.role == ROLE_OWNER:
                if not leaving:
                    mine.check_role(ROLE_OWNER)
                await _keep_an_owner(db)
            teams = select(Team.id).where(Team.org_id == caller.org_id)
            seats = (TeamMember.user_id == user.id, TeamMember.team_id.in_(teams))
            await db.execute(delete(TeamMember).where(*seats))
            theirs = (Session.user_id == user.id, Session.org_id == caller.org_id)
            await db.execute(update(Session).where(*theirs).values(org_id=None))
            lost = {} if keep else await made.revoke_keys(db, caller.org_id, user.id)
            lost |= await made.end_invitations(db, caller.org_id, user.id, 0)
            await db.delete(member)
            audit.record(db, "user.remove", user.id, email=user.email, keys="keep" if keep else "revoke", **lost)
        return pb.RemoveMemberResponse()

    async def ListInvitations(self, request: pb.ListInvitationsRequest, context: Any) -> pb.ListInvitationsResponse:
        """Returns a page of those that have not expired, newest first."""
        org_id = principal().org_id
        query = select(Invitation).where(Invitation.org_id == org_id, Invitation.expires_at > clock.now())
        async with self._database.read() as db:
            found = await NEWEST.page(db, query, request, org_id)
        return pb.ListInvitationsResponse(**found.answer(_invitation(row[0]) for row in found.rows))

    async def RevokeInvitation(self, request: pb.RevokeInvitationRequest, context: Any) -> pb.RevokeInvitationResponse:
        """Deletes the invitation, and with it what its token is good for."""
        mine = (Invitation.id == request.invitation_id, Invitation.org_id == principal().org_id)
        async with self._database.write() as db:
            row = await db.scalar(select(Invitation).where(*mine).with_for_update())
            if row is None:
                raise NotFound.of("invitation", request.invitation_id)
            await db.delete(row)
            audit.record(db, "user.uninvite", row.id, email=row.email)
        return pb.RevokeInvitationResponse()


async def _alone(db: AsyncSession) -> None:
    """Waits until nobody else changes who belongs to the organisation, and keeps others waiting until the commit."""
    await db.execute(select(Org.id).where(Org.id == principal().org_id).with_for_update(key_share=True))


async def _find(db: AsyncSession, user_id: str) -> tuple[Member, User]:
    query = select(Member, User).join(User, User.id == Member.user_id).with_for_update(of=Member)
    row = (await db.execute(query.where(Member.org_id == principal().org_id, User.id == user_id))).one_or_none()
    if row is None:
        raise NotFound.of("member", user_id)
    return row[0], row[1]


async def _keep_an_owner(db: AsyncSession) -> None:
    """Raises Conflict when there is one owner only."""
    owners = (Member.org_id == principal().org_id, Member.role == ROLE_OWNER)
    if (await db.scalar(select(func.count()).select_from(Member).where(*owners)) or 0) < 2:
        raise Conflict("the organisation must keep an owner")


def _require_stated(role: int) -> None:
    if not role:
        raise BadRequest.field("role", "must be one of viewer, member, admin, owner")


def _member(member: Member, user: User) -> member_pb2.Member:
    return member_pb2.Member(
        user_id=user.id,
        email=user.email,
        display_name=user.display_name,
        role=member.role,
        created_at=clock.to_proto(member.created_at),
    )


def _invitation(row: Invitation) -> member_pb2.Invitation:
    return member_pb2.Invitation(
        id=row.id,
        email=row.email,
        role=row.role,
        created_at=clock.to_proto(row.created_at),
        expires_at=clock.to_proto(row.expires_at),
    )
