"""What a dialect is: a value that says which paths it claims, which routes it has and how it speaks.

Whatever a dialect may vary is here; what is not here, all dialects share. Knows no particular dialect.
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
    """A request to an ingress shows no key at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer without what all answers carry."""

    status: int
    body: bytes
    headers: Pairs = ()
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is refused. Each False is: ignored.

    `query`: unknown, repeated and malformed parameters; when ignored, the first value counts and an empty one is
    none. `fields`: unknown members of JSON bodies, and bodies where none is taken. `media_type`: bodies that do not
    say they are JSON; when ignored, these are none. `untyped`: bodies are JSON whatever they say.
    """

    query: bool = True
    fields: bool = True
    media_type: bool = True
    untyped: bool = False


def no_headers(_asked: Asked) -> Pairs:
    """Adds nothing."""
    return ()


def no_page(_asked: Asked) -> Answer | None:
    """Shows a stranger nothing but the error."""
    return None


def nothing_lacks(_headers: Headers) -> str | None:
    """Misses nothing."""
    return None


@dataclass(frozen=True, slots=True)
class Ingress:
    """Paths of a dialect that the engine answers.

    `key` returns the secret of the gateway's key, given headers by name and the raw query, and raises `NoCredential`
    where there is none. What it returns is remembered with the head, so it is told nothing of a single request; it may
    read the headers of `heeded` (lower-case), and those that the engine heeds. `error` puts a failure into words.
    `drops` are names of headers, lower-case and heeded, that go no further.
    `page` is what a caller is shown in its place who shows no key, None for the error. `claims` is None for all paths
    that no dialect claims.

    `provider` is the one that answers, None where the request chooses among those of its organisation; it gets requests
    as they are, without `prefix` at the beginning of their paths. `lacks` says what is missing for it in the headers.
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

    `claims` are the paths of its own, with a route or without, `ingresses` others that the engine answers, and
    `unclaimed` has the paths that no dialect claims, if the dialect is the first; without one, they are answered as its
    own. `credentials` turns headers and query into call metadata, and raises a DomainError for what contradicts itself.
    `error` puts a failure into words; the route is None where none was found. `envelope` wraps the JSON of a success.
    `head`: routes that take GET take HEAD, too.
    `headers` are what every answer of the dialect adds. `rate_headers` reads trailing metadata.
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
