"""An error in the words of the API that a caller speaks, as its official clients read it. Pure.

The words are those of the vendors' documents: OpenAI's error codes, Anthropic's errors, Google's `google.rpc.Status`.
"""

import math
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ingate.formats.vendors import Vendor

_OPENAI_TYPES = {429: "rate_limit_error", 503: "service_unavailable_error"}
_OPENAI_CODES = {
    "unauthorized": "invalid_api_key",
    "not_found": "model_not_found",
    "rate_limited": "rate_limit_exceeded",
    "budget_exceeded": "insufficient_quota",
}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_GOOGLE_STATUSES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
REQUEST_ID_HEADERS = {Vendor.OPENAI: "X-Request-Id", Vendor.ANTHROPIC: "Request-Id"}
"""The header in which the clients of a vendor find the id that their exceptions state. Google's have it in the body."""


class Fault(Struct, frozen=True):
    """What went wrong: the HTTP status, the gateway's own code for it, a sentence, and the field at fault if one is.

    `retry_after` is in seconds, `None` where the caller need not wait. `request_id` is empty where none is told.
    """

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after: float | None = None
    request_id: str = ""


def error_members(vendor: Vendor, fault: Fault) -> dict[str, Any]:
    """Returns the members by which a vendor's clients know an error; a body may have others beside them."""
    return _WORDS[vendor](fault)


def _openai(fault: Fault) -> dict[str, Any]:
    code = _OPENAI_CODES.get(fault.code, fault.code)
    kind = "server_error" if fault.status >= 500 else "invalid_request_error"
    kind = code if code == "insufficient_quota" else _OPENAI_TYPES.get(fault.status, kind)
    return {"error": {"message": fault.message, "type": kind, "param": fault.param, "code": code}}


def _anthropic(fault: Fault) -> dict[str, Any]:
    kind = _ANTHROPIC_TYPES.get(fault.status, "api_error" if fault.status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": fault.message}}


def _gemini(fault: Fault) -> dict[str, Any]:
    status = _GOOGLE_STATUSES.get(fault.status, "INTERNAL" if fault.status >= 500 else "INVALID_ARGUMENT")
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": fault.code.upper(), "domain": "ingate"}
    ]
    if fault.param is not None:
        violation = {"field": fault.param, "description": fault.message}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})
    if fault.retry_after is not None:
        delay = f"{max(1, math.ceil(fault.retry_after))}s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    if fault.request_id:
        details.append({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": fault.request_id})
    return {"error": {"code": fault.status, "message": fault.message, "status": status, "details": details}}


def _ollama(fault: Fault) -> dict[str, Any]:
    return {"error": fault.message}


_WORDS: dict[Vendor, Callable[[Fault], dict[str, Any]]] = {
    Vendor.OPENAI: _openai,
    Vendor.ANTHROPIC: _anthropic,
    Vendor.GEMINI: _gemini,
    Vendor.OLLAMA: _ollama,
}
