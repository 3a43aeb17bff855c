"""`ingate orgs`: organisations, for whoever may read the database; no running gateway is needed."""

import asyncio

import click

from ingate.cli.options import Settings, settings_options


@click.group()
def command() -> None:
    """List organisations and set their plans without a running gateway."""


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
