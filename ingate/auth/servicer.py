"""AuthService: sign-up, sign-in, sign-out, who am I."""

import ipaddress
import unicodedata
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER, ROLE_OWNER
from gen.ingate.auth.v1 import auth_service_pb2 as pb
from gen.ingate.auth.v1 import auth_service_pb2_grpc
from ingate import clock, ids
from ingate.auth.passwords import Passwords
from ingate.db import Database
from ingate.errors import BadRequest, Conflict, RateLimited, Unauthenticated
from ingate.identity import messages, scopes
from ingate.identity.tables import Key, Member, Org, Session, User
from ingate.limits.attempts import Attempts
from ingate.rpc.principal import principal

WRONG = "e-mail address or password is wrong"
MAX_EMAIL = 254
MAX_NAME = 200


class AuthServicer(auth_service_pb2_grpc.AuthServiceServicer):
    """Accounts and sign-in on the identity tables."""

    def __init__(
        self, database: Database, passwords: Passwords, attempts: Attempts, *, default_plan: str, session_hours: int
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._attempts = attempts
        self._default_plan = default_plan
        self._session_hours = session_hours

    async def Signup(self, request: pb.SignupRequest, context: Any) -> pb.SignupResponse:
        """Creates organisation, person, membership, key and session in one transaction."""
        self._throttle(_neighbourhood(principal().address))
        if len(email_key(request.email)) > MAX_EMAIL:
            raise BadRequest.field("email", f"must have at most {MAX_EMAIL} characters, compatibility forms spelled out")
        now = clock.now()
        secret = ids.new_key()
        org = Org(
            id=ids.uuid7(),
            slug=request.org_slug,
            name=request.org_name.strip() or request.org_slug,
            plan=self._default_plan,
            created_at=now,
        )
        user = User(
            id=ids.uuid7(),
            email=request.email,
            email_key=email_key(request.email),
            display_name=request.display_name.strip() or request.email.partition("@")[0][:MAX_NAME],
            password_hash=await self._passwords.hash(request.password),
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
                db.add(Member(org_id=org.id, user_id=user.id, role=ROLE_OWNER, created_at=now))
                db.add(
                    Key(
                        id=ids.uuid7(),
                        org_id=org.id,
                        name="first key",
                        secret_hash=ids.secret_hash(secret),
                        role=ROLE_MEMBER,
                        scopes=scopes.pack(scopes.BY_ROLE[ROLE_MEMBER]),
                        created_by=user.id,
                        created_at=now,
                    )
                )
                token, session = self._open_session(db, user.id, org.id)
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
        """Verifies the password and opens a session in the organisation named, or the one joined first."""
        self._throttle(_neighbourhood(principal().address), f"account:{email_key(request.email)}")
        async with self._database.read() as db:
            user = await db.scalar(select(User).where(User.email_key == email_key(request.email)))
        if not await self._passwords.verify(user.password_hash if user else None, request.password) or user is None:
            raise Unauthenticated(WRONG)
        mine = select(Org).join(Member, Member.org_id == Org.id).where(Member.user_id == user.id)
        if request.org_slug:
            mine = mine.where(Org.slug == request.org_slug)
        async with self._database.write() as db:
            org = await db.scalar(mine.order_by(Member.created_at, Org.id).limit(1))
            if org is None:
                raise Unauthenticated(WRONG)
            token, session = self._open_session(db, user.id, org.id)
        return pb.LoginResponse(
            token=token,
            expires_at=clock.to_proto(session.expires_at),
            user=messages.user(user),
            org=messages.organization(org),
        )

    async def Logout(self, request: pb.LogoutRequest, context: Any) -> pb.LogoutResponse:
        """Deletes the session that makes the call."""
        caller = principal()
        if caller.kind != "user":
            raise BadRequest("only a session can be ended; revoke a key instead")
        async with self._database.write() as db:
            await db.execute(delete(Session).where(Session.id == caller.session_id))
            await db.execute(delete(Session).where(Session.expires_at <= clock.now()))
        return pb.LogoutResponse()

    async def Me(self, request: pb.MeRequest, context: Any) -> pb.MeResponse:
        """Describes the caller."""
        caller = principal()
        async with self._database.read() as db:
            org = await db.get_one(Org, caller.org_id)
            user = await db.get_one(User, caller.user_id) if caller.user_id else None
        return pb.MeResponse(
            user=messages.user(user) if user else None,
            org=messages.organization(org),
            role=caller.role,
            key_id=caller.key_id or None,
        )

    def _throttle(self, *keys: str) -> None:
        waits = [wait for key in keys if (wait := self._attempts.take(key, clock.now()))]
        if waits:
            raise RateLimited("too many attempts to sign in", retry_after=max(waits))

    def _open_session(self, db: AsyncSession, user_id: str, org_id: str) -> tuple[str, Session]:
        token = ids.new_session_token()
        now = clock.now()
        session = Session(
            id=ids.uuid7(),
            token_hash=ids.secret_hash(token),
            user_id=user_id,
            org_id=org_id,
            created_at=now,
            expires_at=now + self._session_hours * clock.HOUR,
        )
        db.add(session)
        return token, session


def _neighbourhood(address: str) -> str:
    """Returns the key by which attempts from an address are counted: one person holds a whole IPv6 /64."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address}"
    if known.version == 6 and known.ipv4_mapped is None:
        return f"address:{ipaddress.ip_network((known.packed, 64), strict=False)}"
    return f"address:{getattr(known, 'ipv4_mapped', None) or known}"


def email_key(email: str) -> str:
    """Returns the form of an address in which two spellings of one mailbox are equal."""
    return unicodedata.normalize("NFKC", email).casefold()
