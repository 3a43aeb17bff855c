"""`ingate providers`: providers, for whoever may read the database; no running gateway is needed."""

import asyncio

import click

from ingate.cli.options import DATABASE, Settings, settings_options


@click.group()
def command() -> None:
    """Manage the providers of organisations without a running gateway."""


@command.command("discard-keys")
@click.option("--yes", is_flag=True, help="Do not ask.")
@settings_options(only=DATABASE | {"master_key"})
def discard_keys(settings: Settings, *, yes: bool) -> None:
    """Delete the stored keys that the master key does not open.

    The way out where the master key is lost. The providers stay; their keys must be stored anew.
    """
    from ingate.providers.sealed import discard, sealed, unreadable
    from ingate.storage import data_dir, open_database
    from ingate.vault import find_master_key

    async def run() -> None:
        async with open_database(settings, make=False) as database:
            key = find_master_key(settings.master_key, data_dir(settings))
            lost = unreadable(await sealed(database), key)
            if lost and not yes:
                names = ", ".join(sorted({row.name for row in lost}))
                click.confirm(f"Delete {len(lost)} keys that cannot be opened, of {names}?", abort=True)
            discarded = await discard(database, key) if lost else []
        click.echo(f"{len(discarded)} keys deleted")

    asyncio.run(run())
