"""Each vendor's way to say that a request failed. Knows faults, not what caused them."""

from collections.abc import Callable
from typing import Any

from ingate.formats import Vendor
from ingate.providers.demo.answers import Answer, Stamp, whole
from ingate.providers.demo.fields import Fault

RETRY_SECONDS = 1
RETRIED = frozenset({429, 503, 529})
"""Statuses that say when to try again."""

REQUEST_ID_HEADERS = {Vendor.OPENAI: b"x-request-id", Vendor.ANTHROPIC: b"request-id"}
"""The header that carries the request's identifier, of vendors that have one."""

_OWN_CODES = {
    401: "invalid_api_key",
    402: "insufficient_quota",
    403: "permission_denied",
    404: "model_not_found",
    408: "request_timeout",
    413: "request_too_large",
    429: "rate_limit_exceeded",
}


def failed(vendor: Vendor, fault: Fault, stamp: Stamp) -> Answer:
    """Returns the fault as the vendor answers it."""
    return whole(_FAILURES[vendor](fault, stamp), fault.status)


def always(status: int, model: str) -> Fault:
    """Returns the fault of a model that answers nothing but a status."""
    code = _OWN_CODES.get(status, "server_error" if status >= 500 else "invalid_request")
    return Fault(status, f"The model '{model[:100]}' answers every request with status {status}.", code)


_OPENAI_TYPES = {401: "authentication_error", 402: "insufficient_quota", 403: "permission_error", 429: "requests"}


def _openai(fault: Fault, _: Stamp) -> Any:
    kind = _OPENAI_TYPES.get(fault.status, "server_error" if fault.status >= 500 else "invalid_request_error")
    error = {"message": fault.message, "type": kind, "param": fault.field, "code": fault.code}
    return {"error": error}


_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def _anthropic(fault: Fault, stamp: Stamp) -> Any:
    kind = _ANTHROPIC_TYPES.get(fault.status, "api_error" if fault.status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": fault.message}, "request_id": stamp.name("req_")}


_GEMINI_STATUSES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _gemini(fault: Fault, _: Stamp) -> Any:
    status = _GEMINI_STATUSES.get(fault.status, "INTERNAL" if fault.status >= 500 else "INVALID_ARGUMENT")
    error: dict[str, Any] = {"code": fault.status, "message": fault.message, "status": status}
    if fault.field is not None and fault.status == 400:
        violation = {"field": fault.field, "description": fault.message}
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
    return {"error": error}


def _ollama(fault: Fault, _: Stamp) -> Any:
    return {"error": fault.message}


_FAILURES: dict[Vendor, Callable[[Fault, Stamp], Any]] = {
    Vendor.OPENAI: _openai,
    Vendor.ANTHROPIC: _anthropic,
    Vendor.GEMINI: _gemini,
    Vendor.OLLAMA: _ollama,
}
