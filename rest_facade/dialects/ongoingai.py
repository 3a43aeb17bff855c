"""The OngoingAI dialect: its root, its health, and providers behind a prefix, called with the caller's own credential.

Knows words and statuses, no rpc.
"""

import math
import re
import time
from collections.abc import Mapping
from importlib.metadata import version

from gen.ingate.providers.v1.provider_pb2 import (
    AUTH_MODE_PASSTHROUGH,
    PROVIDER_TYPE_ANTHROPIC,
    PROVIDER_TYPE_OPENAI,
    ProviderType,
)
from gen.ingate.providers.v1.route_pb2 import Route as Provider
from ingate.errors import Unauthenticated
from ingate.ids import INVITATION_PREFIX, SESSION_PREFIX
from ingate.rpc.status import Failure
from rest_facade import welcome
from rest_facade.asked import Asked, Headers
from rest_facade.call import Metadata
from rest_facade.claims import Claims
from rest_facade.cors import Cors
from rest_facade.credentials import checked
from rest_facade.dialects.base import Answer, Dialect, Ingress, Inputs, NoCredential
from rest_facade.middleware import Pairs
from rest_facade.request import Request
from rest_facade.routes import Route
from rest_facade.wire import encode

NAME = "ongoingai"
KEY_HEADER = "X-OngoingAI-Gateway-Key"
CORRELATION = "X-OngoingAI-Correlation-ID"

_CORRELATIONS = (CORRELATION, "X-Request-ID", "X-Correlation-ID")
_CORRELATION = re.compile(r"[A-Za-z0-9._:-]+")
_CORRELATION_CHARACTERS = 128
_TIMEOUT_MS = 300_000
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_CORS = Cors(
    methods="GET, POST, DELETE, OPTIONS",
    request_headers=f"Content-Type, Authorization, X-API-Key, {KEY_HEADER}",
)
_NO_KEY = "missing or invalid gateway key"
_NO_PERMISSION = "gateway key does not have required permission"
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
_TEXTS = {
    "ROUTE_NOT_FOUND": (404, "404 page not found"),
    "PROVIDER_ERROR": (502, "upstream request failed"),
    "PROVIDER_TIMEOUT": (502, "upstream request failed"),
}
"""What the original says in plain text."""


def dialect(openai: str, anthropic: str) -> Dialect:
    """Returns the dialect; the arguments are the base URLs of its two providers."""
    started = time.monotonic()

    async def health(_request: Request, _values: Mapping[str, str]) -> Answer:
        said = {"status": "ok", "version": version("ingate"), "uptime_sec": int(time.monotonic() - started)}
        return _answer(200, said)

    return Dialect(
        NAME,
        Claims(frozenset({"/", "/api/health"})),
        (Route(NAME, "*", "/", raw=_root), Route(NAME, "GET", "/api/health", raw=health)),
        _credentials,
        lambda failure, _route, asked: error(failure, asked),
        ingresses=(
            _ingress("openai", PROVIDER_TYPE_OPENAI, openai),
            _ingress("anthropic", PROVIDER_TYPE_ANTHROPIC, anthropic),
        ),
        inputs=Inputs(query=False, media_type=False),
        cors=_CORS,
        content_type=_JSON,
        head=False,
        headers=_correlation,
    )


def _ingress(name: str, type: ProviderType.ValueType, base_url: str) -> Ingress:
    provider = Provider(
        name=name, type=type, base_url=base_url, auth_mode=AUTH_MODE_PASSTHROUGH, timeout_ms=_TIMEOUT_MS, shared=True
    )
    return Ingress(
        name,
        key,
        error,
        Claims(roots=(f"/{name}",)),
        frozenset({KEY_HEADER.lower().encode()}),
        prefix=f"/{name}",
        provider=provider,
        lacks=_lacks,
    )


def key(headers: Headers, _query: str) -> str:
    """Returns the gateway's key, which is in a header of its own: the others are the provider's."""
    stated = {value.strip() for value in headers.getall(KEY_HEADER, ())} - {""}
    if not stated:
        raise NoCredential(_NO_KEY)
    if len(stated) > 1 or any(value.startswith((SESSION_PREFIX, INVITATION_PREFIX)) for value in stated):
        raise Unauthenticated(_NO_KEY)
    return checked(*stated)


def _lacks(headers: Headers) -> str | None:
    if any(value.strip() for name in ("Authorization", "X-API-Key") for value in headers.getall(name, ())):
        return None
    return _NO_PROVIDER_KEY


def _credentials(_asked: Asked) -> Metadata:
    return ()


def error(failure: Failure, _asked: Asked) -> Answer:
    """Returns `{"error": …}`, or plain text where the original says it so."""
    if (text := _TEXTS.get(failure.reason)) is not None:
        return Answer(text[0], text[1].encode(), content_type=_TEXT)
    status, words = _BY_REASON.get(failure.reason, (500, "internal server error"))
    headers: list[tuple[str, str]] = []
    body: dict[str, object] = {"error": words or failure.message}
    if status == 403 and "scope" in failure.metadata:
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
