"""Domain errors as google.rpc.Status, and back.

Going out, a DomainError becomes a status whose ErrorInfo carries the reason, which is the failure's identity.
Coming in, an AioRpcError becomes a `Failure`, in which a failure of the transport itself has a reason too.
Knows nothing of HTTP and of who raises what.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from ingate.errors import INVALID, DomainError, Problem, ProviderAnswered, ProviderUnreached, reason_of

DOMAIN = "ingate"
DETAILS_KEY = "grpc-status-details-bin"
INTERNAL_MESSAGE = "internal error"

CODES: Mapping[str, grpc.StatusCode] = MappingProxyType(
    {
        "BAD_REQUEST": grpc.StatusCode.INVALID_ARGUMENT,
        "VALIDATION": grpc.StatusCode.INVALID_ARGUMENT,
        "UNAUTHENTICATED": grpc.StatusCode.UNAUTHENTICATED,
        "FORBIDDEN": grpc.StatusCode.PERMISSION_DENIED,
        "NOT_FOUND": grpc.StatusCode.NOT_FOUND,
        "METHOD_NOT_ALLOWED": grpc.StatusCode.UNIMPLEMENTED,
        "NOT_IMPLEMENTED": grpc.StatusCode.UNIMPLEMENTED,
        "CONFLICT": grpc.StatusCode.ALREADY_EXISTS,
        "REQUEST_TIMEOUT": grpc.StatusCode.DEADLINE_EXCEEDED,
        "PAYLOAD_TOO_LARGE": grpc.StatusCode.RESOURCE_EXHAUSTED,
        "RATE_LIMITED": grpc.StatusCode.RESOURCE_EXHAUSTED,
        "UNAVAILABLE": grpc.StatusCode.UNAVAILABLE,
        # Not RESOURCE_EXHAUSTED, which tells a gateway that a batch of records will never be taken.
        "STORAGE_FULL": grpc.StatusCode.UNAVAILABLE,
        # Not UNAVAILABLE, which clients retry by themselves: the provider may have done the work, and charge it.
        "PROVIDER_ERROR": grpc.StatusCode.UNKNOWN,
        "PROVIDER_TIMEOUT": grpc.StatusCode.DEADLINE_EXCEEDED,
        "UNIMPLEMENTED": grpc.StatusCode.UNIMPLEMENTED,
        "INTERNAL": grpc.StatusCode.INTERNAL,
    }
)
"""The gRPC code of each reason. Several reasons share a code, so readers go by the reason."""

_ANSWERED: Mapping[int, grpc.StatusCode] = MappingProxyType(
    {
        400: grpc.StatusCode.INVALID_ARGUMENT,
        404: grpc.StatusCode.NOT_FOUND,
        408: grpc.StatusCode.DEADLINE_EXCEEDED,
        409: grpc.StatusCode.ABORTED,
        413: grpc.StatusCode.INVALID_ARGUMENT,
        422: grpc.StatusCode.INVALID_ARGUMENT,
        429: grpc.StatusCode.RESOURCE_EXHAUSTED,
        504: grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
"""The gRPC code of a provider's status. Never UNAVAILABLE, and nothing that speaks of the caller's own credential."""

# What gRPC itself says, without an ErrorInfo. Its own texts name addresses and libraries, so ours stand in for them.
_TRANSPORT: Mapping[grpc.StatusCode, tuple[str, str]] = MappingProxyType(
    {
        grpc.StatusCode.UNAVAILABLE: ("UNAVAILABLE", "the service cannot be reached"),
        grpc.StatusCode.DEADLINE_EXCEEDED: ("UNAVAILABLE", "the service did not answer in time"),
        grpc.StatusCode.RESOURCE_EXHAUSTED: ("PAYLOAD_TOO_LARGE", "the message is too large"),
        grpc.StatusCode.UNIMPLEMENTED: ("UNIMPLEMENTED", "the service does not offer this"),
        grpc.StatusCode.CANCELLED: ("CANCELLED", "the call was cancelled"),
    }
)

# Trailers are refused whole beyond 8 KiB on many paths. These keep ours under 6: the message at worst triples by
# percent-encoding, the details grow by a third in base64.
_MESSAGE_BYTES = 500
_NAME_BYTES = 100
_VALUE_BYTES = 200
_FIELDS_BYTES = 1600
_METADATA_BYTES = 800
_WORD_BYTES = 500
_LONGEST_RETRY = 365 * 24 * 3600.0


def _clip(text: str, limit: int) -> str:
    # "replace" turns lone surrogates, which JSON can carry and UTF-8 cannot, into question marks.
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def _within(pairs: Mapping[str, str], budget: int, longest: int = _VALUE_BYTES) -> Iterator[tuple[str, str]]:
    for name, value in pairs.items():
        pair = _clip(str(name), _NAME_BYTES), _clip(str(value), longest)
        budget -= len(pair[0].encode()) + len(pair[1].encode()) + 8
        if budget < 0:
            return
        yield pair


def code_of(error: DomainError) -> grpc.StatusCode:
    """Returns the gRPC code of an error: that of its reason, or of the nearest base whose reason has one."""
    if isinstance(error, ProviderUnreached):
        return grpc.StatusCode.UNAVAILABLE
    if isinstance(error, ProviderAnswered):
        refused = 400 <= error.status < 500
        return _ANSWERED.get(error.status, grpc.StatusCode.FAILED_PRECONDITION if refused else grpc.StatusCode.UNKNOWN)
    reasons = (error.reason, *(getattr(cls, "reason", "") for cls in type(error).__mro__))
    return next((CODES[reason] for reason in reasons if reason in CODES), grpc.StatusCode.INTERNAL)


def to_status(error: DomainError) -> status_pb2.Status:
    """Returns the status of an error, each kind of detail at most once, bounded so that it fits in trailers."""
    message = _clip(error.message, _MESSAGE_BYTES)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    info.metadata.update(_within(error.metadata, _METADATA_BYTES, _WORD_BYTES))
    details: list[Message] = [info]
    if error.fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=name, description=words, reason=reason_of(problem))
            for (name, words), problem in zip(_within(error.fields, _FIELDS_BYTES), error.fields.values(), strict=False)
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after is not None and math.isfinite(error.retry_after):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMicroseconds(round(min(max(error.retry_after, 0.0), _LONGEST_RETRY) * 1e6))
        details.append(retry)
    if error.reason == "RATE_LIMITED":
        violation = error_details_pb2.QuotaFailure.Violation(
            subject=_clip(error.metadata.get("subject", ""), _VALUE_BYTES), description=_clip(message, _VALUE_BYTES)
        )
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    status = status_pb2.Status(code=code_of(error).value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return status


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call as its caller sees it. The message is fit for people outside."""

    code: grpc.StatusCode
    reason: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    """Seconds."""


def _status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def from_rpc_error(error: grpc.aio.AioRpcError) -> Failure:
    """Returns what a failed call says. One that carries no ErrorInfo comes from the transport and gets our words."""
    code = error.code()
    status = _status_of(error)
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_after = None
    for detail in status.details if status is not None else ():
        try:
            if detail.Unpack(retry):
                retry_after = retry.retry_delay.ToMicroseconds() / 1e6
            elif not detail.Unpack(info):
                detail.Unpack(request)
        except DecodeError:
            continue
    if status is None or not info.reason:
        reason, message = _TRANSPORT.get(code, ("INTERNAL", INTERNAL_MESSAGE))
        return Failure(code, reason, message)
    return Failure(
        code=code,
        reason=info.reason,
        message=status.message,
        fields={it.field: Problem(it.description, it.reason or INVALID) for it in request.field_violations},
        metadata=dict(info.metadata),
        retry_after=retry_after,
    )
