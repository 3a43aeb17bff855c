"""`ingate backup`: the embedded database and the master key in one file."""

from pathlib import Path

import click

from ingate.cli.options import Settings, settings_options


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@settings_options(only={"data_dir"})
def command(settings: Settings, file: Path) -> None:
    """Copy the embedded database and the master key into one file, while the gateway runs or not.

    Whoever has the file has the stored provider keys: keep it as safe as those.
    """
    from ingate.backups import backup

    with_key = backup(settings, file)
    held = "it holds the master key" if with_key else "it holds no master key: keep a copy of that apart"
    click.echo(f"wrote {file}, {file.stat().st_size} bytes; {held}")
