"""Routes as data: the only currency of the facade. Knows templates and annotations; resolves no path, calls no rpc.

A template is literal segments, `{name}` for one segment, and at the end `{name=**}` for all that is left.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import MethodDescriptor

from gen.ingate.options.v1 import options_pb2
from rest_facade import services
from rest_facade.events import Events, native_events

if TYPE_CHECKING:
    from rest_facade.dialects.base import Answer
    from rest_facade.request import Request

VERBS = ("GET", "PUT", "POST", "DELETE", "PATCH")

RawHandler = Callable[["Request", Mapping[str, str]], Awaitable["Answer"]]
"""Answers a request by itself, given the path's values."""

_PARAMETER = re.compile(r"\{([a-z][a-z0-9_]*)(=\*\*)?\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One way in.

    `verb` is an HTTP method, or `*` for all that no other route of the path takes. `rpc` is a full name, empty
    where `raw` answers. `body` names what the JSON body is: empty for none, `*` for all fields that the path
    leaves, or one message field. `response_body` names the field that is the answer, empty for the whole
    message. `renames` maps names on the wire to fields of the request. `accept` turns the arguments (query and
    body in one dictionary of JSON values) into those that the rpc knows; `shape` turns the answer's JSON into
    what the dialect documents. Both are pure. `events` tells what an rpc streams, None for one that answers once.
    `max_body` bounds the body in bytes, 0 where nothing is special about the route. `scopes`: a key must hold one of
    these as well, whatever the rpc asks for. `whole`: the answer has all items of the list, not a page.
    """

    dialect: str
    verb: str
    template: str
    rpc: str = ""
    body: str = ""
    response_body: str = ""
    success: int = 200
    renames: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    accept: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    shape: Callable[[Any], Any] | None = None
    events: Events | None = None
    raw: RawHandler | None = None
    max_body: int = 0
    scopes: tuple[str, ...] = ()
    whole: bool = False

    @property
    def title(self) -> str:
        """Says which route this is, for errors and logs."""
        return f"{self.verb} {self.template} ({self.rpc or 'raw'})"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A segment that varies; `rest` takes all segments from here on, as they were sent."""

    name: str
    rest: bool = False


def segments(template: str) -> tuple[str | Parameter, ...]:
    """Returns the parsed template, or raises ValueError. `/` alone is one empty literal; so is a trailing slash."""
    if not template.startswith("/"):
        raise ValueError(f"{template!r} does not start with a slash")
    parsed: list[str | Parameter] = []
    for text in template[1:].split("/"):
        if parsed and (parsed[-1] == "" or (isinstance(parsed[-1], Parameter) and parsed[-1].rest)):
            raise ValueError(f"{template!r} goes on where it has to end")
        if match := _PARAMETER.fullmatch(text):
            parsed.append(Parameter(match[1], bool(match[2])))
        elif "{" in text or "}" in text or "*" in text:
            raise ValueError(f"{template!r} has a segment that is neither literal nor parameter: {text!r}")
        else:
            parsed.append(text)
    return tuple(parsed)


def native_routes(dialect: str) -> tuple[Route, ...]:
    """Returns the routes that the rpcs themselves state, additional bindings included."""
    return tuple(
        _route(dialect, method, binding) for method in services.methods().values() for binding in _bindings(method)
    )


def _bindings(method: MethodDescriptor) -> tuple[http_pb2.HttpRule, ...]:
    options: Any = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return ()
    rule = options.Extensions[annotations_pb2.http]
    return rule, *rule.additional_bindings


def _route(dialect: str, method: MethodDescriptor, rule: http_pb2.HttpRule) -> Route:
    kind = rule.WhichOneof("pattern") or ""
    verb = rule.custom.kind if kind == "custom" else kind.upper()
    template = rule.custom.path if kind == "custom" else getattr(rule, kind)
    return Route(
        dialect=dialect,
        verb=verb,
        template=template,
        rpc=method.full_name,
        body=rule.body,
        response_body=rule.response_body,
        events=native_events(method, rule.response_body),
        success=int(method.GetOptions().Extensions[options_pb2.success_status]) or 200,
    )
