"""`ingate keys`: keys, for whoever may read the database; no running gateway is needed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import click

from ingate.cli.options import Settings, settings_options

PAGE = 200


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
    from ingate import clock

    async def every(stub: Any, metadata: Any) -> list[Any]:
        # By id: while pages are read, a new key moves those before it to the next page.
        found: dict[str, Any] = {}
        offset, total = 0, 1
        while offset < total:
            answer = await stub.ListKeys(ListKeysRequest(limit=PAGE, offset=offset), metadata=metadata)
            found |= {key.id: key for key in answer.items}
            # A page that is empty is past the end, whatever was counted.
            offset, total = offset + len(answer.items), answer.total if answer.items else 0
        return list(found.values())

    keys = _run(settings, org, every)
    states = [state(key, clock.now()) for key in keys]
    width = max(map(len, states), default=0)
    for key, shown in zip(keys, states, strict=True):
        click.echo(f"{key.id}  {key.hash_prefix}  {shown:{width}}  {key.name}")


def state(key: Any, now: int) -> str:
    """Returns what a key is at a moment, and until when: active, rotated (and still valid), expired or revoked.

    A key that was ended before it would have ended by itself is revoked.
    """
    from google.protobuf.timestamp_pb2 import Timestamp

    from ingate import clock

    expires = clock.from_proto(key.expires_at) if key.HasField("expires_at") else None
    ended = clock.from_proto(key.revoked_at) if key.HasField("revoked_at") else None
    ends = min((moment for moment in (expires, ended) if moment is not None), default=None)
    if ends is not None and ends <= now:
        return "revoked" if ends == ended else "expired"
    word = "active" if ended is None else "rotated"
    if ends is None:
        return word
    return f"{word} until {Timestamp(seconds=ends // clock.SECOND).ToJsonString()}"


@command.command(help="Revoke a key, at once.")
@click.argument("key_id")
@_org
@settings_options
def revoke(settings: Settings, key_id: str, org: str) -> None:
    """Revokes the key."""
    from gen.ingate.keys.v1.key_service_pb2 import RevokeKeyRequest

    _run(settings, org, lambda stub, metadata: stub.RevokeKey(RevokeKeyRequest(key_id=key_id), metadata=metadata))
    click.echo("revoked")
