"""What `--demo` prepares: an organisation with an owner and a key, kept in a file that only its user can read.

The database is what counts. A file that is missing, or speaks of what the database does not know any more, is written
anew: with another key, and another password where the kept one is not the account's.
"""

import asyncio
import fcntl
import os
import secrets
from contextlib import closing
from pathlib import Path
from typing import IO

import click
import msgspec
from sqlalchemy import select

from gen.ingate.access.v1.access_pb2 import ROLE_OWNER
from ingate import ids
from ingate.auth.passwords import Passwords
from ingate.cli.options import DATABASE, Settings, settings_options
from ingate.db import Database
from ingate.errors import Conflict
from ingate.identity import audit, founding, operator
from ingate.identity.authenticator import working
from ingate.identity.emails import email_key
from ingate.identity.tables import Key, Member, Org, User

FILE = "demo.json"
ORG = "demo"
EMAIL = "owner@demo.example"
KEY_NAME = "demo key"


@click.group()
def command() -> None:
    """Delete the example traffic of `--demo` without a running gateway."""


@command.command(help="Delete the example traffic for good. Real calls stay.")
@click.option("--org", default=ORG, show_default=True, help="Slug of the organisation.")
@settings_options(only=DATABASE)
def clear(settings: Settings, org: str) -> None:
    """Prints how many exchanges were deleted."""
    from ingate.cli import seeding
    from ingate.cli.acting import existing

    async def run() -> int:
        async with existing(settings) as database:
            return await seeding.clear(database, org)

    click.echo(f"deleted {asyncio.run(run())} exchanges of example traffic")


class Demo(msgspec.Struct, frozen=True):
    """The credentials of the demo organisation."""

    email: str
    password: str
    key: str


async def ensure(database: Database, directory: Path, plan: str) -> Demo | None:
    """Returns credentials that work, after making the demo organisation or what of it is missing.

    Its owner is no person: the first who signs up is still the installation's first. Returns None where the
    organisation of that name is somebody else's. Raises OSError where the file cannot be written.
    """
    # Gateways that start at once on one directory take turns, and so come to the same credentials.
    with await asyncio.to_thread(_locked, directory / FILE) as file, closing(Passwords(urgent=True)) as passwords:
        kept = _read(file)
        demo = await _working(database, passwords, kept, plan)
        if demo is not None and demo != kept:
            file.seek(0)
            file.truncate()
            file.write(msgspec.json.encode(demo))
            file.flush()
            os.fsync(file.fileno())
    return demo


def _locked(path: Path) -> IO[bytes]:
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except BaseException:
        file.close()
        raise
    return file


def _read(file: IO[bytes]) -> Demo | None:
    try:
        return msgspec.json.decode(file.read(), type=Demo)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


async def _working(database: Database, passwords: Passwords, kept: Demo | None, plan: str) -> Demo | None:
    password = secrets.token_urlsafe(12)
    async with database.read() as db:
        there = await db.scalar(select(Org.id).where(Org.slug == ORG)) is not None
    if not there:
        owner = founding.new_user(EMAIL, "Demo owner", await passwords.hash(password))
        owner.demo = True
        try:
            new, key = await operator.make_org(database, founding.new_org(ORG, "Demo", plan), owner)
        except Conflict:
            new = False  # Another gateway has made it meanwhile, or a person has the address.
        if new:
            return Demo(EMAIL, password, key)
    return await _mended(database, passwords, kept, password)


async def _mended(database: Database, passwords: Passwords, kept: Demo | None, password: str) -> Demo | None:
    """Returns what is kept as far as it works, and new credentials for the rest; None where there is no such owner."""
    owned = (
        select(Org, User)
        .join(Member, Member.org_id == Org.id)
        .join(User, User.id == Member.user_id)
        .where(Org.slug == ORG, User.demo, User.email_key == email_key(EMAIL), Member.role == ROLE_OWNER)
    )
    async with database.read() as db:
        found = (await db.execute(owned)).one_or_none()
        if found is None:
            return None
        alive = kept is not None and await db.scalar(
            select(Key.id).where(
                Key.org_id == found.Org.id,
                Key.secret_hash == ids.secret_hash(kept.key),
                *working(),
            )
        )
    known = (
        kept is not None and kept.email == EMAIL and await passwords.matches(found.User.password_hash, kept.password)
    )
    if kept is not None and alive and known:
        return kept
    password_hash = None if known else await passwords.hash(password)
    async with database.write() as db:
        org, owner = await db.get_one(Org, found.Org.id), await db.get_one(User, found.User.id)
        key = kept.key if kept is not None and alive else founding.first_key(db, org, owner, KEY_NAME)
        if password_hash is not None:
            owner.password_hash = password_hash
        audit.record(db, "org.update", org.id, org_id=org.id, actor_id=owner.id, demo="credentials made anew")
    return Demo(EMAIL, kept.password if kept is not None and known else password, key)


def greeting(demo: Demo | None, url: str) -> str:
    """Returns the lines that tell a newcomer what to do; the last is a command to paste."""
    points = f"  OpenAI    base_url={url}/v1    Anthropic  base_url={url}    model=demo"
    if demo is None:
        return f"  key       one of yours: the organisation {ORG} belongs to somebody here\n{points}"
    body = '{"model":"demo","messages":[{"role":"user","content":"Hello, Ingate!"}]}'
    return (
        f"  key       {demo.key}\n"
        f"  sign-in   {demo.email} / {demo.password}\n"
        f"{points}\n"
        f"curl {url}/v1/chat/completions -H 'X-Ingate-Key: {demo.key}' -H 'Content-Type: application/json' -d '{body}'"
    )
