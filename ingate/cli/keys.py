"""`ingate keys`: commands for keys. They work on the database and need no running gateway."""

import asyncio
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from ingate.cli.acting import as_owner, existing, json_option, moment, org_id, org_option, report, show
from ingate.cli.options import DATABASE, Settings, settings_options

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

ROLES = ("viewer", "member", "admin", "owner")
SCOPES = ("proxy", "ingest", "read", "write", "admin", "keys")
FORMATS = ("ingate", "promptgate", "ongoingai", "admin")
ENVS = ("live", "test")
_SPAN = re.compile(r"(\d{1,6})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


@click.group()
def command() -> None:
    """Create, list, rotate, disable and revoke keys without a running gateway."""


@command.command()
@click.argument("name")
@org_option
@click.option("--role", type=click.Choice(ROLES), help="What the key may do at most; member if not stated.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="May be repeated; all of the role.")
@click.option("--expires", help="When it ends: in a time such as 12h or 30d, or at one in RFC 3339.")
@click.option("--limit", type=click.IntRange(1, 10_000_000), help="Requests a minute; those of the plan if not stated.")
@click.option("--hourly-limit", type=click.IntRange(1, 600_000_000), help="Requests an hour.")
@click.option("--unlimited", is_flag=True, help="Without a limit of requests, whatever the plan says.")
@click.option("--format", type=click.Choice(FORMATS), help="What the secret looks like; that of ingate if not stated.")
@click.option("--env", type=click.Choice(ENVS), help="What it is meant for; live if not stated.")
@click.option("--external-id", help="An id of your choice, unique in the organisation.")
@click.option("--workspace", help="The workspace to confine it to.")
@click.option("--description", help="What it is for.")
@json_option
@settings_options(only=DATABASE)
def create(
    settings: Settings,
    *,
    name: str,
    org: str,
    role: str | None,
    scopes: tuple[str, ...],
    expires: str | None,
    limit: int | None,
    hourly_limit: int | None,
    unlimited: bool,
    format: str | None,
    env: str | None,
    external_id: str | None,
    workspace: str | None,
    description: str | None,
    as_json: bool,
) -> None:
    """Create a key and print its secret, this once."""
    from gen.ingate.access.v1.access_pb2 import Role, Scope
    from gen.ingate.keys.v1.key_pb2 import KeyEnv, KeyFormat
    from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest

    request = CreateKeyRequest(
        name=name,
        role=Role.Value(f"ROLE_{role.upper()}") if role else None,
        scopes=[Scope.Value(f"SCOPE_{scope.upper()}") for scope in scopes],
        rate_limit_per_minute=limit,
        rate_limit_per_hour=hourly_limit,
        unlimited=unlimited,
        expires_at=_moment(expires) if expires else None,
        format=KeyFormat.Value(f"KEY_FORMAT_{format.upper()}") if format else None,
        env=KeyEnv.Value(f"KEY_ENV_{env.upper()}") if env else None,
        external_id=external_id,
        workspace=workspace or "",
        description=description or "",
    )
    answer = as_owner(settings, org, request)
    report({"id": answer.description.id, "name": name, "org": org, "key": answer.key}, answer.key, as_json=as_json)


def _moment(text: str) -> "Timestamp | None":
    from google.protobuf.timestamp_pb2 import Timestamp

    from ingate import clock

    if found := _SPAN.fullmatch(text):
        return clock.to_proto(clock.now() + int(found[1]) * _SECONDS[found[2]] * clock.SECOND)
    at = Timestamp()
    try:
        at.FromJsonString(datetime.fromisoformat(text).astimezone().isoformat())
    except (ValueError, OverflowError):
        said = f"{text!r} is no time such as 12h or 30d, nor one in RFC 3339."
        raise click.BadParameter(said, param_hint="'--expires'") from None
    return at


@command.command("list")
@org_option
@json_option
@settings_options(only=DATABASE)
def list_keys(settings: Settings, org: str, *, as_json: bool) -> None:
    """List keys, newest first: id, prefix of the hash, state, name."""
    from sqlalchemy import select

    from gen.ingate.access.v1.access_pb2 import Role, Scope
    from gen.ingate.keys.v1.key_pb2 import KeyEnv, KeyFormat
    from ingate import clock
    from ingate.identity import scopes
    from ingate.identity.tables import Key

    async def every() -> list[Any]:
        async with existing(settings) as database:
            mine = select(Key).where(Key.org_id == await org_id(database, org)).order_by(Key.id.desc())
            async with database.read() as db:
                return list(await db.scalars(mine))

    now = clock.now()
    rows = [
        {
            "id": key.id,
            "hash_prefix": key.secret_hash.hex()[:8],
            "state": state(key.expires_at, key.revoked_at, now, active=key.active),
            "name": key.name,
            "role": Role.Name(key.role).removeprefix("ROLE_").lower(),
            "scopes": [Scope.Name(it).removeprefix("SCOPE_").lower() for it in sorted(scopes.unpack(key.scopes))],
            "rate_limit_per_minute": key.rate_limit,
            "rate_limit_per_hour": key.hourly_limit,
            "unlimited": key.unlimited,
            "format": KeyFormat.Name(key.format).removeprefix("KEY_FORMAT_").lower(),
            "env": KeyEnv.Name(key.env).removeprefix("KEY_ENV_").lower(),
            "external_id": key.external_id,
            "preview": key.preview,
            "workspace": key.workspace,
            "description": key.description,
            "created_at": moment(key.created_at),
            "expires_at": moment(key.expires_at),
            "revoked_at": moment(key.revoked_at),
            "last_used_at": moment(key.last_used_at),
        }
        for key in asyncio.run(every())
    ]
    show(rows, ("id", "hash_prefix", "state", "name"), as_json=as_json)


def state(expires: int | None, ended: int | None, now: int, *, active: bool = True) -> str:
    """Returns what a key is at a moment, and until when: active, disabled, rotated (and still valid), expired, revoked.

    A key that was ended before it would have ended by itself is revoked.
    """
    from ingate import clock

    ends = min((moment for moment in (expires, ended) if moment is not None), default=None)
    if ends is not None and ends <= now:
        return "revoked" if ends == ended else "expired"
    if not active:
        return "disabled"
    word = "active" if ended is None else "rotated"
    return word if ends is None else f"{word} until {moment(ends // clock.SECOND * clock.SECOND)}"


@command.command()
@click.argument("key_id")
@org_option
@click.option("--overlap-hours", type=click.IntRange(0, 168), help="How long the old key goes on working; 24 if unset.")
@click.option("--in-place", is_flag=True, help="Keep the key and give it a new secret; the old one stops at once.")
@json_option
@settings_options(only=DATABASE)
def rotate(
    settings: Settings, key_id: str, org: str, overlap_hours: int | None, *, in_place: bool, as_json: bool
) -> None:
    """Replace a key and print the new secret, this once. The new key may do what the old one may."""
    from gen.ingate.keys.v1.key_service_pb2 import RotateKeyRequest

    request = RotateKeyRequest(key_id=key_id, overlap_hours=overlap_hours, in_place=in_place)
    answer = as_owner(settings, org, request)
    until = answer.replaced_valid_until.ToJsonString()
    shown = {"id": answer.description.id, "name": answer.description.name, "org": org, "key": answer.key}
    report({**shown, "replaces": key_id, "replaced_valid_until": until}, answer.key, as_json=as_json)


@command.command()
@click.argument("key_id")
@org_option
@json_option
@settings_options(only=DATABASE)
def revoke(settings: Settings, key_id: str, org: str, *, as_json: bool) -> None:
    """Revoke a key, at once."""
    from gen.ingate.keys.v1.key_service_pb2 import RevokeKeyRequest

    request = RevokeKeyRequest(key_id=key_id)
    as_owner(settings, org, request)
    report({"id": key_id, "revoked": True}, "revoked", as_json=as_json)


@command.command()
@click.argument("key_id")
@org_option
@json_option
@settings_options(only=DATABASE)
def disable(settings: Settings, key_id: str, org: str, *, as_json: bool) -> None:
    """Stop a key until it is enabled again."""
    _switch(settings, key_id, org, active=False, as_json=as_json)


@command.command()
@click.argument("key_id")
@org_option
@json_option
@settings_options(only=DATABASE)
def enable(settings: Settings, key_id: str, org: str, *, as_json: bool) -> None:
    """Let a disabled key work again."""
    _switch(settings, key_id, org, active=True, as_json=as_json)


def _switch(settings: Settings, key_id: str, org: str, *, active: bool, as_json: bool) -> None:
    from gen.ingate.keys.v1.key_service_pb2 import UpdateKeyRequest

    as_owner(settings, org, UpdateKeyRequest(key_id=key_id, active=active))
    report({"id": key_id, "active": active}, "enabled" if active else "disabled", as_json=as_json)
