"""`ingate migrate`: the database's schema."""

import asyncio

import click

from ingate.cli.options import Settings, settings_options


@click.command(help="Bring the database to the schema of this version.")
@click.option("--to", "target", default="head", show_default=True, help="Version to go to; base empties it.")
@settings_options
def command(settings: Settings, target: str) -> None:
    """Upgrades, or downgrades to an older version, and says where the database is."""
    from ingate import migrate
    from ingate.storage import open_database

    async def run() -> str | None:
        async with open_database(settings) as database:
            if target == "base":
                await migrate.downgrade(database, target)
            else:
                await migrate.upgrade(database, target)
            return await migrate.version(database)

    click.echo(f"the database is at version {asyncio.run(run()) or 'none'}")
