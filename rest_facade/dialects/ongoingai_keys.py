"""Gateway keys in OngoingAI's terms: roles and permissions, request bodies and answers. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

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
from ingate.errors import BadRequest, NotFound

INVALID_BODY = "invalid json body"
DEFAULT_ROLE = "developer"
DEFAULT_WORKSPACE = "default"
OPEN_ID = "~ongoingai-without-key"
"""The external id of the key under which calls without a key are recorded. Nobody can give another key such an id."""

UNNAMED = "unnamed"
"""The name of a key that was created without one. It is not shown."""
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
CREATED = frozenset({"id", "token", "org_id", "workspace_id", "name", "description", "role", "permissions"})
_SHOWN_SCOPES = {"proxy": "proxy:write", "read": "analytics:read", "keys": "keys:manage", "admin": "keys:manage"}


def access(role: str, permissions: Iterable[str]) -> tuple[Role.ValueType, list[Scope.ValueType]]:
    """Returns the least role and the scopes with which a key may do what a role and permissions allow."""
    effective = _OF_ROLE.get(role, frozenset()) | set(permissions)
    scopes = sorted(_PERMISSIONS[word] for word in effective if word in _PERMISSIONS)
    if SCOPE_KEYS in scopes:
        return ROLE_ADMIN, scopes
    return ROLE_MEMBER if SCOPE_PROXY in scopes else ROLE_VIEWER, scopes


def created(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of CreateKey, by the route's names, for a body. Raises BadRequest for an invalid one."""
    found = fields(arguments, CREATED)
    role = found.get("role", "").lower() or DEFAULT_ROLE
    permissions = words(found.get("permissions", ()))
    number, scopes = access(role, permissions)
    return {
        "name": found.get("name") or UNNAMED,
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
    found = fields({name: value for name, value in arguments.items() if name != "id"}, frozenset({"token"}))
    return path | {name: value for name, value in found.items() if value}


def addressed(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the id in a path. Raises NotFound for one with a slash, which no key has."""
    if "/" in arguments["id"]:
        raise NotFound.of("key", arguments["id"])
    return {"id": arguments["id"]}


def fields(arguments: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
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


def words(permissions: Iterable[str]) -> list[str]:
    """Returns permissions trimmed, in lower case, each once."""
    return list(dict.fromkeys(word for stated in permissions if (word := stated.strip().lower())))


def shown(key: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a key, as KeyService describes it in JSON, in the dialect's words."""
    labelled = key["role_label"] is not None
    optional = {
        "name": None if key["name"] == UNNAMED else key["name"],
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
