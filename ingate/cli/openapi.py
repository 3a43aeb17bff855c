"""`ingate openapi`: the REST API as an OpenAPI document."""

import click
import msgspec


@click.command(help="Print the OpenAPI 3.1 document of the REST API.")
@click.option("--server", "server_url", default="http://127.0.0.1:8080", show_default=True, help="Base URL to state.")
def command(server_url: str) -> None:
    """Prints the document as JSON."""
    from rest_facade.spec.openapi import document

    click.echo(msgspec.json.format(msgspec.json.encode(document(server_url)), indent=2))
