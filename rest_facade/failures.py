"""Every failure of a request, as one type: the `Failure` of `ingate.rpc.status`. Knows no dialect, no HTTP status.

A failure is identified by its reason. Reasons of the domain are those of `ingate.errors` and what servicers add
to them; the constants below are the facade's own. Other exceptions become INTERNAL, without their text.
"""

from collections.abc import Callable
from dataclasses import replace

import grpc

from ingate.errors import DomainError
from ingate.rpc.status import INTERNAL_MESSAGE, Failure, code_of, from_rpc_error

ROUTE_NOT_FOUND = "ROUTE_NOT_FOUND"
METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
TARGET_TOO_LONG = "TARGET_TOO_LONG"
REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
BAD_REQUEST = "BAD_REQUEST"
INTERNAL = "INTERNAL"
UNAVAILABLE = "UNAVAILABLE"


class Refused(Exception):
    """The facade itself refuses a request."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def of(error: Exception) -> Failure:
    """Returns the failure for an exception, INTERNAL for unexpected ones."""
    if isinstance(error, Refused):
        return error.failure
    if isinstance(error, grpc.aio.AioRpcError):
        return from_rpc_error(error)
    if isinstance(error, DomainError) and error.reason != INTERNAL:
        return Failure(code_of(error), error.reason, error.message, error.fields, error.metadata, error.retry_after)
    return internal()


def renamed(failure: Failure, wire_name: Callable[[str], str]) -> Failure:
    """Returns the failure with its fields named as on the wire."""
    fields = {wire_name(name): problem for name, problem in failure.fields.items()}
    message = failure.message
    for name in failure.fields:
        if message.startswith(f"{name} "):
            message = wire_name(name) + message.removeprefix(name)
            break
    return replace(failure, fields=fields, message=message)


def internal() -> Failure:
    """Returns the failure without details."""
    return Failure(grpc.StatusCode.INTERNAL, INTERNAL, INTERNAL_MESSAGE)


def route_not_found() -> Failure:
    """Returns the failure for an unknown path."""
    return Failure(grpc.StatusCode.NOT_FOUND, ROUTE_NOT_FOUND, "no such route")


def method_not_allowed(allow: tuple[str, ...]) -> Failure:
    """Returns the failure for a verb that a path does not take; `allow` becomes metadata, joined by commas."""
    metadata = {"allow": ", ".join(allow)}
    return Failure(grpc.StatusCode.UNIMPLEMENTED, METHOD_NOT_ALLOWED, "method not allowed", metadata=metadata)


def unsupported_media_type(message: str) -> Failure:
    """Returns the failure for a body of the wrong type or encoding."""
    return Failure(grpc.StatusCode.INVALID_ARGUMENT, UNSUPPORTED_MEDIA_TYPE, message)


def request_timeout() -> Failure:
    """Returns the failure for a request that does not arrive."""
    return Failure(grpc.StatusCode.DEADLINE_EXCEEDED, REQUEST_TIMEOUT, "the request did not arrive in time")


def crowded() -> Failure:
    """Returns the failure for a connection beyond the bound of the process."""
    return Failure(grpc.StatusCode.UNAVAILABLE, UNAVAILABLE, "too many connections", retry_after=1)


def headers_too_large() -> Failure:
    """Returns the failure for a header, or all of them together, beyond the limit."""
    return Failure(grpc.StatusCode.INVALID_ARGUMENT, HEADERS_TOO_LARGE, "the request headers are too large")


def target_too_long() -> Failure:
    """Returns the failure for a path and query beyond the limit."""
    return Failure(grpc.StatusCode.INVALID_ARGUMENT, TARGET_TOO_LONG, "the request target is too long")


def bad_request(message: str) -> Failure:
    """Returns the failure for a request that breaks a rule of HTTP, or of paths and queries."""
    return Failure(grpc.StatusCode.INVALID_ARGUMENT, BAD_REQUEST, message)
