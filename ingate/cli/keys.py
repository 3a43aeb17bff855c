"""`ingate keys`: keys, for whoever may read the database; no running gateway is needed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import click

from ingate.cli.options import Settings, settings_options


@click.group()
def command() -> None:
    """Create, list and revoke keys without a running gateway."""


def _run(settings: Settings, org: str, call: Callable[[Any, Any], Awaitable[Any]]) -> Any:
    from grpc.aio import AioRpcError

    from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
    from ingate.core import open_core

    async def run() -> Any:
        async with open_core(settings) as core, core.as_owner(org) as metadata:
            try:
                return await call(KeyServiceStub(core.channel), metadata)
            except AioRpcError as error:
                raise click.ClickException(error.details() or error.code().name) from None

    return asyncio.run(run())


_org = click.option("--org", default="demo", show_default=True, help="Slug of the organisation.")


@command.command(help="Create a key and print its secret, this once.")
@click.argument("name")
@_org
@settings_options
def create(settings: Settings, name: str, org: str) -> None:
    """Prints the secret."""
    from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest

    answer = _run(settings, org, lambda stub, metadata: stub.CreateKey(CreateKeyRequest(name=name), metadata=metadata))
    click.echo(answer.key)


@command.command("list", help="List keys, newest first.")
@_org
@settings_options
def list_keys(settings: Settings, org: str) -> None:
    """Prints a line a key: id, hash prefix, state, name."""
    from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest

    answer = _run(settings, org, lambda stub, metadata: stub.ListKeys(ListKeysRequest(limit=200), metadata=metadata))
    for key in answer.items:
        state = "revoked" if key.HasField("revoked_at") else "active"
        click.echo(f"{key.id}  {key.hash_prefix}  {state:7}  {key.name}")


@command.command(help="Revoke a key, at once.")
@click.argument("key_id")
@_org
@settings_options
def revoke(settings: Settings, key_id: str, org: str) -> None:
    """Revokes the key."""
    from gen.ingate.keys.v1.key_service_pb2 import RevokeKeyRequest

    _run(settings, org, lambda stub, metadata: stub.RevokeKey(RevokeKeyRequest(key_id=key_id), metadata=metadata))
    click.echo("revoked")
