"""Rows of keys, made from requests and from rotated keys, and their checks. Knows no rpc context."""

from collections.abc import Iterable
from secrets import token_hex

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, ROLE_MEMBER
from gen.ingate.keys.v1.key_pb2 import KEY_ENV_LIVE, KEY_FORMAT_ADMIN, KEY_FORMAT_INGATE, KEY_FORMAT_ONGOINGAI
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest, UpdateKeyRequest
from ingate import clock, ids, key_formats
from ingate.errors import BadRequest, Conflict
from ingate.identity.tables import Key

MAX_PERMISSION = 64
"""Characters of one permission."""
_SECRET_TAKEN = {"secret": "is that of another key"}
LIMITS = {"rate_limit_per_minute": "rate_limit", "rate_limit_per_hour": "hourly_limit"}
"""The column of each limit, by the field that states it."""


def new_row(request: CreateKeyRequest, org_id: str) -> tuple[Key, str]:
    """Returns the row that a request describes, without creator and scopes, and the key's secret.

    Raises BadRequest for fields that contradict each other.
    """
    check_limits(request, unlimited=request.unlimited)
    format: int = request.format or KEY_FORMAT_INGATE
    env: int = request.env or KEY_ENV_LIVE
    secret = stated_secret(request.secret) or key_formats.new_secret(format, env)
    if request.secret and not request.format:
        format = key_formats.of_secret(secret)
    default_role = ROLE_ADMIN if request.format == KEY_FORMAT_ADMIN else ROLE_MEMBER
    row = Key(
        id=ids.uuid7(),
        org_id=org_id,
        name=request.name,
        role=request.role if request.HasField("role") else default_role,
        app_id=request.app_id or None,
        team_id=request.team_id or None,
        rate_limit=request.rate_limit_per_minute or None,
        hourly_limit=request.rate_limit_per_hour or None,
        unlimited=request.unlimited,
        created_at=clock.now(),
        expires_at=expiry(request),
        format=format,
        env=env,
        external_id=request.external_id or (f"gk_{token_hex(8)}" if request.format == KEY_FORMAT_ONGOINGAI else None),
        workspace=request.workspace,
        role_label=request.role_label if request.HasField("role_label") else None,
        permissions=permissions(request.permissions),
        description=request.description,
        metadata_json=document(request.metadata),
        active=True,
        fixed=False,
    )
    set_secret(row, secret)
    return row, secret


def replacement(old: Key, secret: str | None) -> tuple[Key, str]:
    """Returns the row that replaces a rotated key, and its secret. The old row loses its external id to the new one."""
    copied = {column.key: getattr(old, column.key) for column in Key.__table__.columns}
    new = Key(**copied | {"id": ids.uuid7(), "created_at": clock.now(), "last_used_at": None, "revoked_at": None})
    old.external_id = None
    return new, renew(new, secret)


def renew(row: Key, secret: str | None) -> str:
    """Gives a key another secret, stated or drawn, and returns it."""
    found = stated_secret(secret or "") or key_formats.new_secret(row.format, row.env)
    set_secret(row, found)
    return found


def set_secret(row: Key, secret: str) -> None:
    """Stores the hash and the preview of a secret in a row."""
    row.secret_hash, row.preview = ids.secret_hash(secret), key_formats.preview(secret)


def stated_secret(secret: str) -> str:
    """Returns a secret that a request states. Raises BadRequest for one that looks like another kind of credential."""
    if secret.startswith(ids.TOKEN_PREFIXES):
        raise BadRequest.field("secret", "must not begin as a session or an invitation does")
    return secret


async def refuse_secret(db: AsyncSession, row: Key) -> None:
    """Raises Conflict if another key has the secret of a row."""
    taken = select(Key.id).where(Key.secret_hash == row.secret_hash, Key.id != row.id)
    with db.no_autoflush:
        if await db.scalar(taken):
            raise Conflict("the secret is that of another key", fields=_SECRET_TAKEN)


async def refuse_external_id(db: AsyncSession, row: Key) -> None:
    """Raises Conflict if another key has the external id of a row."""
    named = or_(Key.external_id == row.external_id, Key.id == row.external_id)
    mine = (Key.org_id == row.org_id, Key.id != row.id, named)
    if row.external_id and await db.scalar(select(Key.id).where(*mine)):
        raise Conflict(f"external_id {row.external_id} is taken", fields={"external_id": "is taken"})


def check_limits(request: CreateKeyRequest | UpdateKeyRequest, *, unlimited: bool) -> None:
    """Raises BadRequest for a request that states limits of an unlimited key."""
    if unlimited and any(getattr(request, name) for name in LIMITS):
        raise BadRequest.field("unlimited", "must not be stated beside a limit")


def permissions(stated: Iterable[str]) -> list[str]:
    """Returns permissions without duplicates, as stored. Raises BadRequest for one that is too long."""
    kept = list(dict.fromkeys(stated))
    for index, word in enumerate(kept):
        if len(word) > MAX_PERMISSION:
            raise BadRequest.field(f"permissions[{index}]", f"must have at most {MAX_PERMISSION} characters")
    return kept


def document(text: bytes) -> str:
    """Returns a JSON object as stored. Raises BadRequest for any other text."""
    if not text:
        return ""
    try:
        if isinstance(msgspec.json.decode(text), dict):
            return text.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    raise BadRequest.field("metadata", "must be a JSON object")


def expiry(request: CreateKeyRequest | UpdateKeyRequest) -> int | None:
    """Returns the expiry in a request, None for none. Raises BadRequest for one that is not in the future."""
    if not request.HasField("expires_at"):
        return None
    expires_at = clock.from_proto(request.expires_at)
    if expires_at <= clock.now():
        raise BadRequest.field("expires_at", "must be in the future")
    return expires_at
