"""The keys that settings define: those in `ongoingai_keys`, and the key under which calls without one are recorded."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER, SCOPE_PROXY, SCOPE_READ
from gen.ingate.keys.v1.key_pb2 import KEY_FORMAT_ONGOINGAI
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest
from ingate.errors import BadRequest
from ingate.ids import TOKEN_PREFIXES
from rest_facade.dialects.ongoingai_keys import CREATED, DEFAULT_WORKSPACE, OPEN_ID, UNNAMED, access, fields, words

MAX_STATED = 1000
_STATED = CREATED | {"team", "created_by"}
_TOKEN = re.compile(r"[!-~]{8,512}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+~-]{0,127}")


def stated(text: str) -> tuple[tuple[str, CreateKeyRequest], ...]:
    """Returns the keys of the setting `ongoingai_keys`: slugs of organisations, empty where none is named, and keys.

    Raises BadRequest for what is no list of keys, naming the key by its number and never its token.
    """
    try:
        entries = msgspec.json.decode(text or "[]", type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("must be a JSON list of objects, one a key") from None
    if len(entries) > MAX_STATED:
        raise BadRequest(f"must have at most {MAX_STATED} keys")
    keys = tuple(_stated(number, entry) for number, entry in enumerate(entries, 1))
    for name, values in (
        ("id", [(org, key.external_id) for org, key in keys]),
        ("token", [key.secret for _, key in keys]),
    ):
        if len(set(values)) < len(values):
            raise BadRequest(f"must not have two keys with the same {name}")
    return keys


def _stated(number: int, entry: Mapping[str, Any]) -> tuple[str, CreateKeyRequest]:
    try:
        found = fields(entry, _STATED)
    except BadRequest:
        raise BadRequest(
            f"key {number} must have texts, and a list of texts as permissions, named {', '.join(sorted(_STATED))}"
        ) from None
    id, token = found.get("id", ""), found.get("token", "")
    if not _ID.fullmatch(id):
        raise BadRequest(f"key {number} must have an id of letters, digits and . _ : @ + ~ -, at most 128")
    if not _TOKEN.fullmatch(token) or token.startswith(TOKEN_PREFIXES):
        raise BadRequest(f"key {number} must have a token of 8 to 512 printable characters without spaces")
    role = found.get("role", "").lower()
    permissions = words(found.get("permissions", ()))
    for name, value, most in (
        ("name", found.get("name", ""), 200),
        ("description", found.get("description", ""), 2000),
        ("role", role, 64),
        ("workspace_id", found.get("workspace_id", "") + found.get("team", ""), 128),
        ("created_by", found.get("created_by", ""), 128),
        ("permissions", max(permissions, key=len, default=""), 64),
    ):
        if len(value) > most or "\0" in value:
            raise BadRequest(f"key {number} has a {name} of more than {most} characters, or with NUL")
    least, scopes = access(role, permissions)
    request = CreateKeyRequest(
        name=found.get("name") or UNNAMED,
        format=KEY_FORMAT_ONGOINGAI,
        role=least,
        scopes=scopes,
        no_scopes=not scopes,
        role_label=role,
        permissions=permissions,
        workspace=found.get("workspace_id") or found.get("team") or DEFAULT_WORKSPACE,
        description=found.get("description", ""),
        external_id=id,
        secret=token,
    )
    return found.get("org_id", ""), request


def without_key(secret: str) -> CreateKeyRequest:
    """Returns the key under which calls without a key are recorded. It may call providers and read, without a limit."""
    return CreateKeyRequest(
        name="calls without a key",
        format=KEY_FORMAT_ONGOINGAI,
        role=ROLE_MEMBER,
        scopes=[SCOPE_PROXY, SCOPE_READ],
        workspace=DEFAULT_WORKSPACE,
        external_id=OPEN_ID,
        secret=secret,
        unlimited=True,
    )
