"""The OngoingAI dialect: root, health, keys, and providers behind a prefix, called with the caller's own credential."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from urllib.parse import unquote

from gen.ingate.providers.v1.provider_pb2 import (
    AUTH_MODE_PASSTHROUGH,
    PROVIDER_TYPE_ANTHROPIC,
    PROVIDER_TYPE_OPENAI,
    ProviderType,
)
from gen.ingate.providers.v1.route_pb2 import Route as Provider
from ingate.errors import BadRequest, Unauthenticated
from ingate.ids import TOKEN_PREFIXES
from ingate.proxy.headers import CREDENTIALS, HOP_BY_HOP, INBOUND_REFUSED, OUTBOUND
from ingate.rpc.status import Failure
from rest_facade import welcome
from rest_facade.answer_headers import Pairs
from rest_facade.asked import Asked, Headers
from rest_facade.call import Metadata
from rest_facade.claims import Claims
from rest_facade.cors import Cors
from rest_facade.credentials import checked
from rest_facade.dialects.base import Answer, Dialect, Ingress, Inputs, NoCredential, nothing_lacks
from rest_facade.dialects.ongoingai_errors import JSON, METHOD_NOT_ALLOWED, NO_KEY, answer, error, refusal
from rest_facade.dialects.ongoingai_key_routes import KEYS, key_error, key_routes, open_routes
from rest_facade.request import Request
from rest_facade.routes import Route

NAME = "ongoingai"
KEY_HEADER = "X-OngoingAI-Gateway-Key"
CORRELATION = "X-OngoingAI-Correlation-ID"

_CORRELATIONS = (CORRELATION, "X-Request-ID", "X-Correlation-ID")
_CORRELATION = re.compile(r"[A-Za-z0-9._:-]+")
_CORRELATION_CHARACTERS = 128
_TIMEOUT_MS = 300_000
_SENT_HEADERS = f"Content-Type, Authorization, X-API-Key, {KEY_HEADER}"
_UNMAPPED = "request is not authorized by gateway policy"
_NO_PROVIDER_KEY = "missing provider API key — pass your provider key via Authorization or X-API-Key header"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_TAKEN_HEADERS = (HOP_BY_HOP | CREDENTIALS | OUTBOUND | INBOUND_REFUSED) | {
    *(name.lower().encode() for name in _CORRELATIONS),
    *(b"date", b"forwarded", b"last-event-id", b"via", b"x-real-ip"),
    *(b"x-ingate-provider", b"x-ingate-request-id", b"x-ingate-session-id", b"x-ingate-user-id"),
}
_TAKEN_BEGINNINGS = (
    *(b"accept", b"access-control-", b"anthropic-", b"content-", b"expect", b"host", b"if-", b"openai-", b"origin"),
    *(b"sec-", b"x-forwarded-", b"x-goog-"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """How the dialect is set up.

    `openai` and `anthropic` are the base URLs of its two providers, and `header` names the header for the gateway's
    key. `open_key` is the secret of the key under which calls without a key are recorded; None where calls need one.
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
        return answer(200, said)

    guarded = options.open_key is None
    sent = _SENT_HEADERS if options.header.lower() == KEY_HEADER.lower() else f"{_SENT_HEADERS}, {options.header}"
    return Dialect(
        NAME,
        Claims(frozenset({"/", "/api/health"}), (KEYS,)),
        (
            Route(NAME, "*", "/", raw=_root),
            Route(NAME, "GET", "/api/health", raw=health),
            *(key_routes(NAME) if guarded else open_routes(NAME)),
        ),
        partial(_credentials, options),
        partial(_route_error, guarded=guarded),
        ingresses=(
            _ingress("openai", PROVIDER_TYPE_OPENAI, options.openai, options),
            _ingress("anthropic", PROVIDER_TYPE_ANTHROPIC, options.anthropic, options),
        ),
        inputs=Inputs(query=False, media_type=False, untyped=True),
        cors=Cors(methods="GET, POST, DELETE, OPTIONS", request_headers=sent),
        content_type=JSON,
        head=False,
        headers=_correlation,
    )


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
    """Returns the key of the gateway. It has a header of its own, since the usual ones hold the provider's key.

    Raises NoCredential where that is absent, Unauthenticated where it cannot be a key.
    """
    if options.open_key is not None:
        return options.open_key
    stated = {value.strip() for value in headers.getall(options.header, ())} - {""}
    if not stated:
        raise NoCredential(NO_KEY)
    if len(stated) > 1 or any(value.startswith(TOKEN_PREFIXES) for value in stated):
        raise Unauthenticated(NO_KEY)
    return checked(*stated)


def _lacks(headers: Headers) -> str | None:
    if any(value.strip() for name in ("Authorization", "X-API-Key") for value in headers.getall(name, ())):
        return None
    return _NO_PROVIDER_KEY


def _credentials(options: Options, asked: Asked) -> Metadata:
    return [("x-ingate-key", key(options, asked.headers))]


def _route_error(failure: Failure, route: Route | None, asked: Asked, *, guarded: bool) -> Answer:
    """Returns an error of the dialect's own routes; `guarded`: calls need a key.

    As in OngoingAI, a path below `/api` or a method that no permission covers is refused before the key is read. HEAD
    is covered where GET is.
    """
    if failure.reason in {"ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED"}:
        allowed = failure.metadata.get("allow", "")
        if guarded and _is_management(asked.path) and not (asked.method == "HEAD" and "GET" in allowed):
            return refusal(403, _UNMAPPED)
        if allowed:
            # OngoingAI lists OPTIONS last.
            verbs = sorted(allowed.split(", "), key=lambda verb: (verb == "OPTIONS", verb))
            return refusal(405, METHOD_NOT_ALLOWED, (("Allow", ", ".join(verbs)),))
    return key_error(failure, route) or error(failure, asked)


def _is_management(path: str) -> bool:
    decoded = unquote(path)
    return decoded == "/api" or decoded.startswith("/api/")


async def _root(request: Request, _values: Mapping[str, str]) -> Answer:
    page = welcome.page(request.asked)
    if page is not None:
        return page
    return answer(200, {"name": "ongoingai gateway", "version": version("ingate"), "status": "ok"})


def _correlation(asked: Asked) -> Pairs:
    """Returns the correlation header: the id that the caller sent, or one made of the request's id."""
    for name in _CORRELATIONS:
        found = asked.headers.get(name, "").strip()[:_CORRELATION_CHARACTERS]
        if _CORRELATION.fullmatch(found):
            return ((CORRELATION, found),)
    return ((CORRELATION, f"corr-{asked.request_id.replace('-', '')}"),)
