"""`ingate config`: the effective settings."""

import click
import msgspec

from ingate.cli.options import Settings, settings_options
from ingate.config import masked


@click.command(help="Print the effective settings, secrets masked.")
@settings_options
def command(settings: Settings) -> None:
    """Prints the settings as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(masked(settings)), indent=2))
