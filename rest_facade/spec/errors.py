"""The errors of a dialect as responses, found by asking it for its words for each reason. Knows no operation."""

from collections.abc import Callable
from typing import Any

import grpc
import msgspec
from google.protobuf.descriptor import MethodDescriptor

from gen.ingate.options.v1 import options_pb2
from ingate.rpc.status import Failure
from rest_facade.asked import nothing
from rest_facade.dialects.base import Answer, Dialect
from rest_facade.routes import Parameter, Route, segments
from rest_facade.spec.schemas import Schema

_REQUEST_ID = "01985b2e-7d1c-7000-8000-000000000000"
_EXAMPLES = {
    "BAD_REQUEST": "name must be a string",
    "UNAUTHENTICATED": "a credential is required",
    "FORBIDDEN": "this takes the role admin",
    "NOT_FOUND": "no such key",
    "REQUEST_TIMEOUT": "the request did not arrive in time",
    "CONFLICT": "the key has been rotated or revoked already",
    "PAYLOAD_TOO_LARGE": "the body is too large",
    "TARGET_TOO_LONG": "the request target is too long",
    "UNSUPPORTED_MEDIA_TYPE": "the body must be sent as application/json",
    "VALIDATION": "expires_at must be in the future",
    "HEADERS_TOO_LARGE": "the request headers are too large",
    "RATE_LIMITED": "the key's requests of this minute are used up",
    "INTERNAL": "internal error",
    "UNAVAILABLE": "the service cannot be reached",
    "STORAGE_FULL": "the disk of the database is full",
}
"""What a management call may be refused for: reason → an example of the message."""
_RESPONSES = {
    400: ("BadRequest", "A path, a query or a body is malformed, or names what the operation does not take."),
    401: ("Unauthorized", "There is no credential, or one that does not work."),
    403: ("Forbidden", "The credential is good and may not do this."),
    404: ("NotFound", "There is no such thing, or none that the caller may know of."),
    408: ("RequestTimeout", "The body did not arrive in time."),
    409: ("Conflict", "The name is taken, or the thing changed meanwhile."),
    413: ("PayloadTooLarge", "The body is larger than a limit allows."),
    414: ("TargetTooLong", "Path and query are longer than a limit allows."),
    415: ("UnsupportedMediaType", "The body is not sent as JSON, or is compressed."),
    422: ("Unprocessable", "The request is well-formed and makes no sense."),
    429: ("TooManyRequests", "Too many requests; `Retry-After` says when to come back."),
    431: ("HeadersTooLarge", "The headers are larger than a limit allows."),
    500: ("Internal", "The fault is the gateway's."),
    503: ("Unavailable", "A part is down or not ready; `Retry-After` says when to come back."),
    507: ("StorageFull", "The disk of the database is full, and nothing was stored."),
}
"""Status → the name of its response, and what it means."""
_ALWAYS = frozenset({"BAD_REQUEST", "TARGET_TOO_LONG", "HEADERS_TOO_LARGE", "RATE_LIMITED", "INTERNAL", "UNAVAILABLE"})
_CREDENTIAL = frozenset({"UNAUTHENTICATED", "FORBIDDEN"})
_BODY = frozenset({"REQUEST_TIMEOUT", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"})
_WRITE = frozenset({"CONFLICT", "STORAGE_FULL", "VALIDATION"})
_WAITING = frozenset({"RATE_LIMITED", "UNAVAILABLE"})
_JSON = "application/json"
_HEADERS = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "How to show a credential.", "schema": {"type": "string"}},
}
"""Headers of errors that the document describes."""


def reasons(route: Route, method: MethodDescriptor) -> frozenset[str]:
    """Returns what calls of a route may be refused for; what only some of them are counts."""
    options = method.GetOptions()
    access = options.Extensions[options_pb2.access]
    names_one = route.body or any(isinstance(part, Parameter) for part in segments(route.template))
    found = _ALWAYS
    if not access.public or route.body:
        found |= _CREDENTIAL
    if not access.public and (names_one or options.Extensions[options_pb2.tenancy].field):
        found |= {"NOT_FOUND"}
    if route.body:
        found |= _BODY
    if route.verb != "GET":
        found |= _WRITE
    return found


class Errors:
    """The errors of a dialect: `schemas` and `responses` are components by name."""

    def __init__(self, dialect: Dialect, schema: Callable[[int], Schema], common: dict[str, Any]) -> None:
        """Asks for each error. `schema` is that of the body by status, `common` the headers of every answer."""
        self.schemas: dict[str, Schema] = {}
        self.responses: dict[str, Any] = {}
        self._statuses: dict[str, int] = {}
        for reason, message in _EXAMPLES.items():
            retry = 30.0 if reason in _WAITING else None
            failure = Failure(grpc.StatusCode.UNKNOWN, reason, message, retry_after=retry)
            answer = dialect.error(failure, None, nothing(_REQUEST_ID))
            self._statuses[reason] = answer.status
            self._add(answer, schema(answer.status), common)

    def of(self, found: frozenset[str]) -> dict[str, Any]:
        """Returns the responses of an operation that may be refused for these reasons, by status."""
        statuses = sorted({self._statuses[reason] for reason in found})
        return {str(status): {"$ref": f"#/components/responses/{_RESPONSES[status][0]}"} for status in statuses}

    def _add(self, answer: Answer, schema: Schema, common: dict[str, Any]) -> None:
        name, description = _RESPONSES[answer.status]
        media = answer.content_type.partition(";")[0]
        if media == _JSON:
            self.schemas[f"{name}Error"] = schema
            said = {
                "schema": {"$ref": f"#/components/schemas/{name}Error"},
                "example": msgspec.json.decode(answer.body),
            }
        else:
            said = {"schema": {"type": "string"}, "example": answer.body.decode()}
        own = {header: _HEADERS[header] for header, _ in answer.headers if header in _HEADERS}
        response = {"description": description, "headers": common | own, "content": {media: said}}
        self.responses.setdefault(name, response)
