"""Each vendor's way to say that a request failed. Knows faults, not what caused them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingate.providers.demo.answers import Answer, Stamp, whole
from ingate.providers.demo.fields import Fault


@dataclass(frozen=True, slots=True)
class Vendor:
    """Whose manners to have: the error body, and the header that carries the request's identifier, if any."""

    failure: Callable[[Fault, Stamp], Any]
    request_id_header: bytes | None


def failed(vendor: Vendor, fault: Fault, stamp: Stamp) -> Answer:
    """Returns the fault as the vendor answers it."""
    return whole(vendor.failure(fault, stamp), fault.status)


def _openai(fault: Fault, _: Stamp) -> Any:
    error = {"message": fault.message, "type": "invalid_request_error", "param": fault.field, "code": fault.code}
    return {"error": error}


_ANTHROPIC_TYPES = {404: "not_found_error", 413: "request_too_large"}


def _anthropic(fault: Fault, stamp: Stamp) -> Any:
    kind = _ANTHROPIC_TYPES.get(fault.status, "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": fault.message}, "request_id": stamp.name("req_")}


_GEMINI_STATUSES = {404: "NOT_FOUND", 405: "UNIMPLEMENTED"}


def _gemini(fault: Fault, _: Stamp) -> Any:
    status = _GEMINI_STATUSES.get(fault.status, "INVALID_ARGUMENT")
    error: dict[str, Any] = {"code": fault.status, "message": fault.message, "status": status}
    if fault.field is not None and fault.status == 400:
        violation = {"field": fault.field, "description": fault.message}
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
    return {"error": error}


def _ollama(fault: Fault, _: Stamp) -> Any:
    return {"error": fault.message}


OPENAI = Vendor(_openai, b"x-request-id")
ANTHROPIC = Vendor(_anthropic, b"request-id")
GEMINI = Vendor(_gemini, None)
OLLAMA = Vendor(_ollama, None)
