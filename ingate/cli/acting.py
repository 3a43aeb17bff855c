"""What commands share that work on the database of an installation: reading it, acting as an owner, and printing."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from ingate.config import Settings

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from ingate.db import Database

org_option = click.option("--org", default="demo", show_default=True, help="Slug of the organisation.")
_NAMED = 3
"""Organisations that an error names in place of one that does not exist."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@asynccontextmanager
async def existing(settings: Settings) -> AsyncIterator["Database"]:
    """Yields the database for reading. Makes nothing.

    Raises Unavailable where it is not there, or at another version.
    """
    from ingate import migrate
    from ingate.storage import open_database

    async with open_database(settings, make=False) as database:
        await migrate.require(database)
        yield database


def as_owner(settings: Settings, org: str, request: "Message") -> Any:
    """Returns the response of the unary rpc that takes such a request, called as an owner of the organisation.

    Domain failures of the services end the command with their sentence. Nothing is made where there is no such
    organisation yet: Unavailable and NotFound say what to do.
    """
    from grpc.aio import AioRpcError

    from ingate.core import open_core
    from ingate.rpc.services import rpcs

    [rpc] = [rpc for rpc in rpcs().values() if rpc.request is type(request)]

    async def run() -> Any:
        async with existing(settings) as database:
            await org_id(database, org)
        async with open_core(settings) as core, core.as_owner(org) as metadata:
            try:
                call = core.channel.unary_unary(
                    rpc.path,
                    request_serializer=rpc.request.SerializeToString,
                    response_deserializer=rpc.response.FromString,
                )
                return await call(request, metadata=metadata)
            except AioRpcError as error:
                raise click.ClickException(error.details() or error.code().name) from None

    return asyncio.run(run())


async def org_id(database: "Database", slug: str) -> str:
    """Returns the id of an organisation. Raises NotFound."""
    from sqlalchemy import select

    from ingate.errors import NotFound
    from ingate.identity.tables import Org

    async with database.read() as db:
        found = await db.scalar(select(Org.id).where(Org.slug == slug))
        if found is not None:
            return found
        others = list(await db.scalars(select(Org.slug).order_by(Org.created_at, Org.id).limit(_NAMED)))
    if not others:
        raise NotFound(f"there is no organisation {slug}, and no other: make one with `ingate orgs create`")
    raise NotFound(f"there is no organisation {slug}: name one with --org, such as --org {' or --org '.join(others)}")


def confirmed(question: str, *, yes: bool) -> None:
    """Returns when the question is answered with yes, or need not be asked; ends the command otherwise."""
    if not yes:
        if sys.stdin is None:
            raise click.Abort
        click.confirm(question, abort=True)


def show(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    """Prints rows: as one JSON array with all that is in them, else the columns of each, aligned."""
    rows = list(rows)
    if as_json:
        print_json(rows)
        return
    cells = [[_text(row[column]) for column in columns] for row in rows]
    widths = [max((len(line[index]) for line in cells), default=0) for index in range(len(columns))]
    for line in cells:
        click.echo("  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip())


def report(result: Mapping[str, Any], sentence: str, *, as_json: bool) -> None:
    """Prints what a command did: its result as JSON, else a sentence."""
    if as_json:
        print_json(result)
    else:
        click.echo(sentence)


def print_json(value: Any) -> None:
    """Prints a value as indented JSON."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_field(name: str, value: Any) -> None:
    """Prints a field of one thing: a line, or the lines of what is longer or nested below its name."""
    import msgspec

    if not isinstance(value, str):
        text = msgspec.json.encode(value)
        value = (msgspec.json.format(text, indent=2) if text[:1] in b"[{" else text).decode()
    label = name.replace("_", " ")
    lines = value.splitlines()
    if len(lines) == 1:
        click.echo(f"{label:<20}{_text(lines[0])}")
        return
    click.echo(label)
    for line in lines:
        click.echo(f"    {_text(line)}")


def moment(micros: int | None) -> str | None:
    """Returns a time as RFC 3339, in UTC; None for none."""
    from google.protobuf.timestamp_pb2 import Timestamp

    from ingate import clock

    if micros is None:
        return None
    return Timestamp(seconds=micros // clock.SECOND, nanos=micros % clock.SECOND * 1000).ToJsonString()


def _text(value: Any) -> str:
    text = "-" if value is None else value if isinstance(value, str) else str(value).lower()
    return "".join(one if one.isprintable() else "\ufffd" for one in text)
