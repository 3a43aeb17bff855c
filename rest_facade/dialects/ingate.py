"""The Ingate dialect: the routes that the protos state, bare JSON, flat errors. Knows words and statuses, no rpc."""

import math
import re
from typing import Any

import grpc
from msgspec import Raw

from ingate.errors import BadRequest, Unauthenticated
from ingate.formats import REQUEST_ID_HEADERS, VENDORS, Fault, Vendor, detect, error_members
from ingate.ids import KEY_PREFIXES, SESSION_PREFIX
from ingate.proxy.plan import speaks_of
from ingate.proxy.ports import Headers as Pairs
from ingate.rpc.status import INTERNAL_MESSAGE, Failure
from rest_facade.call import Metadata
from rest_facade.cors import Cors
from rest_facade.dialects.base import Answer, Dialect, Headers
from rest_facade.query import Pairs as Query
from rest_facade.routes import Route, native_routes
from rest_facade.wire import NUMBER, encode

NAME = "ingate"

KEY_HEADER = "X-Ingate-Key"
_SDK_KEY_HEADERS = ("x-api-key", "x-goog-api-key")
_QUERY_KEYS = frozenset({"key", "api_key"})
_OLLAMA_ROOT = "/api/"
_CREDENTIAL = re.compile(r"[\x21-\x7e]{1,4096}")

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


def dialect(cors: Cors | None = None, more: tuple[Route, ...] = ()) -> Dialect:
    """Returns the dialect, with more routes than the protos state; `cors` says who may read answers elsewhere."""
    return Dialect(NAME, claims, (*native_routes(NAME), *more), credentials, error, proxy_error, cors=cors)


def codes() -> frozenset[str]:
    """Returns every `code` that an error can have."""
    return frozenset(code for _, code in (*BY_REASON.values(), *_BY_CODE.values())) | {"internal"}


def claims(path: str) -> bool:
    """Tells whether a path is for the gateway itself rather than for a provider."""
    return path.startswith(("/api/v1/", "/ui/")) or path in {"/api/v1", "/ui", "/healthz", "/v1/traces"}


def credentials(headers: Headers, query: Query) -> Metadata:
    """Returns the caller's key or session as metadata, nothing where there is none.

    Raises BadRequest for keys in the query and for credentials that contradict each other, Unauthenticated for
    what cannot be a credential. An Authorization header beside a key that is not Ingate's own is a provider's.
    """
    refuse_query_key(query, management=True)
    keys = {value for value in headers.getall(KEY_HEADER, ()) if value}
    bearers = {token for value in headers.getall("Authorization", ()) if (token := _bearer(value))}
    keys |= {token for token in bearers if _is_key(token)}
    for name in _SDK_KEY_HEADERS:
        keys |= {value for value in headers.getall(name, ()) if _is_key(value)}
    bearers -= keys
    if keys:
        if len(keys) > 1 or any(token.startswith(SESSION_PREFIX) for token in bearers):
            raise BadRequest("the request carries credentials that contradict each other")
        return [("x-ingate-key", _credential(keys.pop()))]
    if len(bearers) > 1:
        raise BadRequest("the request carries credentials that contradict each other")
    return [("authorization", f"Bearer {_credential(token)}") for token in bearers]


def refuse_query_key(query: Query, *, management: bool) -> None:
    """Raises BadRequest for a key in the query: an Ingate key anywhere, `key` of any value on management paths."""
    for name, value in query:
        if name in _QUERY_KEYS and (_is_key(value) or (management and name == "key")):
            raise BadRequest(f"keys are not accepted in the query: send yours in the header {KEY_HEADER}")


def error(failure: Failure, _route: Route | None, request_id: str) -> Answer:
    """Returns the flat error body: `code`, `message`, `request_id`, details and documented extras, older aliases."""
    status, body = _error(failure, request_id)
    return Answer(status, encode(body), tuple(_headers(status, failure)))


def proxy_error(failure: Failure, path: str, headers: Pairs, request_id: str) -> Answer:
    """Returns the same with the members by which the clients of the API that a path belongs to know an error."""
    status, body = _error(failure, request_id)
    vendor = _vendor(path, headers)
    if vendor is not None:
        wait = failure.retry_after if status in _WAITING else None
        fault = Fault(status, body["code"], body["message"], next(iter(failure.fields), None), wait, request_id)
        body |= error_members(vendor, fault)
    said = _headers(status, failure)
    if vendor in REQUEST_ID_HEADERS:
        said.append((REQUEST_ID_HEADERS[vendor], request_id))
    return Answer(status, encode(body), tuple(said))


def _vendor(path: str, headers: Pairs) -> Vendor | None:
    """Returns whose API a raw path belongs to, as it and the headers tell; None for one that is nobody's."""
    found = VENDORS.get(detect(path)) or speaks_of(path, headers)
    return found or (Vendor.OLLAMA if path.startswith(_OLLAMA_ROOT) else None)


def _error(failure: Failure, request_id: str) -> tuple[int, dict[str, Any]]:
    status, code = BY_REASON.get(failure.reason) or _BY_CODE.get(failure.code) or BY_REASON["INTERNAL"]
    message = failure.message if code != "internal" else INTERNAL_MESSAGE
    body: dict[str, Any] = {"code": code, "message": message, "request_id": request_id}
    if failure.fields:
        body["details"] = [{"field": name, "message": problem} for name, problem in failure.fields.items()]
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


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_key(value: str) -> bool:
    return value.startswith(KEY_PREFIXES)


def _credential(value: str) -> str:
    # gRPC metadata is printable ASCII, and no credential of ours is anything else.
    if not _CREDENTIAL.fullmatch(value):
        raise Unauthenticated("the credential is not valid")
    return value


INGATE = dialect()
"""The dialect as it is without cross-origin readers."""
