"""`ingate openapi`: the REST API as an OpenAPI document."""

import click
import msgspec


@click.command(help="Print the OpenAPI 3.1 document of the REST API.")
@click.option("--server", "server_url", default="http://127.0.0.1:8080", show_default=True, help="Base URL to state.")
@click.option(
    "--dialect",
    "name",
    type=click.Choice(["ingate", "ongoingai"]),
    default="ingate",
    show_default=True,
    help="The dialect to describe.",
)
def command(server_url: str, name: str) -> None:
    """Prints the document as JSON."""
    from rest_facade.dialects.mounted import mounted
    from rest_facade.dialects.ongoingai import Options
    from rest_facade.spec.openapi import document

    [dialect] = mounted(name, cors=None, options=Options(server_url, server_url))
    click.echo(msgspec.json.format(msgspec.json.encode(document(server_url, dialect)), indent=2))
