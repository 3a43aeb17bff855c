"""AuthService: sign-up, sign-in, invitations taken up, sessions, passwords."""

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER, ROLE_OWNER
from gen.ingate.auth.v1 import auth_service_pb2 as pb
from gen.ingate.auth.v1 import auth_service_pb2_grpc
from ingate import clock, ids
from ingate.auth import sessions
from ingate.auth.passwords import Passwords
from ingate.auth.throttle import Throttle
from ingate.db import Database
from ingate.errors import Conflict, NotFound, Unauthenticated
from ingate.identity import audit, messages, scopes
from ingate.identity.emails import email_key
from ingate.identity.tables import Invitation, Key, Member, Org, Session, User
from ingate.page import page
from ingate.rpc.principal import principal

WRONG = "e-mail address or password is wrong"
NO_INVITATION = "the invitation is unknown, used or expired, or the password is not that of its account"
MAX_NAME = 200


class AuthServicer(auth_service_pb2_grpc.AuthServiceServicer):
    """Accounts and sessions on the identity tables."""

    def __init__(
        self, database: Database, passwords: Passwords, throttle: Throttle, *, default_plan: str, session_hours: int
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._throttle = throttle
        self._default_plan = default_plan
        self._hours = session_hours

    async def Signup(self, request: pb.SignupRequest, context: Any) -> pb.SignupResponse:
        """Creates organisation, person, membership, key and session in one transaction."""
        self._throttle.check(principal().address)
        secret, now = ids.new_key(), clock.now()
        org = Org(
            id=ids.uuid7(),
            slug=request.org_slug,
            name=request.org_name.strip() or request.org_slug,
            plan=self._default_plan,
            created_at=now,
        )
        user = await self._account(request.email, request.password, request.display_name)
        key = Key(
            id=ids.uuid7(),
            org_id=org.id,
            name="first key",
            secret_hash=ids.secret_hash(secret),
            role=ROLE_MEMBER,
            scopes=scopes.pack(scopes.BY_ROLE[ROLE_MEMBER]),
            created_by=user.id,
            created_at=now,
        )
        try:
            async with self._database.write() as db:
                if await db.scalar(select(Org.id).where(Org.slug == org.slug)):
                    raise Conflict(f"org_slug {org.slug} is taken", fields={"org_slug": "is taken"})
                if await db.scalar(select(User.id).where(User.email_key == user.email_key)):
                    raise Conflict("email has an account already", fields={"email": "has an account already"})
                db.add_all([org, user])
                await db.flush()
                db.add_all([Member(org_id=org.id, user_id=user.id, role=ROLE_OWNER, created_at=now), key])
                audit.record(db, "org.create", org.id, org_id=org.id, actor_id=user.id, slug=org.slug)
                token, session = sessions.open_session(db, user.id, org.id, self._hours)
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
        key = email_key(request.email)
        self._throttle.check(principal().address, key)
        async with self._database.read() as db:
            user = await db.scalar(select(User).where(User.email_key == key))
        if not await self._passwords.verify(user.password_hash if user else None, request.password) or user is None:
            raise Unauthenticated(WRONG)
        mine = select(Org).join(Member, Member.org_id == Org.id).where(Member.user_id == user.id)
        if request.org_slug:
            mine = mine.where(Org.slug == request.org_slug)
        async with self._database.write() as db:
            org = await db.scalar(mine.order_by(Member.created_at, Org.id).limit(1))
            if org is None and request.org_slug:
                raise Unauthenticated(WRONG)
            token, session = sessions.open_session(db, user.id, org.id if org else None, self._hours)
        return pb.LoginResponse(
            token=token,
            expires_at=clock.to_proto(session.expires_at),
            user=messages.user(user),
            org=messages.organization(org) if org else None,
        )

    async def AcceptInvitation(self, request: pb.AcceptInvitationRequest, context: Any) -> pb.AcceptInvitationResponse:
        """Makes the invited address a member, with a new account where it has none, and uses the invitation up."""
        self._throttle.check(principal().address)
        found = select(Invitation).where(
            Invitation.token_hash == ids.secret_hash(request.token), Invitation.expires_at > clock.now()
        )
        async with self._database.read() as db:
            offered = await db.scalar(found)
            known = await db.scalar(select(User).where(User.email_key == offered.email_key)) if offered else None
        if offered is None or (
            known is not None and not await self._passwords.verify(known.password_hash, request.password)
        ):
            raise Unauthenticated(NO_INVITATION)
        user = known or await self._account(offered.email, request.password, request.display_name)
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
        self._throttle.check(caller.address, caller.user_id)
        async with self._database.read() as db:
            user = await db.get_one(User, caller.user_id)
        if not await self._passwords.verify(user.password_hash, request.current_password):
            raise Unauthenticated("current_password is wrong")
        fresh = await self._passwords.hash(request.new_password)
        async with self._database.write() as db:
            row = await db.get_one(User, caller.user_id)
            row.password_hash = fresh
            others = (Session.user_id == caller.user_id, Session.id != caller.session_id)
            await db.execute(delete(Session).where(*others))
        return pb.ChangePasswordResponse()

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Any) -> pb.ListSessionsResponse:
        """Returns a page of the caller's live sessions, newest first."""
        limit, offset = page(request)
        mine = (Session.user_id == principal().user_id, Session.expires_at > clock.now())
        query = select(Session).where(*mine).order_by(Session.id.desc())
        async with self._database.read() as db:
            rows = await db.scalars(query.limit(limit).offset(offset))
            total = await db.scalar(select(func.count()).select_from(Session).where(*mine))
        items = [sessions.message(row) for row in rows]
        return pb.ListSessionsResponse(items=items, total=total, limit=limit, offset=offset)

    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Any) -> pb.RevokeSessionResponse:
        """Deletes one of the caller's sessions."""
        mine = (Session.id == request.session_id, Session.user_id == principal().user_id)
        async with self._database.write() as db:
            row = await db.scalar(select(Session).where(*mine).with_for_update())
            if row is None:
                raise NotFound.of("session", request.session_id)
            await db.delete(row)
        return pb.RevokeSessionResponse()

    async def _account(self, email: str, password: str, display_name: str) -> User:
        """Returns the row of a new account, not yet stored."""
        return User(
            id=ids.uuid7(),
            email=email,
            email_key=email_key(email),
            display_name=display_name.strip() or email.partition("@")[0][:MAX_NAME],
            password_hash=await self._passwords.hash(password),
            created_at=clock.now(),
        )

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
        token, session = sessions.open_session(db, user.id, offered.org_id, self._hours)
        return token, session, await db.get_one(Org, offered.org_id)
