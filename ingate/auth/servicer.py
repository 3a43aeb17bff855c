"""AuthService: sign-up, sign-in, invitations taken up, sessions, passwords."""

from dataclasses import replace
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.auth.v1 import auth_service_pb2 as pb
from gen.ingate.auth.v1 import auth_service_pb2_grpc
from ingate import clock, ids
from ingate.auth import sessions
from ingate.auth.doors import Doors
from ingate.auth.guard import Claim, Guard
from ingate.auth.passwords import Passwords
from ingate.auth.turns import Rank
from ingate.db import Database
from ingate.errors import Conflict, NotFound, Unauthenticated
from ingate.identity import audit, founding, messages
from ingate.identity.emails import email_key
from ingate.identity.tables import Invitation, KnownAddress, Member, Org, Session, User
from ingate.page import Order
from ingate.rpc.principal import principal

WRONG = "e-mail address or password is wrong"
NO_INVITATION = "the invitation is unknown, used or expired, or the password is not that of its account"
NEWEST = Order(Session.id, descending=True)


class AuthServicer(auth_service_pb2_grpc.AuthServiceServicer):
    """Accounts and sessions on the identity tables."""

    def __init__(
        self, database: Database, passwords: Passwords, doors: Doors, *, default_plan: str, session_hours: int
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._guard = Guard(passwords)
        self._doors = doors
        self._default_plan = default_plan
        self._hours = session_hours

    async def Signup(self, request: pb.SignupRequest, context: Any) -> pb.SignupResponse:
        """Creates organisation, person, membership, key and session in one transaction, where the doors are open."""
        guard, place = self._guard, self._guard.place()
        guard.throttle.check_signups(place)
        await self._doors.check()
        email_key(request.email)  # Before the password, which takes longer to judge.
        names = (request.email.partition("@")[0], request.org_slug, request.org_name)
        hashed = await guard.accept("password", request.password, names)
        guard.throttle.check_signups(place)
        guard.throttle.signed_up(place)
        org = founding.new_org(request.org_slug, request.org_name, self._default_plan)
        user = founding.new_user(request.email, request.display_name, hashed)
        try:
            async with self._database.write() as db:
                org.founding = await self._doors.enter(db)
                await founding.found(db, org, user)
                secret = founding.first_key(db, org, user)
                token, session = await sessions.open_session(db, user.id, org.id, self._hours, place.address)
        except IntegrityError:
            # Another sign-up won the race between our check and our commit.
            raise Conflict("org_slug or email is taken") from None
        return pb.SignupResponse(
            org=messages.organization(org),
            user=messages.user(user),
            api_key=secret,
            token=token,
            expires_at=clock.to_proto(session.expires_at),
        )

    async def Login(self, request: pb.LoginRequest, context: Any) -> pb.LoginResponse:
        """Verifies the password and opens a session in the organisation named, or the one joined first, or none."""
        claim = Claim(email_key(request.email), self._guard.place())
        wait = self._guard.throttle.wait(claim.place, claim.account)
        user, known = await self._person(claim, only_known=wait > 0)
        claim = replace(claim, known=known)
        stored = user.password_hash if user else None
        if not await self._guard.proves(claim, stored, request.password) or user is None:
            raise Unauthenticated(WRONG)
        mine = select(Org).join(Member, Member.org_id == Org.id).where(Member.user_id == user.id)
        if request.org_slug:
            mine = mine.where(Org.slug == request.org_slug)
        async with self._database.write() as db:
            org = await db.scalar(mine.order_by(Member.created_at, Org.id).limit(1))
            if org is not None or not request.org_slug:
                token, session = await sessions.open_session(
                    db, user.id, org.id if org else None, self._hours, claim.place.address
                )
        if org is None and request.org_slug:
            self._guard.throttle.failed(claim.place, claim.account)
            raise Unauthenticated(WRONG)
        return pb.LoginResponse(
            token=token,
            expires_at=clock.to_proto(session.expires_at),
            user=messages.user(user),
            org=messages.organization(org) if org else None,
        )

    async def AcceptInvitation(self, request: pb.AcceptInvitationRequest, context: Any) -> pb.AcceptInvitationResponse:
        """Makes the invited address a member, with a new account where it has none, and uses the invitation up."""
        place = self._guard.place()
        found = select(Invitation).where(
            Invitation.token_hash == ids.secret_hash(request.token), Invitation.expires_at > clock.now()
        )
        async with self._database.read() as db:
            offered = await db.scalar(found)
            known = await db.scalar(select(User).where(User.email_key == offered.email_key)) if offered else None
            org = await db.get(Org, offered.org_id) if offered else None
        if offered is None or org is None:
            # Nobody guesses a token, so only those who have none are counted, and never those who have one.
            self._guard.throttle.check(place)
            self._guard.throttle.failed(place)
            raise Unauthenticated(NO_INVITATION)
        if known is not None:
            if not await self._guard.proves_to_holder(offered.id, known.password_hash, request.password):
                raise Unauthenticated(NO_INVITATION)
            user = known
        else:
            self._doors.check_account()
            names = (offered.email.partition("@")[0], org.slug, org.name)
            hashed = await self._guard.accept("password", request.password, names, rank=Rank.KNOWN)
            user = founding.new_user(offered.email, request.display_name, hashed)
        try:
            async with self._database.write() as db:
                token, session, org = await self._join(db, offered, user, new=known is None)
        except IntegrityError:
            raise Conflict("the invitation was taken up already") from None
        return pb.AcceptInvitationResponse(
            token=token,
            expires_at=clock.to_proto(session.expires_at),
            user=messages.user(user),
            org=messages.organization(org),
        )

    async def Logout(self, request: pb.LogoutRequest, context: Any) -> pb.LogoutResponse:
        """Deletes the session that makes the call."""
        async with self._database.write() as db:
            await db.execute(delete(Session).where(Session.id == principal().session_id))
            await db.execute(delete(Session).where(Session.expires_at <= clock.now()))
        return pb.LogoutResponse()

    async def Me(self, request: pb.MeRequest, context: Any) -> pb.MeResponse:
        """Describes the caller."""
        caller = principal()
        async with self._database.read() as db:
            org = await db.get(Org, caller.org_id) if caller.org_id else None
            user = await db.get_one(User, caller.user_id) if caller.user_id else None
        return pb.MeResponse(
            user=messages.user(user) if user else None,
            org=messages.organization(org) if org else None,
            role=caller.role,
            key_id=caller.key_id or None,
        )

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Any) -> pb.ChangePasswordResponse:
        """Replaces the password, after the one in force was shown, and deletes the person's other sessions."""
        caller = principal()
        async with self._database.read() as db:
            user = await db.get_one(User, caller.user_id)
            org = await db.get(Org, caller.org_id) if caller.org_id else None
        if not await self._guard.proves_to_holder(caller.session_id, user.password_hash, request.current_password):
            raise Unauthenticated("current_password is wrong")
        names = (user.email.partition("@")[0], *((org.slug, org.name) if org else ()))
        fresh = await self._guard.accept("new_password", request.new_password, names, rank=Rank.KNOWN)
        async with self._database.write() as db:
            row = await db.get_one(User, caller.user_id)
            row.password_hash = fresh
            others = (Session.user_id == caller.user_id, Session.id != caller.session_id)
            await db.execute(delete(Session).where(*others))
        return pb.ChangePasswordResponse()

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Any) -> pb.ListSessionsResponse:
        """Returns a page of the caller's live sessions, newest first."""
        user_id = principal().user_id
        query = select(Session).where(Session.user_id == user_id, Session.expires_at > clock.now())
        async with self._database.read() as db:
            found = await NEWEST.page(db, query, request, user_id)
        return pb.ListSessionsResponse(**found.answer(sessions.message(row[0]) for row in found.rows))

    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Any) -> pb.RevokeSessionResponse:
        """Deletes one of the caller's sessions."""
        mine = (Session.id == request.session_id, Session.user_id == principal().user_id)
        async with self._database.write() as db:
            row = await db.scalar(select(Session).where(*mine).with_for_update())
            if row is None:
                raise NotFound.of("session", request.session_id)
            await db.delete(row)
        return pb.RevokeSessionResponse()

    async def _person(self, claim: Claim, *, only_known: bool) -> tuple[User | None, bool]:
        """Returns the account's person, if any, and whether they signed in from the place before.

        Raises RateLimited for a place that must wait, unless they did.
        """
        here = (KnownAddress.user_id == User.id) & (KnownAddress.address == claim.place.address)
        query = select(User, KnownAddress.address).outerjoin(KnownAddress, here).where(User.email_key == claim.account)
        async with self._database.read() as db:
            user, known = (await db.execute(query)).one_or_none() or (None, None)
        if only_known and known is None:
            self._guard.throttle.check(claim.place, claim.account)
        return user, known is not None

    async def _join(self, db: AsyncSession, offered: Invitation, user: User, *, new: bool) -> tuple[str, Session, Org]:
        # Whoever deletes the row has used the invitation; a second one finds nothing to delete.
        used = await db.execute(delete(Invitation).where(Invitation.id == offered.id).returning(Invitation.id))
        if used.scalar_one_or_none() is None:
            raise Unauthenticated(NO_INVITATION)
        if new:
            db.add(user)
            await db.flush()
        db.add(Member(org_id=offered.org_id, user_id=user.id, role=offered.role, created_at=clock.now()))
        audit.record(db, "user.join", user.id, org_id=offered.org_id, actor_id=user.id, email=user.email)
        address = self._guard.place().address
        token, session = await sessions.open_session(db, user.id, offered.org_id, self._hours, address)
        return token, session, await db.get_one(Org, offered.org_id)
