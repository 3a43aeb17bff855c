"""`ingate providers`: commands for providers. They work on the database and need no running gateway."""

import asyncio
import math
import sys
import warnings
from getpass import GetPassWarning
from typing import Any

import click

from ingate.cli.acting import (
    as_owner,
    confirmed,
    existing,
    json_option,
    moment,
    org_id,
    org_option,
    print_json,
    report,
    show,
)
from ingate.cli.options import DATABASE, Settings, settings_options
from ingate.errors import BadRequest
from ingate.setting_values import credential

TYPES = ("openai", "anthropic", "gemini", "azure-openai", "ollama", "openai-compatible", "http", "demo")


class _Seconds(click.FloatRange):
    """A range in which NaN is not, though it is below and above nothing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the number of a text."""
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value} is not a number.", param, ctx)
        return seconds


@click.group()
def command() -> None:
    """Add, change, remove, list and test the providers of organisations without a running gateway."""


@command.command()
@click.argument("name")
@click.option("--type", "kind", type=click.Choice(TYPES), required=True, help="What the provider speaks.")
@org_option
@click.option("--base-url", help="Where it answers; that of the type if not stated.")
@click.option("--api-key-stdin", is_flag=True, help="Read its key from standard input.")
@click.option("--no-api-key", is_flag=True, help="It takes no key. If not stated, the key is asked for, unseen.")
@click.option("--default", "is_default", is_flag=True, help="Make it the default.")
@json_option
@settings_options(only=DATABASE | {"demo"})
def add(
    settings: Settings,
    name: str,
    kind: str,
    org: str,
    base_url: str | None,
    *,
    api_key_stdin: bool,
    no_api_key: bool,
    is_default: bool,
    as_json: bool,
) -> None:
    """Store a provider of an organisation. The command asks for its key: other users could read an argument."""
    from gen.ingate.providers.v1.provider_pb2 import ProviderType
    from gen.ingate.providers.v1.provider_service_pb2 import CreateProviderRequest

    api_key = None
    if api_key_stdin:
        api_key = _piped()
    elif not no_api_key and kind != "demo":
        api_key = _asked()
    request = CreateProviderRequest(
        name=name,
        type=ProviderType.Value(f"PROVIDER_TYPE_{kind.upper().replace('-', '_')}"),
        base_url=base_url,
        api_key=api_key,
        is_default=is_default or None,
    )
    made = as_owner(settings, org, request).provider
    shown = {"name": made.name, "org": org, "type": kind, "base_url": made.base_url, "has_api_key": made.has_api_key}
    report(shown, f"added {made.name}: {made.base_url or 'inside the gateway'}", as_json=as_json)


@command.command()
@click.argument("name")
@org_option
@click.option("--base-url", help="Where it answers; that of the type if empty.")
@click.option("--api-key", "ask", is_flag=True, help="Ask for another key, unseen.")
@click.option("--api-key-stdin", is_flag=True, help="Read another key from standard input.")
@click.option("--no-api-key", is_flag=True, help="Delete its key.")
@click.option("--default/--no-default", "is_default", default=None, help="Make it the default, or not any more.")
@click.option("--enable/--disable", "enabled", default=None, help="Send it calls, or none until it is enabled again.")
@click.option("--timeout", type=_Seconds(0.001, 3600), help="Seconds until an answer begins at most.")
@json_option
@settings_options(only=DATABASE | {"demo"})
def update(
    settings: Settings,
    name: str,
    org: str,
    base_url: str | None,
    timeout: float | None,
    *,
    ask: bool,
    api_key_stdin: bool,
    no_api_key: bool,
    is_default: bool | None,
    enabled: bool | None,
    as_json: bool,
) -> None:
    """Change what is stated of a provider; the rest stays. A key is deleted that would go to another address."""
    from gen.ingate.providers.v1.provider_service_pb2 import UpdateProviderRequest

    if ask + api_key_stdin + no_api_key > 1:
        raise click.UsageError("state one of --api-key, --api-key-stdin and --no-api-key")
    api_key = "" if no_api_key else _piped() if api_key_stdin else _asked() if ask else None
    request = UpdateProviderRequest(
        name=name,
        base_url=base_url,
        api_key=api_key,
        is_default=is_default,
        enabled=enabled,
        timeout_ms=None if timeout is None else round(1000 * timeout),
    )
    if request == UpdateProviderRequest(name=name):
        raise click.UsageError("state what is to change")
    made = as_owner(settings, org, request).provider
    state = "enabled" if made.enabled else "disabled"
    key = "a key" if made.has_api_key else "no key"
    shown = {"name": made.name, "org": org, "base_url": made.base_url, "state": state}
    report(
        {**shown, "has_api_key": made.has_api_key, "is_default": made.is_default},
        f"changed {made.name}: {made.base_url or 'inside the gateway'}, {state}, with {key}",
        as_json=as_json,
    )


@command.command()
@click.argument("name")
@org_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@settings_options(only=DATABASE)
def remove(settings: Settings, name: str, org: str, *, yes: bool, as_json: bool) -> None:
    """Remove a provider and its key. The log entries of its calls stay."""
    from gen.ingate.providers.v1.provider_service_pb2 import DeleteProviderRequest

    confirmed(f"Remove the provider {name} of {org} and its key?", yes=yes)
    request = DeleteProviderRequest(name=name)
    as_owner(settings, org, request)
    report({"name": name, "org": org, "removed": True}, f"removed {name}", as_json=as_json)


def _piped() -> str:
    """Returns the key on standard input. Raises UsageError where there is none, and BadRequest for what is no key."""
    key = "" if sys.stdin is None else sys.stdin.buffer.read().decode(errors="replace").strip()
    if not key:
        raise click.UsageError("standard input has no key: --no-api-key states that there is none")
    try:
        credential(key)
    except BadRequest as error:
        raise BadRequest.field("api_key", error.message) from None
    return key


def _asked() -> str:
    """Asks for a key, unseen. Raises click.UsageError where there is no terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            return str(click.prompt("API key", hide_input=True))
        except GetPassWarning:
            raise click.UsageError("no terminal to ask for the key: state --api-key-stdin or --no-api-key") from None


@command.command("list")
@org_option
@json_option
@settings_options(only=DATABASE)
def list_providers(settings: Settings, org: str, *, as_json: bool) -> None:
    """List the providers of an organisation. Columns: name, type, base URL, state."""
    from sqlalchemy import select

    from gen.ingate.providers.v1.provider_pb2 import ProviderType
    from ingate.providers.tables import Provider

    async def every() -> list[Any]:
        async with existing(settings) as database:
            mine = select(Provider).where(Provider.org_id == await org_id(database, org)).order_by(Provider.name)
            async with database.read() as db:
                return list(await db.scalars(mine))

    rows = [
        {
            "name": row.name,
            "type": ProviderType.Name(row.type).removeprefix("PROVIDER_TYPE_").lower().replace("_", "-"),
            "base_url": row.base_url,
            "state": "enabled" if row.enabled else "disabled",
            "has_api_key": row.sealed_key is not None,
            "is_default": row.is_default,
            "created_at": moment(row.created_at),
        }
        for row in asyncio.run(every())
    ]
    show(rows, ("name", "type", "base_url", "state"), as_json=as_json)


@command.command("test")
@click.argument("name")
@org_option
@json_option
@settings_options(only=DATABASE | {"master_key"})
def test_provider(settings: Settings, name: str, org: str, *, as_json: bool) -> None:
    """Call a provider once. The exit status is 1 if the call fails."""
    from pathlib import Path

    import msgspec

    from ingate.errors import NotFound
    from ingate.providers.trial import Trial, trials
    from ingate.vault import find_master_key

    async def run() -> list[Trial]:
        async with existing(settings) as database:
            await org_id(database, org)
            key = find_master_key(settings.master_key, Path(settings.data_dir))
            return [it async for it in trials(settings, database, key, org=org, name=name)]

    found = asyncio.run(run())
    if not found:
        raise NotFound(f"{org} has no provider {name}")
    [made] = found
    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        click.echo(made.sentence)
    if not made.ok:
        raise SystemExit(1)


@command.command("discard-keys")
@click.option("--yes", is_flag=True, help="Do not ask.")
@settings_options(only=DATABASE | {"master_key"})
def discard_keys(settings: Settings, *, yes: bool) -> None:
    """Delete the stored keys that the master key does not open.

    The way out where the master key is lost. The providers stay; their keys must be stored anew.
    """
    from pathlib import Path

    from ingate.providers.sealed import discard, sealed, unreadable
    from ingate.vault import find_master_key

    async def run() -> None:
        async with existing(settings) as database:
            key = find_master_key(settings.master_key, Path(settings.data_dir))
            lost = unreadable(await sealed(database), key)
            if lost:
                names = ", ".join(sorted({row.name for row in lost}))
                confirmed(f"Delete {len(lost)} keys that cannot be opened, of {names}?", yes=yes)
            discarded = await discard(database, key) if lost else []
        click.echo(f"{len(discarded)} keys deleted")

    asyncio.run(run())
