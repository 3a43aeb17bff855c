"""`ingate migrate`: the database's schema."""

import asyncio

import click

from ingate.cli.acting import confirmed
from ingate.cli.options import DATABASE, Settings, settings_options


@click.command()
@click.option("--to", "target", default="head", show_default=True, help="Version to go to; base empties it.")
@click.option("--yes", is_flag=True, help="Do not ask before the database is emptied.")
@settings_options(only=DATABASE)
def command(settings: Settings, target: str, *, yes: bool) -> None:
    """Bring the database to the schema of this version, or to another, and say where it is."""
    from ingate import migrate
    from ingate.storage import open_database

    async def run() -> str | None:
        async with open_database(settings, make=target != "base") as database:
            if target == "base":
                everything = "organisations, accounts, keys, providers and logs"
                confirmed(f"Delete all {everything} in {database.where}?", yes=yes)
                await migrate.downgrade(database, target)
            else:
                await migrate.upgrade(database, target)
            return await migrate.version(database)

    click.echo(f"the database is at version {asyncio.run(run()) or 'none'}")
