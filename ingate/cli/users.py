"""`ingate users`: commands for accounts. They work on the database and need no running gateway."""

import asyncio
from typing import Any

import click

from ingate.cli.acting import as_owner, confirmed, existing, json_option, moment, org_id, org_option, report, show
from ingate.cli.options import DATABASE, Settings, settings_options

ROLES = ("viewer", "member", "admin", "owner")


@click.group()
def command() -> None:
    """Create and list accounts, change roles, remove members and reset passwords without a running gateway."""


@command.command()
@click.argument("email")
@org_option
@click.option("--role", type=click.Choice(ROLES), default="member", show_default=True, help="Role in the organisation.")
@json_option
@settings_options(only=DATABASE)
def create(settings: Settings, email: str, org: str, role: str, *, as_json: bool) -> None:
    """Make a person a member of an organisation. A new account's password is printed. INGATE_SIGNUP does not apply."""
    import secrets

    from gen.ingate.access.v1.access_pb2 import Role
    from gen.ingate.auth.v1.auth_service_pb2 import SignupRequest
    from ingate.auth.passwords import hash_password
    from ingate.errors import BadRequest
    from ingate.identity import founding, operator
    from ingate.rpc.rules import problems

    password = secrets.token_urlsafe(18)
    for field, problem in problems(SignupRequest(email=email, password=password, org_slug=org)).items():
        raise BadRequest.field(field, problem)

    async def run() -> bool:
        user = founding.new_user(email, "", await hash_password(password))
        async with existing(settings) as database:
            return await operator.add_member(database, org, user, Role.Value(f"ROLE_{role.upper()}"))

    new = asyncio.run(run())
    report(
        {"email": email, "org": org, "role": role, "password": password if new else None},
        f"sign-in   {email} / {password if new else 'the password of the account'}",
        as_json=as_json,
    )


@command.command("reset-password")
@click.argument("email")
@json_option
@settings_options(only=DATABASE)
def reset_password(settings: Settings, email: str, *, as_json: bool) -> None:
    """Set a new password, print it, and end all sessions."""
    import secrets

    from ingate.auth.passwords import hash_password
    from ingate.identity import operator

    password = secrets.token_urlsafe(18)

    async def run() -> None:
        async with existing(settings) as database:
            await operator.reset_password(database, email, await hash_password(password))

    asyncio.run(run())
    report({"email": email, "password": password}, f"sign-in   {email} / {password}", as_json=as_json)


@command.command()
@click.argument("email")
@click.argument("role", type=click.Choice(ROLES))
@org_option
@json_option
@settings_options(only=DATABASE)
def role(settings: Settings, email: str, role: str, org: str, *, as_json: bool) -> None:
    """Give a member another role in an organisation."""
    from gen.ingate.access.v1.access_pb2 import Role
    from gen.ingate.orgs.v1.member_service_pb2 import UpdateMemberRequest

    of_org, user_id = asyncio.run(_member(settings, org, email))
    request = UpdateMemberRequest(org_id=of_org, user_id=user_id, role=Role.Value(f"ROLE_{role.upper()}"))
    as_owner(settings, org, request)
    report({"email": email, "org": org, "role": role}, f"{email} is {role} of {org}", as_json=as_json)


@command.command()
@click.argument("email")
@org_option
@click.option("--keep-keys", is_flag=True, help="Leave the keys that they made; they are revoked if not stated.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@settings_options(only=DATABASE)
def remove(settings: Settings, email: str, org: str, *, keep_keys: bool, yes: bool, as_json: bool) -> None:
    """Remove a member and the keys that they made. The account stays."""
    from gen.ingate.orgs.v1.member_service_pb2 import REMOVED_KEYS_KEEP, REMOVED_KEYS_REVOKE, RemoveMemberRequest

    of_org, user_id = asyncio.run(_member(settings, org, email))
    confirmed(f"Remove {email} from {org}?", yes=yes)
    keys = REMOVED_KEYS_KEEP if keep_keys else REMOVED_KEYS_REVOKE
    request = RemoveMemberRequest(org_id=of_org, user_id=user_id, keys=keys)
    as_owner(settings, org, request)
    report({"email": email, "org": org, "removed": True}, f"removed {email}", as_json=as_json)


async def _member(settings: Settings, org: str, email: str) -> tuple[str, str]:
    """Returns the ids of an organisation and of its member of an address. Raises NotFound."""
    from sqlalchemy import select

    from ingate.errors import NotFound
    from ingate.identity.emails import email_key
    from ingate.identity.tables import Member, User

    async with existing(settings) as database:
        of_org = await org_id(database, org)
        joined = select(User.id).join(Member, Member.user_id == User.id)
        async with database.read() as db:
            user_id = await db.scalar(joined.where(Member.org_id == of_org, User.email_key == email_key(email)))
    if user_id is None:
        raise NotFound(f"{org} has no member {email}")
    return of_org, user_id


@command.command("list")
@org_option
@json_option
@settings_options(only=DATABASE)
def list_users(settings: Settings, org: str, *, as_json: bool) -> None:
    """List the members of an organisation, oldest first. Columns: id, role, address."""
    from sqlalchemy import select

    from gen.ingate.access.v1.access_pb2 import Role
    from ingate.identity.tables import Member, User

    async def every() -> list[Any]:
        async with existing(settings) as database:
            joined = select(User, Member).join(Member, Member.user_id == User.id)
            mine = joined.where(Member.org_id == await org_id(database, org)).order_by(Member.created_at, User.id)
            async with database.read() as db:
                return list((await db.execute(mine)).all())

    rows = [
        {
            "id": user.id,
            "role": Role.Name(member.role).removeprefix("ROLE_").lower(),
            "email": user.email,
            "display_name": user.display_name,
            "member_since": moment(member.created_at),
        }
        for user, member in asyncio.run(every())
    ]
    show(rows, ("id", "role", "email"), as_json=as_json)
