"""The OngoingAI dialect: root, health, keys, and providers behind a prefix, called with the caller's own credential.

Knows words and statuses, no rpc.
"""

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any
from urllib.parse import unquote

from gen.ingate.providers.v1.provider_pb2 import (
    AUTH_MODE_PASSTHROUGH,
    PROVIDER_TYPE_ANTHROPIC,
    PROVIDER_TYPE_OPENAI,
    ProviderType,
)
from gen.ingate.providers.v1.route_pb2 import Route as Provider
from ingate.errors import BadRequest, Unauthenticated
from ingate.ids import INVITATION_PREFIX, SESSION_PREFIX
from ingate.proxy.headers import CREDENTIALS, HOP_BY_HOP, INBOUND_REFUSED, OUTBOUND
from ingate.rpc.status import Failure
from rest_facade import welcome
from rest_facade.answer_headers import Pairs
from rest_facade.asked import Asked, Headers
from rest_facade.call import Metadata
from rest_facade.claims import Claims
from rest_facade.cors import Cors
from rest_facade.credentials import checked
from rest_facade.dialects import ongoingai_keys
from rest_facade.dialects.base import Answer, Dialect, Ingress, Inputs, NoCredential, nothing_lacks
from rest_facade.endpoints import beside_path, plain
from rest_facade.message_json import encode
from rest_facade.request import Request
from rest_facade.routes import RawHandler, Route

NAME = "ongoingai"
KEY_HEADER = "X-OngoingAI-Gateway-Key"
CORRELATION = "X-OngoingAI-Correlation-ID"

_CORRELATIONS = (CORRELATION, "X-Request-ID", "X-Correlation-ID")
_CORRELATION = re.compile(r"[A-Za-z0-9._:-]+")
_CORRELATION_CHARACTERS = 128
_TIMEOUT_MS = 300_000
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_KEYS = "/api/gateway-keys"
_KEY = f"{_KEYS}/{{id}}"
_ROTATE = f"{_KEY}/rotate"
_MAX_BODY = 64 * 1024
_SERVICE = "ingate.keys.v1.KeyService."
_MANAGERS = ("keys", "admin")
_SENT_HEADERS = f"Content-Type, Authorization, X-API-Key, {KEY_HEADER}"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_TAKEN_HEADERS = (HOP_BY_HOP | CREDENTIALS | OUTBOUND | INBOUND_REFUSED) | {
    *(b"x-request-id", b"x-correlation-id", CORRELATION.lower().encode(), b"date", b"forwarded", b"last-event-id"),
    *(b"via", b"x-real-ip", b"x-ingate-provider", b"x-ingate-request-id", b"x-ingate-session-id", b"x-ingate-user-id"),
}
_TAKEN_BEGINNINGS = (
    *(b"accept", b"access-control-", b"anthropic-", b"content-", b"expect", b"host", b"if-", b"openai-", b"origin"),
    *(b"sec-", b"x-forwarded-", b"x-goog-"),
)
_NO_KEY = "missing or invalid gateway key"
_NO_PERMISSION = "gateway key does not have required permission"
_UNMAPPED = "request is not authorized by gateway policy"
_FIXED = "gateway key mutations are not supported by this config store"
_NO_PROVIDER_KEY = "missing provider API key — pass your provider key via Authorization or X-API-Key header"

# reason → status and words; where there are none, the failure's own.
_BY_REASON = {
    "UNAUTHENTICATED": (401, _NO_KEY),
    "FORBIDDEN": (403, ""),
    "METHOD_NOT_ALLOWED": (405, "method not allowed"),
    "RATE_LIMITED": (429, "request rate limit exceeded for key"),
    "PAYLOAD_TOO_LARGE": (413, "request body too large"),
    "UNAVAILABLE": (503, "gateway key verification unavailable"),
    "STORAGE_FULL": (503, ""),
    "NOT_IMPLEMENTED": (502, ""),
    "BAD_REQUEST": (400, ""),
    "REQUEST_TIMEOUT": (408, ""),
    "TARGET_TOO_LONG": (414, ""),
    "HEADERS_TOO_LARGE": (431, ""),
}
_ACTIONS = {("GET", _KEYS): "list", ("POST", _KEYS): "create", ("DELETE", _KEY): "revoke", ("POST", _ROTATE): "rotate"}
_TEXTS = {
    "ROUTE_NOT_FOUND": (404, "404 page not found"),
    "PROVIDER_ERROR": (502, "upstream request failed"),
    "PROVIDER_TIMEOUT": (502, "upstream request failed"),
}
"""What the original says in plain text."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the dialect is set up.

    `openai` and `anthropic` are the base URLs of its two providers, `header` is where the gateway's key is. `open_key`
    is the secret of the key on whose record calls land that show none; None where a key is needed.
    """

    openai: str
    anthropic: str
    header: str = KEY_HEADER
    open_key: str | None = None


def key_header(name: str) -> None:
    """Checks the name of the header for keys. Raises BadRequest for one that has another meaning."""
    raw = name.lower().encode()
    if not _HEADER.fullmatch(name) or raw in _TAKEN_HEADERS or raw.startswith(_TAKEN_BEGINNINGS):
        raise BadRequest.field("ongoingai_auth_header", "must be the name of a header that has no other meaning")


def dialect(options: Options) -> Dialect:
    """Returns the dialect."""
    started = time.monotonic()

    async def health(_request: Request, _values: Mapping[str, str]) -> Answer:
        said = {"status": "ok", "version": version("ingate"), "uptime_sec": int(time.monotonic() - started)}
        return _answer(200, said)

    guarded = options.open_key is None
    sent = _SENT_HEADERS if options.header.lower() == KEY_HEADER.lower() else f"{_SENT_HEADERS}, {options.header}"
    return Dialect(
        NAME,
        Claims(frozenset({"/", "/api/health"}), (_KEYS,)),
        (
            Route(NAME, "*", "/", raw=_root),
            Route(NAME, "GET", "/api/health", raw=health),
            *(_key_routes() if guarded else _open_routes()),
        ),
        partial(_credentials, options),
        partial(_error, guarded=guarded),
        ingresses=(
            _ingress("openai", PROVIDER_TYPE_OPENAI, options.openai, options),
            _ingress("anthropic", PROVIDER_TYPE_ANTHROPIC, options.anthropic, options),
        ),
        inputs=Inputs(query=False, media_type=False, untyped=True),
        cors=Cors(methods="GET, POST, DELETE, OPTIONS", request_headers=sent),
        content_type=_JSON,
        head=False,
        headers=_correlation,
    )


def _listing(scopes: tuple[str, ...]) -> Route:
    return Route(
        NAME,
        "GET",
        _KEYS,
        f"{_SERVICE}ListKeys",
        accept=lambda _: {"limit": 200, "live": True},
        shape=ongoingai_keys.listed,
        scopes=scopes,
        whole=True,
    )


def _key_routes() -> tuple[Route, ...]:
    return (
        _listing(_MANAGERS),
        Route(
            NAME,
            "POST",
            _KEYS,
            f"{_SERVICE}CreateKey",
            body="*",
            success=201,
            renames={"id": "external_id", "token": "secret", "workspace_id": "workspace"},
            accept=ongoingai_keys.created,
            shape=ongoingai_keys.with_token,
            max_body=_MAX_BODY,
        ),
        Route(
            NAME,
            "DELETE",
            _KEY,
            f"{_SERVICE}RevokeKey",
            success=204,
            renames={"id": "key_id"},
            accept=lambda arguments: ongoingai_keys.addressed(arguments) | {"live": True},
        ),
        Route(
            NAME,
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


def _open_routes() -> tuple[Route, ...]:
    """Returns the routes where anybody may call: keys are listed, and nobody changes them."""

    def refusing(accept: Callable[[dict[str, Any]], object]) -> RawHandler:
        async def refuse(request: Request, values: Mapping[str, str]) -> Answer:
            body = await request.read(_MAX_BODY)
            accept(beside_path(plain(body), values))
            return _answer(501, {"error": _FIXED})

        return refuse

    return (
        _listing(()),
        Route(NAME, "POST", _KEYS, raw=refusing(ongoingai_keys.created)),
        Route(NAME, "DELETE", _KEY, raw=_fixed),
        Route(NAME, "POST", _ROTATE, raw=refusing(ongoingai_keys.rotated)),
    )


async def _fixed(_request: Request, _values: Mapping[str, str]) -> Answer:
    return _answer(501, {"error": _FIXED})


def _ingress(name: str, type: ProviderType.ValueType, base_url: str, options: Options) -> Ingress:
    provider = Provider(
        name=name, type=type, base_url=base_url, auth_mode=AUTH_MODE_PASSTHROUGH, timeout_ms=_TIMEOUT_MS, shared=True
    )
    header = frozenset({options.header.lower().encode(), KEY_HEADER.lower().encode()})
    return Ingress(
        name,
        partial(key, options),
        error,
        Claims(roots=(f"/{name}",)),
        header,
        prefix=f"/{name}",
        provider=provider,
        lacks=_lacks if options.open_key is None else nothing_lacks,
        drops=header,
    )


def key(options: Options, headers: Headers, _query: str = "") -> str:
    """Returns the gateway's key, which is in a header of its own: the others are the provider's."""
    if options.open_key is not None:
        return options.open_key
    stated = {value.strip() for value in headers.getall(options.header, ())} - {""}
    if not stated:
        raise NoCredential(_NO_KEY)
    if len(stated) > 1 or any(value.startswith((SESSION_PREFIX, INVITATION_PREFIX)) for value in stated):
        raise Unauthenticated(_NO_KEY)
    return checked(*stated)


def _lacks(headers: Headers) -> str | None:
    if any(value.strip() for name in ("Authorization", "X-API-Key") for value in headers.getall(name, ())):
        return None
    return _NO_PROVIDER_KEY


def _credentials(options: Options, asked: Asked) -> Metadata:
    return [("x-ingate-key", key(options, asked.headers))]


def _error(failure: Failure, route: Route | None, asked: Asked, *, guarded: bool) -> Answer:
    """Returns an error of the dialect's own routes; `guarded`: a key is needed.

    What no permission is for is refused as such before a key is looked at. A path that takes GET takes HEAD as far as
    that goes.
    """
    if failure.reason in {"ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED"}:
        allowed = failure.metadata.get("allow", "")
        if guarded and _is_management(asked.path) and not (asked.method == "HEAD" and "GET" in allowed):
            return _refusal(403, _UNMAPPED)
        if allowed:
            # OPTIONS goes last, as the original says it.
            verbs = sorted(allowed.split(", "), key=lambda verb: (verb == "OPTIONS", verb))
            return _refusal(405, _BY_REASON["METHOD_NOT_ALLOWED"][1], (("Allow", ", ".join(verbs)),))
    action = _ACTIONS.get((route.verb, route.template)) if route else None
    return (_key_error(failure, action) if action else None) or error(failure, asked)


def _key_error(failure: Failure, action: str) -> Answer | None:
    """Returns the errors that only the routes of keys have."""
    reason = failure.reason
    # A key that was rotated or revoked meanwhile is a conflict over no field.
    gone = reason == "CONFLICT" and action == "rotate" and not failure.fields
    said: tuple[int, str] | None = None
    if "fixed" in failure.metadata:
        said = 501, _FIXED
    elif reason == "NOT_FOUND" or gone:
        said = 404, "gateway key not found"
    elif reason == "CONFLICT":
        said = 409, f"gateway key {'token ' if action == 'rotate' else ''}already exists"
    elif reason == "BAD_REQUEST" and not failure.fields:
        said = 400, ongoingai_keys.INVALID_BODY
    elif reason == "INTERNAL":
        said = 500, f"failed to {action} gateway key{'s' if action == 'list' else ''}"
    return _refusal(*said) if said else None


def _is_management(path: str) -> bool:
    decoded = unquote(path)
    return decoded == "/api" or decoded.startswith("/api/")


def _refusal(status: int, words: str, headers: Pairs = ()) -> Answer:
    return Answer(status, encode({"error": words}) + b"\n", headers, _JSON)


def error(failure: Failure, _asked: Asked) -> Answer:
    """Returns `{"error": …}`, or plain text where the original says it so."""
    if (text := _TEXTS.get(failure.reason)) is not None:
        return Answer(text[0], text[1].encode(), content_type=_TEXT)
    status, words = _BY_REASON.get(failure.reason, (500, "internal server error"))
    headers: list[tuple[str, str]] = []
    body: dict[str, object] = {"error": words or failure.message}
    if status == 403 and not failure.metadata.keys().isdisjoint(("scope", "scopes", "role")):
        body["error"] = _NO_PERMISSION
    if status == 405:
        headers.append(("Allow", failure.metadata.get("allow", "")))
    if failure.retry_after is not None and status in {429, 503}:
        seconds = max(1, math.ceil(failure.retry_after))
        headers.append(("Retry-After", str(seconds)))
        if status == 429:
            body |= {"code": "KEY_RATE_LIMIT_EXCEEDED", "retry_after_seconds": seconds}
    return Answer(status, encode(body) + b"\n", tuple(headers), _JSON)


async def _root(request: Request, _values: Mapping[str, str]) -> Answer:
    page = welcome.page(request.asked)
    if page is not None:
        return page
    return _answer(200, {"name": "ongoingai gateway", "version": version("ingate"), "status": "ok"})


def _answer(status: int, said: object) -> Answer:
    return Answer(status, encode(said) + b"\n", content_type=_JSON)


def _correlation(asked: Asked) -> Pairs:
    """Returns the header by which a caller finds its request in its own logs: the caller's own id, or the request's."""
    for name in _CORRELATIONS:
        found = asked.headers.get(name, "").strip()[:_CORRELATION_CHARACTERS]
        if _CORRELATION.fullmatch(found):
            return ((CORRELATION, found),)
    return ((CORRELATION, f"corr-{asked.request_id.replace('-', '')}"),)
