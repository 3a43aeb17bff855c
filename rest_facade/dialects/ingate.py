"""The Ingate dialect: the routes that the protos state, bare JSON, flat errors. Knows words and statuses, no rpc."""

import math
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import grpc
from msgspec import Raw

from ingate import vendor_keys
from ingate.errors import BadRequest, Unauthenticated, reason_of
from ingate.formats import REQUEST_ID_HEADERS, VENDORS, Fault, Vendor, detect, error_members
from ingate.ids import KEY_PREFIX, SESSION_PREFIX
from ingate.proxy.plan import speaks_of
from ingate.rpc.status import INTERNAL_MESSAGE, Failure
from rest_facade import welcome
from rest_facade.asked import Asked, Headers
from rest_facade.call import Metadata
from rest_facade.claims import Claims
from rest_facade.cors import Cors
from rest_facade.credentials import checked, is_key, shown
from rest_facade.dialects.base import Answer, Dialect, Ingress, NoCredential
from rest_facade.message_json import NUMBER, encode
from rest_facade.query import parse
from rest_facade.routes import Route, native_routes

NAME = "ingate"

KEY_HEADER = "X-Ingate-Key"
_QUERY_KEY = "key"
"""Where Google's clients may send theirs."""
_QUERY_KEYS = frozenset({_QUERY_KEY, "api_key"})
_OLLAMA_ROOT = "/api/"
_CONTRADICTING = "the request carries credentials that contradict each other"
_MISSING = (
    f"send a key of the gateway, which begins with {KEY_PREFIX}, in X-Ingate-Key or as your SDK's API key: an owner"
    " makes one with POST /api/v1/keys or `ingate keys create`"
)

CLAIMS = Claims(frozenset({"/healthz", "/v1/traces"}), ("/api/v1", "/ui"))
"""What is for the gateway itself rather than for a provider."""

BY_REASON = {
    "BAD_REQUEST": (400, "bad_request"),
    "INJECTION_DETECTED": (400, "injection_detected"),
    "UNAUTHENTICATED": (401, "unauthorized"),
    "FORBIDDEN": (403, "forbidden"),
    "NOT_FOUND": (404, "not_found"),
    "ROUTE_NOT_FOUND": (404, "not_found"),
    "METHOD_NOT_ALLOWED": (405, "method_not_allowed"),
    "REQUEST_TIMEOUT": (408, "bad_request"),
    "CONFLICT": (409, "conflict"),
    "PAYLOAD_TOO_LARGE": (413, "payload_too_large"),
    "TARGET_TOO_LONG": (414, "bad_request"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "bad_request"),
    "VALIDATION": (422, "validation_error"),
    "RATE_LIMITED": (429, "rate_limited"),
    "BUDGET_EXCEEDED": (429, "budget_exceeded"),
    "HEADERS_TOO_LARGE": (431, "bad_request"),
    "INTERNAL": (500, "internal"),
    "NOT_IMPLEMENTED": (501, "not_implemented"),
    "PROVIDER_ERROR": (502, "provider_error"),
    "UNAVAILABLE": (503, "unavailable"),
    # A core older than this facade, in the middle of an upgrade.
    "UNIMPLEMENTED": (503, "unavailable"),
    "CANCELLED": (503, "unavailable"),
    "PROVIDER_TIMEOUT": (504, "provider_timeout"),
    "STORAGE_FULL": (507, "storage_full"),
}
# For reasons that a newer core has and this facade does not know.
_BY_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: (400, "bad_request"),
    grpc.StatusCode.UNAUTHENTICATED: (401, "unauthorized"),
    grpc.StatusCode.PERMISSION_DENIED: (403, "forbidden"),
    grpc.StatusCode.NOT_FOUND: (404, "not_found"),
    grpc.StatusCode.ALREADY_EXISTS: (409, "conflict"),
    grpc.StatusCode.FAILED_PRECONDITION: (422, "validation_error"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (429, "rate_limited"),
    grpc.StatusCode.UNAVAILABLE: (503, "unavailable"),
}

_WAITING = frozenset({429, 503})
"""Statuses with which a caller hears when to come back."""

# Documented extra fields, from the failure's metadata: name → whether it is a number.
_EXTRAS = {
    "BUDGET_EXCEEDED": {"budget_id": False, "current_spend": True, "hard_limit_usd": True},
    "INJECTION_DETECTED": {"score": True},
    "FORBIDDEN": {"feature": False},
}


def dialect(cors: Cors | None = None) -> Dialect:
    """Returns the dialect; `cors` says who may read answers elsewhere."""
    return Dialect(NAME, CLAIMS, native_routes(NAME), credentials, error, unclaimed=PROXY, cors=cors)


def codes(status: int | None = None) -> frozenset[str]:
    """Returns every `code` that an error can have, with this status where one is given."""
    return frozenset(code for of, code in (*BY_REASON.values(), *_BY_CODE.values()) if status in {None, of})


def credentials(asked: Asked) -> Metadata:
    """Returns the caller's key or session as metadata, nothing where there is none.

    Raises BadRequest for keys in the query and for credentials that contradict each other, Unauthenticated for
    what cannot be a credential. An Authorization header beside a key that is not Ingate's own is a provider's.
    """
    if asked.query:
        _refuse_query_key(asked.query)
    found = shown(asked.headers, KEY_HEADER)
    keys = found.stated | found.keys
    bearers = found.bearers - keys
    if len(keys) > 1 or (len(bearers) > 1 and not keys):
        raise BadRequest(_CONTRADICTING)
    if keys:
        if any(token.startswith(SESSION_PREFIX) for token in bearers):
            raise BadRequest(_CONTRADICTING)
        return [("x-ingate-key", checked(*keys))]
    return [("authorization", f"Bearer {checked(token)}") for token in bearers]


def key(headers: Headers, query: str) -> str:
    """Returns the key of a proxied request.

    Without `X-Ingate-Key`, the headers in which SDKs send their key may hold it; beside it, they are a provider's.
    Raises `NoCredential` where there is none, BadRequest for keys that contradict each other, Unauthenticated for what
    is none.
    """
    found = shown(headers, KEY_HEADER)
    keys = found.stated or found.keys
    if not found.stated and any(token.startswith(SESSION_PREFIX) for token in found.others):
        raise Unauthenticated("a session cannot call providers: send a key in X-Ingate-Key")
    if not keys:
        in_query = (value for name, value in parse_qsl(query) if name == _QUERY_KEY)
        raise NoCredential(vendor_keys.advice((*found.others, *in_query)) or _MISSING)
    if len(keys) > 1:
        raise BadRequest("the request carries keys that contradict each other")
    [one] = keys
    return one


def _refuse_query_key(query: str) -> None:
    """Raises BadRequest for a key in the query."""
    for name, value in parse(query, strict=False):
        if name == _QUERY_KEY or (name in _QUERY_KEYS and is_key(value)):
            raise BadRequest(f"keys are not accepted in the query: send yours in the header {KEY_HEADER}")


def error(failure: Failure, _route: Route | None, asked: Asked) -> Answer:
    """Returns the flat error body: `code`, `message`, `request_id`, details and documented extras, older aliases."""
    status, body = _error(failure, asked.request_id)
    return Answer(status, encode(body), tuple(_headers(status, failure)))


def proxy_error(failure: Failure, asked: Asked) -> Answer:
    """Returns the same with the members by which the clients of the API that a path belongs to know an error.

    Who shows a vendor's key as the gateway's is told so once it is not known: a key of the gateway may begin alike.
    """
    if failure.reason == "UNAUTHENTICATED":
        advice = vendor_keys.advice(shown(asked.headers, KEY_HEADER).stated)
        failure = replace(failure, message=advice or failure.message)
    status, body = _error(failure, asked.request_id)
    vendor = _vendor(asked.path, asked.headers)
    if vendor is not None:
        wait = failure.retry_after if status in _WAITING else None
        fault = Fault(status, body["code"], body["message"], next(iter(failure.fields), None), wait, asked.request_id)
        body |= error_members(vendor, fault)
    said = _headers(status, failure)
    if vendor in REQUEST_ID_HEADERS:
        said.append((REQUEST_ID_HEADERS[vendor], asked.request_id))
    return Answer(status, encode(body), tuple(said))


def _vendor(path: str, headers: Headers) -> Vendor | None:
    """Returns whose API a raw path belongs to, as it and the headers tell; None for one that is nobody's."""
    found = VENDORS.get(detect(path)) or speaks_of(path, [(name.lower().encode("latin-1"), b"") for name in headers])
    return found or (Vendor.OLLAMA if path.startswith(_OLLAMA_ROOT) else None)


def _error(failure: Failure, request_id: str) -> tuple[int, dict[str, Any]]:
    status, code = BY_REASON.get(failure.reason) or _BY_CODE.get(failure.code) or BY_REASON["INTERNAL"]
    message = failure.message if code != "internal" else INTERNAL_MESSAGE
    body: dict[str, Any] = {"code": code, "message": message, "request_id": request_id}
    if failure.fields:
        body["details"] = [
            {"field": name, "message": str(problem), "reason": reason_of(problem).lower()}
            for name, problem in failure.fields.items()
        ]
    for name, is_number in _EXTRAS.get(failure.reason, {}).items():
        value = failure.metadata.get(name, "")
        if not is_number and value:
            body[name] = value
        elif NUMBER.fullmatch(value):
            body[name] = Raw(value.encode())
    return status, body | {"error": message, "error_code": code}


def _headers(status: int, failure: Failure) -> list[tuple[str, str]]:
    headers = []
    if status == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    if status == 405:
        headers.append(("Allow", failure.metadata.get("allow", "")))
    if status in _WAITING:
        headers.append(("Retry-After", str(max(1, math.ceil(failure.retry_after or 1)))))
    return headers


PROXY = Ingress("proxy", key, proxy_error, page=welcome.page)
"""Whatever no dialect claims goes to a provider."""

INGATE = dialect()
"""The dialect as it is without cross-origin readers."""
