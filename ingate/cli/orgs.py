"""`ingate orgs`: commands for organisations. They work on the database and need no running gateway."""

import asyncio

import click

from ingate.cli.acting import as_owner, confirmed, existing, json_option, moment, org_id, print_json, report, show
from ingate.cli.options import DATABASE, Settings, settings_options


@click.group()
def command() -> None:
    """Create, list and remove organisations and set their plans without a running gateway."""


@command.command("list")
@json_option
@settings_options(only=DATABASE)
def list_orgs(settings: Settings, *, as_json: bool) -> None:
    """List organisations, oldest first: id, plan, slug."""
    from sqlalchemy import select

    from ingate.identity.tables import Org

    async def every() -> list[Org]:
        async with existing(settings) as database, database.read() as db:
            return list(await db.scalars(select(Org).order_by(Org.id)))

    rows = [
        {"id": org.id, "plan": org.plan, "slug": org.slug, "name": org.name, "created_at": moment(org.created_at)}
        for org in asyncio.run(every())
    ]
    show(rows, ("id", "plan", "slug"), as_json=as_json)


@command.command()
@click.argument("slug")
@click.argument("email")
@click.option("--name", default="", help="Display name; the slug if empty.")
@json_option
@settings_options(only=DATABASE | {"default_plan"})
def create(settings: Settings, slug: str, email: str, name: str, *, as_json: bool) -> None:
    """Create an organisation and its owner, whatever INGATE_SIGNUP says.

    Prints the organisation's first key, and the owner's password where the account is new.
    """
    import secrets

    from gen.ingate.auth.v1.auth_service_pb2 import SignupRequest
    from ingate import migrate
    from ingate.auth.passwords import hash_password
    from ingate.errors import BadRequest
    from ingate.identity import founding, operator
    from ingate.rpc.rules import problems
    from ingate.storage import open_database

    password = secrets.token_urlsafe(18)
    for field, problem in problems(SignupRequest(email=email, password=password, org_slug=slug, org_name=name)).items():
        raise BadRequest.field(field, problem)

    async def run() -> None:
        org = founding.new_org(slug, name, settings.default_plan)
        owner = founding.new_user(email, "", await hash_password(password))
        async with open_database(settings) as database:
            await migrate.make_ready(database)
            new, key = await operator.make_org(database, org, owner)
        if as_json:
            print_json({"org": slug, "email": email, "key": key, "password": password if new else None})
            return
        click.echo(f"key       {key}")
        click.echo(f"sign-in   {email} / {password if new else 'the password of the account'}")

    asyncio.run(run())


@command.command()
@click.argument("slug")
@click.argument("plan", type=click.Choice(["free", "enterprise"]))
@json_option
@settings_options(only=DATABASE)
def plan(settings: Settings, slug: str, plan: str, *, as_json: bool) -> None:
    """Set an organisation's plan and tell the gateways."""
    from ingate.identity.changes import Changes, Subject
    from ingate.identity.tables import Org

    async def run() -> None:
        async with existing(settings) as database:
            org = await org_id(database, slug)
            async with Changes(database).write(org, Subject.KEYS) as db:
                (await db.get_one(Org, org)).plan = plan

    asyncio.run(run())
    report({"org": slug, "plan": plan}, f"{slug} is on plan {plan}", as_json=as_json)


@command.command()
@click.argument("slug")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@settings_options(only=DATABASE)
def remove(settings: Settings, slug: str, *, yes: bool, as_json: bool) -> None:
    """Remove an organisation with its keys, providers and logs. The accounts of its members stay."""
    from gen.ingate.orgs.v1.org_service_pb2 import DeleteOrgRequest

    async def found() -> str:
        async with existing(settings) as database:
            return await org_id(database, slug)

    request = DeleteOrgRequest(org_id=asyncio.run(found()))
    confirmed(f"Remove the organisation {slug} with its keys, providers and logs?", yes=yes)
    as_owner(settings, slug, request)
    report({"org": slug, "removed": True}, f"removed {slug}", as_json=as_json)
