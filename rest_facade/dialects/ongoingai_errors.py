"""Errors in OngoingAI's words: `{"error": …}` or, for some, plain text. Knows reasons and statuses, no route."""

import math

from ingate.rpc.status import Failure
from rest_facade.answer_headers import Pairs
from rest_facade.asked import Asked
from rest_facade.dialects.base import Answer
from rest_facade.message_json import encode

NO_KEY = "missing or invalid gateway key"
JSON = "application/json"
METHOD_NOT_ALLOWED = "method not allowed"
_NO_PERMISSION = "gateway key does not have required permission"
_TEXT = "text/plain; charset=utf-8"

_BY_REASON = {
    "UNAUTHENTICATED": (401, NO_KEY),
    "FORBIDDEN": (403, ""),
    "METHOD_NOT_ALLOWED": (405, METHOD_NOT_ALLOWED),
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
"""Status and message by reason; an empty message stands for the failure's own."""
_TEXTS = {
    "ROUTE_NOT_FOUND": (404, "404 page not found"),
    "PROVIDER_ERROR": (502, "upstream request failed"),
    "PROVIDER_TIMEOUT": (502, "upstream request failed"),
}
"""Status and text, by reason, of the errors that OngoingAI sends as plain text."""


def answer(status: int, body: object, headers: Pairs = ()) -> Answer:
    """Returns an answer whose body is a JSON value and a line end."""
    return Answer(status, encode(body) + b"\n", headers, JSON)


def refusal(status: int, message: str, headers: Pairs = ()) -> Answer:
    """Returns an error of the dialect."""
    return answer(status, {"error": message}, headers)


def error(failure: Failure, _asked: Asked) -> Answer:
    """Returns the answer for a failure that has no other words on the route of the request."""
    if (text := _TEXTS.get(failure.reason)) is not None:
        return Answer(text[0], text[1].encode(), content_type=_TEXT)
    status, message = _BY_REASON.get(failure.reason, (500, "internal server error"))
    headers: list[tuple[str, str]] = []
    body: dict[str, object] = {"error": message or failure.message}
    if status == 403 and not failure.metadata.keys().isdisjoint(("scope", "scopes", "role")):
        body["error"] = _NO_PERMISSION
    if status == 405:
        headers.append(("Allow", failure.metadata.get("allow", "")))
    if failure.retry_after is not None and status in {429, 503}:
        seconds = max(1, math.ceil(failure.retry_after))
        headers.append(("Retry-After", str(seconds)))
        if status == 429:
            body |= {"code": "KEY_RATE_LIMIT_EXCEEDED", "retry_after_seconds": seconds}
    return answer(status, body, tuple(headers))
