"""What a dialect is: a value that says which paths it claims, which routes it has and how it speaks.

Whatever a dialect may vary is here; what is not here, all dialects share. Knows no particular dialect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDictProxy

from ingate.proxy.ports import Headers as RawHeaders
from ingate.rpc.status import Failure
from rest_facade.call import Metadata
from rest_facade.cors import Cors
from rest_facade.middleware import JSON, Pairs, rate_headers
from rest_facade.query import Pairs as Query
from rest_facade.routes import Route
from rest_facade.style import SNAKE, Style

Headers = CIMultiDictProxy[str]


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
    say they are JSON.
    """

    query: bool = True
    fields: bool = True
    media_type: bool = True


def no_headers(_request_headers: Headers, _request_id: str) -> Pairs:
    """Adds nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way of speaking HTTP.

    `claims` tells whether a decoded path is the dialect's, with a route or without. `credentials` turns headers and
    query into call metadata, and raises a DomainError for what contradicts itself. `error` puts a failure into
    words; the route is None where none was found. `proxy_error` has other words for paths that no dialect claims, given
    raw path and headers. `envelope` wraps the JSON of a success. `headers` are what every answer of the dialect adds,
    given the request's headers and the request id. `rate_headers` reads trailing metadata.
    """

    name: str
    claims: Callable[[str], bool]
    routes: tuple[Route, ...]
    credentials: Callable[[Headers, Query], Metadata]
    error: Callable[[Failure, Route | None, str], Answer]
    proxy_error: Callable[[Failure, str, RawHeaders, str], Answer] | None = None
    envelope: Callable[[Any, Route], Any] | None = None
    style: Style = SNAKE
    inputs: Inputs = Inputs()
    cors: Cors | None = None
    content_type: str = JSON
    headers: Callable[[Headers, str], Pairs] = no_headers
    rate_headers: Callable[[Metadata], Pairs] = rate_headers
