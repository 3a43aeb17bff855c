"""The type of a dialect: a value with the paths that it claims, its routes, and its forms of answers and errors.

Everything that differs between dialects is here; all else they share. Knows no particular dialect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gen.ingate.providers.v1.route_pb2 import Route as Provider
from ingate.errors import Unauthenticated
from ingate.rpc.status import Failure
from rest_facade.answer_headers import JSON, Pairs, rate_headers
from rest_facade.asked import Asked, Headers
from rest_facade.call import Metadata
from rest_facade.claims import Claims
from rest_facade.cors import Cors
from rest_facade.routes import Route
from rest_facade.style import SNAKE, Style


class NoCredential(Unauthenticated):
    """A request to an ingress has no key at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, without the headers that all answers have."""

    status: int
    body: bytes
    headers: Pairs = ()
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which inputs are refused; those that are False are ignored.

    `query`: unknown, repeated and malformed parameters; when ignored, the first value counts, and empty ones do not.
    `fields`: unknown members of JSON bodies, and bodies of routes that take none. `media_type`: bodies of a type other
    than JSON; when ignored, such a body counts as empty. `untyped`: bodies are JSON whatever their type.
    """

    query: bool = True
    fields: bool = True
    media_type: bool = True
    untyped: bool = False


def no_headers(_asked: Asked) -> Pairs:
    """Adds nothing."""
    return ()


def no_page(_asked: Asked) -> Answer | None:
    """Has no page for browsers."""
    return None


def nothing_lacks(_headers: Headers) -> str | None:
    """Requires no header."""
    return None


@dataclass(frozen=True, slots=True)
class Ingress:
    """Paths of a dialect that the engine answers.

    `key` returns the secret of the gateway's key, given headers by name and the raw query, and raises `NoCredential`
    where there is none. Since its result is remembered with the head, it may read only the headers in `heeded`
    (lower-case) and those that the engine heeds. `error` makes the answer for a failure. `drops` are names of headers,
    lower-case and heeded, that are not forwarded. `page` returns a page for a caller without a key, None for the error.
    `claims` is None for all paths that no dialect claims.

    `provider` is the only one that answers, None where requests go to those of their organisation; it gets requests
    unchanged, but for `prefix` at the beginning of their paths. `lacks` returns which header for it is missing.
    """

    name: str
    key: Callable[[Headers, str], str]
    error: Callable[[Failure, Asked], Answer]
    claims: Claims | None = None
    heeded: frozenset[bytes] = frozenset()
    page: Callable[[Asked], Answer | None] = no_page
    prefix: str = ""
    provider: Provider | None = None
    lacks: Callable[[Headers], str | None] = nothing_lacks
    drops: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way of speaking HTTP.

    `claims` are its own paths, with or without a route. `ingresses` are further paths, which the engine answers. If the
    dialect is the first, `unclaimed` answers the paths that no dialect claims; where that is None, they are its own.
    `credentials` turns headers and query into call metadata, and raises a DomainError for contradictions. `error` makes
    the answer for a failure; the route is None where none was found. `envelope` wraps the JSON of a success. `head`:
    routes that take GET take HEAD, too. `headers` returns the headers that every answer of the dialect adds.
    `rate_headers` makes headers of trailing metadata.
    """

    name: str
    claims: Claims
    routes: tuple[Route, ...]
    credentials: Callable[[Asked], Metadata]
    error: Callable[[Failure, Route | None, Asked], Answer]
    ingresses: tuple[Ingress, ...] = ()
    unclaimed: Ingress | None = None
    envelope: Callable[[Any, Route, Asked], Any] | None = None
    style: Style = SNAKE
    inputs: Inputs = Inputs()
    cors: Cors | None = None
    head: bool = True
    content_type: str = JSON
    headers: Callable[[Asked], Pairs] = no_headers
    rate_headers: Callable[[Metadata], Pairs] = rate_headers
