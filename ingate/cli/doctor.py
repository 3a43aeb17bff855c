"""`ingate doctor`: is everything in order that the gateway needs."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

import click

from ingate.cli.options import Settings, settings_options

LOW_DISK = 1024**3
MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    state: Literal["ok", "warn", "fail"]
    text: str


@click.command(help="Check that everything the gateway needs is in order.")
@settings_options
def command(settings: Settings) -> None:
    """Prints a line a check; ends with status 1 when one failed."""

    async def run() -> bool:
        healthy = True
        async for finding in examine(settings):
            click.echo(f"{MARKS[finding.state]}  {finding.text}")
            healthy = healthy and finding.state != "fail"
        return healthy

    if not asyncio.run(run()):
        raise SystemExit(1)


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Yields what each check found."""
    from ingate.errors import Unavailable
    from ingate.storage import data_dir, embedded_files, others_may

    try:
        directory = data_dir(settings)
    except Unavailable as error:
        yield Finding("fail", error.message)
        return
    writable = os.access(directory, os.R_OK | os.W_OK | os.X_OK)
    yield Finding("ok" if writable else "fail", f"data directory {directory} is {'' if writable else 'not '}writable")
    if open_to_others := [path for path in (directory, *embedded_files(directory)) if others_may(path)]:
        names = " ".join(map(str, open_to_others))
        yield Finding("warn", f"others may use what should be yours alone: run chmod go= {names}")
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    yield Finding("ok" if free > LOW_DISK else "warn", f"{free / LOW_DISK:.1f} GiB free on its disk")
    yield _master_key(settings)
    yield await _database(settings)
    yield _journal(settings)
    async for finding in _port(settings):
        yield finding
    yield _providers(settings)


def _master_key(settings: Settings) -> Finding:
    from ingate.errors import BadRequest
    from ingate.storage import data_dir
    from ingate.vault import MASTER_KEY_FILE, decode_master_key

    path = data_dir(settings) / MASTER_KEY_FILE
    if not settings.master_key and not path.exists():
        return Finding("warn", "master key: none yet; the first start makes one in the data directory")
    try:
        decode_master_key(settings.master_key or path.read_text().strip())
    except (BadRequest, OSError) as error:
        return Finding("fail", f"master key: {error}")
    if not settings.master_key and path.stat().st_mode & 0o077:
        return Finding("warn", f"master key: {path} is readable by others; run chmod 600 on it")
    return Finding("ok", "master key: from the settings" if settings.master_key else f"master key: {path}")


async def _database(settings: Settings) -> Finding:
    from ingate import migrate, migrations
    from ingate.errors import DomainError
    from ingate.storage import open_database

    try:
        async with open_database(settings) as database:
            kind = "SQLite" if database.embedded else "PostgreSQL"
            version = await migrate.version(database)
    except DomainError as error:
        return Finding("fail", error.message)
    if version == migrations.HEAD:
        return Finding("ok", f"database: {kind} at version {version}")
    if database.embedded:
        return Finding("ok", f"database: {kind}, to be brought to version {migrations.HEAD} at the next start")
    return Finding(
        "fail", f"database: {kind} at version {version or 'none'}, not {migrations.HEAD}: run `ingate migrate`"
    )


def _journal(settings: Settings) -> Finding:
    from ingate.storage import data_dir

    directory = data_dir(settings) / "journal"
    files = list(directory.iterdir()) if directory.is_dir() else []
    held = sum(path.stat().st_size for path in files)
    bad = [path.name for path in files if path.suffix == ".corrupt" or path.name.startswith("rejected")]
    if bad:
        return Finding("warn", f"journal: {', '.join(sorted(bad))} hold exchanges that could not be recorded")
    return Finding("ok", f"journal: {held} bytes not yet recorded")


async def _port(settings: Settings) -> AsyncIterator[Finding]:
    import httpx

    url = f"{'https' if settings.tls_cert else 'http'}://{settings.host}:{settings.port}/healthz"
    try:
        # Whether callers trust the certificate depends on the name by which they call.
        async with httpx.AsyncClient(timeout=2, trust_env=False, verify=False) as client:  # noqa: S501 -- see above
            answer = await client.get(url, params={"deep": "true"})
    except httpx.HTTPError:
        try:
            with socket.create_server((settings.host, settings.port)):
                yield Finding("ok", f"port {settings.port} on {settings.host} is free")
        except OSError as error:
            yield Finding("fail", f"port {settings.port} on {settings.host}: {error.strerror}")
        return
    if answer.headers.get("server") != "ingate":
        yield Finding("fail", f"port {settings.port} is taken by another server")
        return
    said = answer.json()
    if answer.status_code != 200:
        yield Finding("fail", f"the gateway at {url} is not ready: {answer.status_code}, {said['message']}")
        return
    yield Finding("ok", f"a gateway answers at {url}")
    if degraded := said["parts"]["degraded"]:
        yield Finding("warn", f"the gateway is degraded: {', '.join(degraded)}")


def _providers(settings: Settings) -> Finding:
    from ingate.providers.shared import shared_routes

    names = [route.name for route in shared_routes(settings)]
    if names:
        return Finding("ok", f"providers of the installation: {', '.join(names)} (shared: {settings.shared_providers})")
    return Finding("ok", "providers: none of the installation's own; each organisation adds its own")
