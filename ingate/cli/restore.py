"""`ingate restore`: what a backup holds, in a fresh data directory."""

from pathlib import Path

import click

from ingate.cli.options import Settings, settings_options


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@settings_options(only={"data_dir"})
def command(settings: Settings, file: Path) -> None:
    """Put what a backup holds into a data directory that has no database yet."""
    from ingate.backups import restore

    version = restore(settings, file)
    click.echo(f"restored into {settings.data_dir}: the database is at version {version}")
