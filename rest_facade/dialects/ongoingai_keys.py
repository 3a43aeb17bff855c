"""Gateway keys in OngoingAI's words: roles and permissions, bodies, answers, and the keys that settings state. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gen.ingate.access.v1.access_pb2 import (
    ROLE_ADMIN,
    ROLE_MEMBER,
    ROLE_VIEWER,
    SCOPE_KEYS,
    SCOPE_PROXY,
    SCOPE_READ,
    Role,
    Scope,
)
from gen.ingate.keys.v1.key_pb2 import KEY_FORMAT_ONGOINGAI
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest
from ingate.errors import BadRequest, NotFound
from ingate.ids import INVITATION_PREFIX, SESSION_PREFIX

INVALID_BODY = "invalid json body"
DEFAULT_ROLE = "developer"
DEFAULT_WORKSPACE = "default"
OPEN_ID = "~ongoingai-without-key"
"""The external id of the key on whose record calls land that need none. Nobody can give another key such an id."""

_UNNAMED = "unnamed"
"""The name of a key whose creator gives it none, which is not shown."""
_PERMISSIONS = {"proxy:write": SCOPE_PROXY, "analytics:read": SCOPE_READ, "keys:manage": SCOPE_KEYS}
_MEMBER = frozenset({"proxy:write", "analytics:read"})
_OF_ROLE = {
    "owner": frozenset(_PERMISSIONS),
    "admin": frozenset(_PERMISSIONS),
    "developer": _MEMBER,
    "member": _MEMBER,
    "": _MEMBER,
    "viewer": frozenset({"analytics:read"}),
}
"""What roles allow; others allow nothing."""
_CREATED = frozenset({"id", "token", "org_id", "workspace_id", "name", "description", "role", "permissions"})
_STATED = _CREATED | {"team", "created_by"}
_SHOWN_SCOPES = {"proxy": "proxy:write", "read": "analytics:read", "keys": "keys:manage", "admin": "keys:manage"}
_TOKEN = re.compile(r"[!-~]{8,512}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+~-]{0,127}")
MAX_STATED = 1000


def access(role: str, permissions: Iterable[str]) -> tuple[Role.ValueType, list[Scope.ValueType]]:
    """Returns the least role and the scopes with which a key may do what a role and permissions allow."""
    effective = _OF_ROLE.get(role, frozenset()) | set(permissions)
    scopes = sorted(_PERMISSIONS[word] for word in effective if word in _PERMISSIONS)
    if SCOPE_KEYS in scopes:
        return ROLE_ADMIN, scopes
    return ROLE_MEMBER if SCOPE_PROXY in scopes else ROLE_VIEWER, scopes


def created(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of CreateKey, by the route's names, for a body. Raises BadRequest for an invalid one."""
    found = _fields(arguments, _CREATED)
    role = found.get("role", "").lower() or DEFAULT_ROLE
    permissions = _words(found.get("permissions", ()))
    number, scopes = access(role, permissions)
    return {
        "name": found.get("name") or _UNNAMED,
        "format": "ongoingai",
        "role": Role.Name(number).removeprefix("ROLE_").lower(),
        "scopes": [Scope.Name(scope).removeprefix("SCOPE_").lower() for scope in scopes],
        "no_scopes": not scopes,
        "role_label": role,
        "permissions": permissions,
        "workspace_id": found.get("workspace_id") or DEFAULT_WORKSPACE,
        "own_workspace": True,
        **{name: found[name] for name in ("id", "token", "description") if found.get(name)},
    }


def rotated(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of RotateKey, by the route's names, for a path and a body. Raises as `created` does."""
    path = {"id": addressed(arguments)["id"], "in_place": True}
    found = _fields({name: value for name, value in arguments.items() if name != "id"}, frozenset({"token"}))
    return path | {name: value for name, value in found.items() if value}


def addressed(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the id in a path. Raises NotFound for one with a slash, which no key has."""
    if "/" in arguments["id"]:
        raise NotFound.of("key", arguments["id"])
    return {"id": arguments["id"]}


def _fields(arguments: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Returns the members of a body by their names in lower case, texts trimmed, without those that are null."""
    found: dict[str, Any] = {}
    for written, value in arguments.items():
        name = written.lower()
        if name not in known or name in found:
            raise BadRequest(INVALID_BODY)
        if name == "permissions" and isinstance(value, list) and all(isinstance(word, str) for word in value):
            found[name] = value
        elif name != "permissions" and isinstance(value, str):
            found[name] = value.strip()
        elif value is not None:
            raise BadRequest(INVALID_BODY)
    return found


def _words(permissions: Iterable[str]) -> list[str]:
    """Returns permissions trimmed, in lower case, each once."""
    return list(dict.fromkeys(word for stated in permissions if (word := stated.strip().lower())))


def shown(key: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a key, as KeyService describes it in JSON, in the dialect's words."""
    labelled = key["role_label"] is not None
    optional = {
        "name": None if key["name"] == _UNNAMED else key["name"],
        "description": key["description"],
        "created_by": key["created_by"],
        "last_used_at": key["last_used_at"],
        "role": key["role_label"] if labelled else key["role"],
        "permissions": key["permissions"]
        if labelled
        else list(dict.fromkeys(_SHOWN_SCOPES[scope] for scope in key["scopes"] if scope in _SHOWN_SCOPES)),
    }
    return {
        "id": key["external_id"] or key["id"],
        "org_id": key["org_id"],
        "workspace_id": key["workspace"] or DEFAULT_WORKSPACE,
        **{name: value for name, value in optional.items() if value},
        "created_at": key["created_at"],
    }


def listed(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a list of keys, newest first, as the dialect has it: oldest first."""
    return {"items": [shown(key) for key in reversed(answer["items"]) if key["external_id"] != OPEN_ID]}


def with_token(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a key that was created or rotated, with its secret."""
    return {**shown(answer), "token": answer["key"]}


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
        found = _fields(entry, _STATED)
    except BadRequest:
        raise BadRequest(
            f"key {number} must have texts, and a list of texts as permissions, named {', '.join(sorted(_STATED))}"
        ) from None
    id, token = found.get("id", ""), found.get("token", "")
    if not _ID.fullmatch(id):
        raise BadRequest(f"key {number} must have an id of letters, digits and . _ : @ + ~ -, at most 128")
    if not _TOKEN.fullmatch(token) or token.startswith((SESSION_PREFIX, INVITATION_PREFIX)):
        raise BadRequest(f"key {number} must have a token of 8 to 512 printable characters without spaces")
    role = found.get("role", "").lower()
    permissions = _words(found.get("permissions", ()))
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
        name=found.get("name") or _UNNAMED,
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
    """Returns the key on whose record calls land that need none: it calls providers, reads, and has no limit."""
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
