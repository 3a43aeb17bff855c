"""What `--demo` prepares, once: an organisation with an owner and a key, kept in a file only its user can read."""

import asyncio
import os
import secrets
from pathlib import Path

import click
import msgspec

from ingate.auth.passwords import hash_password
from ingate.cli.options import Settings, settings_options
from ingate.db import Database
from ingate.errors import Conflict, Unavailable
from ingate.identity import founding, operator

FILE = "demo.json"
ORG = "demo"
EMAIL = "owner@demo.example"


@click.group()
def command() -> None:
    """Delete the example traffic of `--demo` without a running gateway."""


@command.command(help="Delete the example traffic; real calls stay, and it does not come again.")
@click.option("--org", default=ORG, show_default=True, help="Slug of the organisation.")
@settings_options
def clear(settings: Settings, org: str) -> None:
    """Prints how many exchanges were deleted."""
    from ingate.cli import seeding
    from ingate.storage import open_database

    async def run() -> int:
        async with open_database(settings) as database:
            return await seeding.clear(database, org)

    click.echo(f"deleted {asyncio.run(run())} exchanges of example traffic")


class Demo(msgspec.Struct, frozen=True):
    """The credentials of the demo organisation."""

    email: str
    password: str
    key: str


async def ensure(database: Database, directory: Path, plan: str) -> Demo:
    """Returns the demo's credentials from the file in `directory`, after making it where that has not been done.

    Its owner is no person: the first who signs up is still the installation's first. Raises Unavailable when the
    organisation exists and the file that knows its key does not.
    """
    path = directory / FILE
    kept = _read(path)
    if kept is not None:
        return kept
    password = secrets.token_urlsafe(12)
    owner = founding.new_user(EMAIL, "Demo owner", await hash_password(password))
    owner.demo = True
    try:
        _, key = await operator.make_org(database, founding.new_org(ORG, "Demo", plan), owner)
    except Conflict as error:
        raise Unavailable(f"cannot make the demo organisation: {error.message} ({path} is missing)") from None
    demo = Demo(EMAIL, password, key)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(demo))
    return demo


def _read(path: Path) -> Demo | None:
    return msgspec.json.decode(path.read_bytes(), type=Demo) if path.exists() else None


def greeting(demo: Demo, url: str) -> str:
    """Returns the lines that tell a newcomer what to do; the last is a command to paste."""
    body = '{"model":"demo","messages":[{"role":"user","content":"Hello, Ingate!"}]}'
    return (
        f"  key       {demo.key}\n"
        f"  sign-in   {demo.email} / {demo.password}\n"
        f"  OpenAI    base_url={url}/v1    Anthropic  base_url={url}    model=demo\n"
        f"curl {url}/v1/chat/completions -H 'X-Ingate-Key: {demo.key}' -H 'Content-Type: application/json' -d '{body}'"
    )
