"""`ingate doctor`: is everything in order that the gateway needs. Makes nothing and changes nothing."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from ingate.cli.acting import json_option, print_json
from ingate.cli.options import Settings, settings_options

if TYPE_CHECKING:
    from ingate.db import Database

LOW_DISK = 1024**3
MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    state: Literal["ok", "warn", "fail"]
    text: str


@click.command()
@click.option("--providers", "calling", is_flag=True, help="Call each provider once.")
@json_option
@settings_options
def command(settings: Settings, *, calling: bool, as_json: bool) -> None:
    """Check that everything the gateway needs is in order; the status is 1 where it is not."""

    async def run() -> bool:
        findings = []
        async for finding in examine(settings, calling=calling):
            findings.append(finding)
            if not as_json:
                click.echo(f"{MARKS[finding.state]}  {finding.text}")
        if as_json:
            print_json(msgspec.to_builtins(findings))
        return all(finding.state != "fail" for finding in findings)

    if not asyncio.run(run()):
        raise SystemExit(1)


async def examine(settings: Settings, *, calling: bool = False) -> AsyncIterator[Finding]:
    """Yields what each check found. Calls providers where that is asked for."""
    from ingate.cli import doctor_network
    from ingate.setting_sources import unknown_variables

    for sentence in unknown_variables():
        yield Finding("warn", sentence)
    for finding in _directory(settings):
        yield finding
    yield _master_key(settings)
    async for finding in _database(settings, calling=calling):
        yield finding
    yield _journal(settings)
    async for finding in doctor_network.ports(settings):
        yield finding
    yield _providers(settings)


def _place(settings: Settings) -> Path:
    return Path(settings.data_dir).absolute()


def _directory(settings: Settings) -> Iterator[Finding]:
    from ingate.storage import embedded_files, others_may

    directory = _place(settings)
    there = next(path for path in (directory, *directory.parents) if path.exists())
    writable = there.is_dir() and os.access(there, os.R_OK | os.W_OK | os.X_OK)
    if there != directory:
        made = "none yet; the first start makes it" if writable else f"cannot be made: {there} is not writable"
        yield Finding("ok" if writable else "fail", f"data directory {directory}: {made}")
    else:
        yield Finding(
            "ok" if writable else "fail", f"data directory {directory} is {'' if writable else 'not '}writable"
        )
    if open_to_others := [path for path in (directory, *embedded_files(directory)) if others_may(path)]:
        names = " ".join(map(str, open_to_others))
        yield Finding("warn", f"others may use what should be yours alone: run chmod go= {names}")
    disk = os.statvfs(there)
    free = disk.f_bavail * disk.f_frsize
    yield Finding("ok" if free > LOW_DISK else "warn", f"{free / LOW_DISK:.1f} GiB free on its disk")


def _master_key(settings: Settings) -> Finding:
    from ingate.errors import BadRequest
    from ingate.vault import MASTER_KEY_FILE, find_master_key

    path = _place(settings) / MASTER_KEY_FILE
    try:
        key = find_master_key(settings.master_key, _place(settings))
    except (BadRequest, OSError) as error:
        return Finding("fail", f"master key: {error}")
    if key is None:
        return Finding("warn", "master key: none yet; the first start makes one in the data directory")
    if not settings.master_key and path.stat().st_mode & 0o077:
        return Finding("warn", f"master key: {path} is readable by others; run chmod 600 on it")
    return Finding("ok", "master key: from the settings" if settings.master_key else f"master key: {path}")


async def _database(settings: Settings, *, calling: bool) -> AsyncIterator[Finding]:
    from ingate import migrate, migrations
    from ingate.errors import DomainError
    from ingate.storage import EMBEDDED_FILE, open_database

    if not settings.database_url and not (_place(settings) / EMBEDDED_FILE).exists():
        yield Finding("ok", "database: SQLite, none yet; the first start makes it")
        return
    try:
        async with open_database(settings, make=False) as database:
            kind = "SQLite" if database.embedded else "PostgreSQL"
            version = await migrate.version(database)
            if version == migrations.HEAD:
                yield Finding("ok", f"database: {kind} at version {version}")
                async for finding in _secrets(settings, database, calling=calling):
                    yield finding
            elif database.embedded:
                yield Finding("ok", f"database: {kind}, to be brought to version {migrations.HEAD} at the next start")
            else:
                stands = f"at version {version or 'none'}, not {migrations.HEAD}"
                yield Finding("fail", f"database: {kind} {stands}: run `ingate migrate`")
    except DomainError as error:
        yield Finding("fail", error.message)


async def _secrets(settings: Settings, database: "Database", *, calling: bool) -> AsyncIterator[Finding]:
    """Opens the stored keys of providers, and calls these where that is asked for."""
    from ingate.errors import BadRequest
    from ingate.providers import sealed, trial
    from ingate.vault import find_master_key

    try:
        key = find_master_key(settings.master_key, _place(settings))
    except (BadRequest, OSError):
        key = None  # which has been told
    rows = await sealed.sealed(database)
    if lost := sealed.unreadable(rows, key):
        yield Finding("fail", f"the master key does not open {len(lost)} of {len(rows)} stored keys: {sealed.WAYS_OUT}")
    elif rows:
        yield Finding("ok", f"the master key opens all stored keys of providers ({len(rows)})")
    if calling:
        async for made in trial.trials(settings, database, key):
            whose = f"provider of {made.org}" if made.org else "provider of the installation"
            yield Finding("ok" if made.ok else "fail", f"{whose}: {made.sentence}")


def _journal(settings: Settings) -> Finding:
    directory = _place(settings) / "journal"
    files = list(directory.iterdir()) if directory.is_dir() else []
    held = sum(path.stat().st_size for path in files)
    bad = [path.name for path in files if path.suffix == ".corrupt" or path.name.startswith("rejected")]
    if bad:
        return Finding("warn", f"journal: {', '.join(sorted(bad))} hold exchanges that could not be recorded")
    return Finding("ok", f"journal: {held} bytes not yet recorded")


def _providers(settings: Settings) -> Finding:
    from ingate.providers.shared import shared_routes

    names = [route.name for route in shared_routes(settings)]
    if names:
        return Finding("ok", f"providers of the installation: {', '.join(names)} (shared: {settings.shared_providers})")
    return Finding("ok", "providers: none of the installation's own; each organisation adds its own")
