"""OngoingAI's routes for gateway keys, and the errors that only they have."""

from collections.abc import Callable, Mapping
from typing import Any

from ingate.rpc.status import Failure
from rest_facade.dialects import ongoingai_keys
from rest_facade.dialects.base import Answer
from rest_facade.dialects.ongoingai_errors import refusal
from rest_facade.endpoints import json_members, with_path_values
from rest_facade.request import Request
from rest_facade.routes import RawHandler, Route

KEYS = "/api/gateway-keys"
_KEY = f"{KEYS}/{{id}}"
_ROTATE = f"{_KEY}/rotate"
_ACTIONS = {("GET", KEYS): "list", ("POST", KEYS): "create", ("DELETE", _KEY): "revoke", ("POST", _ROTATE): "rotate"}
_MAX_BODY = 64 * 1024
_SERVICE = "ingate.keys.v1.KeyService."
_MANAGERS = ("keys", "admin")
_FIXED = "gateway key mutations are not supported by this config store"


def _listing(name: str, scopes: tuple[str, ...]) -> Route:
    return Route(
        name,
        "GET",
        KEYS,
        f"{_SERVICE}ListKeys",
        accept=lambda _: {"limit": 200, "live": True},
        shape=ongoingai_keys.listed,
        scopes=scopes,
        whole=True,
    )


def key_routes(name: str) -> tuple[Route, ...]:
    """Returns the routes of a dialect, by its name, where calls need a key."""
    return (
        _listing(name, _MANAGERS),
        Route(
            name,
            "POST",
            KEYS,
            f"{_SERVICE}CreateKey",
            body="*",
            success=201,
            renames={"id": "external_id", "token": "secret", "workspace_id": "workspace"},
            accept=ongoingai_keys.created,
            shape=ongoingai_keys.with_token,
            max_body=_MAX_BODY,
        ),
        Route(
            name,
            "DELETE",
            _KEY,
            f"{_SERVICE}RevokeKey",
            success=204,
            renames={"id": "key_id"},
            accept=lambda arguments: ongoingai_keys.addressed(arguments) | {"live": True},
        ),
        Route(
            name,
            "POST",
            _ROTATE,
            f"{_SERVICE}RotateKey",
            body="*",
            renames={"id": "key_id", "token": "secret"},
            accept=ongoingai_keys.rotated,
            shape=ongoingai_keys.with_token,
            max_body=_MAX_BODY,
        ),
    )


def open_routes(name: str) -> tuple[Route, ...]:
    """Returns the routes where calls need no key: anybody may list keys, and nobody may change them."""

    def refusing(accept: Callable[[dict[str, Any]], object]) -> RawHandler:
        async def refuse(request: Request, values: Mapping[str, str]) -> Answer:
            body = await request.read(_MAX_BODY)
            accept(with_path_values(json_members(body), values))
            return refusal(501, _FIXED)

        return refuse

    return (
        _listing(name, ()),
        Route(name, "POST", KEYS, raw=refusing(ongoingai_keys.created)),
        Route(name, "DELETE", _KEY, raw=_fixed),
        Route(name, "POST", _ROTATE, raw=refusing(ongoingai_keys.rotated)),
    )


async def _fixed(_request: Request, _values: Mapping[str, str]) -> Answer:
    return refusal(501, _FIXED)


def key_error(failure: Failure, route: Route | None) -> Answer | None:
    """Returns an error that only a route of keys has, None for other errors and routes."""
    action = _ACTIONS.get((route.verb, route.template)) if route else None
    if action is None:
        return None
    reason = failure.reason
    # A key that was rotated or revoked meanwhile is a conflict over no field.
    gone = reason == "CONFLICT" and action == "rotate" and not failure.fields
    found: tuple[int, str] | None = None
    if "fixed" in failure.metadata:
        found = 501, _FIXED
    elif reason == "NOT_FOUND" or gone:
        found = 404, "gateway key not found"
    elif reason == "CONFLICT":
        found = 409, f"gateway key {'token ' if action == 'rotate' else ''}already exists"
    elif reason == "BAD_REQUEST" and not failure.fields:
        found = 400, ongoingai_keys.INVALID_BODY
    elif reason == "INTERNAL":
        found = 500, f"failed to {action} gateway key{'s' if action == 'list' else ''}"
    return refusal(*found) if found else None
