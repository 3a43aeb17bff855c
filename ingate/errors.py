"""Failures as the domain speaks of them.

A servicer raises one of these; `ingate.rpc.interceptors.failures` turns it into a
google.rpc.Status, and each REST dialect turns its reason into a status and a body.
Nothing here knows gRPC or HTTP.

DomainError
 ├── BadRequest             BAD_REQUEST         a field is missing, malformed or unknown
 ├── Invalid                VALIDATION          well-formed, but makes no sense
 ├── Unauthenticated        UNAUTHENTICATED     no credential, or one that does not work
 ├── Forbidden              FORBIDDEN           a good credential that may not do this
 ├── NotFound               NOT_FOUND           no such thing for this caller
 ├── MethodNotAllowed       METHOD_NOT_ALLOWED  a method that nothing here takes
 ├── NotOffered             NOT_IMPLEMENTED     what no version offers yet
 ├── Conflict               CONFLICT            taken already, or changed meanwhile
 ├── TooLarge               PAYLOAD_TOO_LARGE   more than a limit allows
 ├── RateLimited            RATE_LIMITED        too many requests, for now
 ├── Unavailable            UNAVAILABLE         a part is down or not ready, for now
 ├── StorageFull            STORAGE_FULL        the disk of the database is full
 ├── ProviderFailed         PROVIDER_ERROR      the provider failed below HTTP, or answered what nobody can read
 │    ├── ProviderUnreached                     and has certainly read nothing of the request
 │    └── ProviderAnswered                      or answered with an error, and its status says what it is
 └── ProviderTimedOut       PROVIDER_TIMEOUT    the provider did not answer in time
"""

from collections.abc import Mapping
from typing import Self

INVALID = "INVALID"
"""The reason of a problem that states no other."""
OUT_OF_RANGE = "OUT_OF_RANGE"


class Problem(str):
    """What is wrong with a field, in words for people, and the `reason` for programs, UPPER_SNAKE."""

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, words: str, reason: str) -> Self:
        """Returns the words with a reason."""
        problem = super().__new__(cls, words)
        problem.reason = reason
        return problem


def reason_of(problem: str) -> str:
    """Returns the reason of a problem."""
    return problem.reason if isinstance(problem, Problem) else INVALID


class DomainError(Exception):
    """A failure with an identity.

    `reason` is the identity, UPPER_SNAKE. `message` is a sentence for people. `fields` maps
    request fields to what is wrong with them. `metadata` holds what the message interpolates.
    `retry_after` is in seconds. No secret and no internal detail belongs in any of them.
    """

    reason = "INTERNAL"

    recorded = False
    """Whether an exchange is on record that ended so."""

    def __init__(
        self,
        message: str,
        *,
        fields: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


class BadRequest(DomainError):
    """A field is missing, malformed or unknown."""

    reason = "BAD_REQUEST"

    @classmethod
    def field(cls, name: str, problem: str, reason: str = INVALID) -> "BadRequest":
        """Returns the error for one field: the message is `<name> <problem>`."""
        told = problem if isinstance(problem, Problem) else Problem(problem, reason)
        return cls(f"{name} {problem}", fields={name: told})


class Invalid(DomainError):
    """The request is well-formed and makes no sense."""

    reason = "VALIDATION"


class Unauthenticated(DomainError):
    """There is no credential, or one that does not work. Never says which part is wrong."""

    reason = "UNAUTHENTICATED"


class Forbidden(DomainError):
    """The credential is good and may not do this."""

    reason = "FORBIDDEN"


class NotFound(DomainError):
    """There is no such thing, or none that this caller may know of."""

    reason = "NOT_FOUND"

    @classmethod
    def of(cls, noun: str, name: str) -> "NotFound":
        """Returns the error for a noun and the id or name it was asked for by."""
        return cls(f"no such {noun}", metadata={"resource": noun, "name": name[:200]})


class MethodNotAllowed(DomainError):
    """The method is one that nothing here takes; `metadata["allow"]` names those that are, joined by commas."""

    reason = "METHOD_NOT_ALLOWED"


class NotOffered(DomainError):
    """What is asked for is part of no version yet."""

    reason = "NOT_IMPLEMENTED"


class Conflict(DomainError):
    """The name is taken, or the thing changed meanwhile."""

    reason = "CONFLICT"


class TooLarge(DomainError):
    """Something is larger than a limit allows."""

    reason = "PAYLOAD_TOO_LARGE"


class RateLimited(DomainError):
    """Too many requests; `retry_after` says when to come back."""

    reason = "RATE_LIMITED"


class Unavailable(DomainError):
    """A part is down or not ready."""

    reason = "UNAVAILABLE"


class StorageFull(DomainError):
    """What was to be stored was not, for the disk of the database is full."""

    reason = "STORAGE_FULL"


class ProviderFailed(DomainError):
    """The provider failed, or answered what is not HTTP. It may have done what was asked for, and may charge it."""

    reason = "PROVIDER_ERROR"


class ProviderUnreached(ProviderFailed):
    """The provider could not be reached: it has read nothing of the request, which may be made again."""


class ProviderAnswered(ProviderFailed):
    """The provider answered with an error, of which `status` is the HTTP status."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 500,
        fields: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, fields=fields, metadata=metadata, retry_after=retry_after)
        self.status = status


class ProviderTimedOut(DomainError):
    """The provider did not answer in time."""

    reason = "PROVIDER_TIMEOUT"
