"""`ingate orgs`: organisations, for whoever may read the database; no running gateway is needed."""

import asyncio

import click

from ingate.cli.options import Settings, settings_options


@click.group()
def command() -> None:
    """Create and list organisations and set their plans without a running gateway."""


@command.command("list", help="List organisations, oldest first.")
@settings_options
def list_orgs(settings: Settings) -> None:
    """Prints a line an organisation: id, plan, slug."""
    from sqlalchemy import select

    from ingate.identity.tables import Org
    from ingate.storage import open_database

    async def run() -> None:
        async with open_database(settings) as database, database.read() as db:
            for org in await db.scalars(select(Org).order_by(Org.id)):
                click.echo(f"{org.id}  {org.plan:10}  {org.slug}")

    asyncio.run(run())


@command.command(help="Create an organisation and its owner, whatever INGATE_SIGNUP says.")
@click.argument("slug")
@click.argument("email")
@click.option("--name", default="", help="Display name; the slug if empty.")
@settings_options
def create(settings: Settings, slug: str, email: str, name: str) -> None:
    """Prints the organisation's first key, and the owner's password where the account is new."""
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
        click.echo(f"key       {key}")
        click.echo(f"sign-in   {email} / {password if new else 'the password of the account'}")

    asyncio.run(run())


@command.command(help="Set an organisation's plan.")
@click.argument("slug")
@click.argument("plan", type=click.Choice(["free", "enterprise"]))
@settings_options
def plan(settings: Settings, slug: str, plan: str) -> None:
    """Sets the plan and tells the gateways."""
    from sqlalchemy import select

    from ingate.errors import NotFound
    from ingate.identity.changes import Changes
    from ingate.identity.tables import Org
    from ingate.storage import open_database

    async def run() -> None:
        async with open_database(settings) as database:
            async with database.read() as db:
                org_id = await db.scalar(select(Org.id).where(Org.slug == slug))
            if org_id is None:
                raise NotFound(f"there is no organisation {slug}")
            async with Changes(database).write(org_id) as db:
                (await db.get_one(Org, org_id)).plan = plan

    asyncio.run(run())
    click.echo(f"{slug} is on plan {plan}")
