"""Transcoding, compiled per route: path, query and body to a request message, a response message to JSON.

Knows routes, dialects and descriptors; neither connections nor channels.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from ingate.errors import BadRequest
from ingate.rpc.rules import problems
from rest_facade import documents
from rest_facade.asked import Asked
from rest_facade.bind import Argument, Binder, Slots
from rest_facade.call import Rpc
from rest_facade.dialects.base import Dialect
from rest_facade.documents import Members
from rest_facade.events import Events, framed
from rest_facade.faults import Faults
from rest_facade.message_json import Wire, encode
from rest_facade.query import Pairs as Query
from rest_facade.routes import Parameter, Route, segments
from rest_facade.style import json_name, wire_path

_EMPTY_BODIES = frozenset({b"", b"{}", b"null"})
_ROOT = re.compile(r"[^.\[]*")
"""The field at the beginning of a path."""
_SHOWN = 100
_FRAMES = 64
"""Events that are cached, since the readers of an rpc mostly get the same ones at the same time."""
_DIFFERS = "differs from the path"
SMALL_BODY = 64 * 1024
"""The most bytes of a body on routes that need no credential, or take no body."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route that an rpc answers. `render` makes the body of a success, empty where there is none.

    For an rpc that streams, `frame` makes an event of the bytes of a message. A request body has at most `max_body`
    bytes.
    """

    route: Route
    rpc: Rpc
    slots: Slots
    render: Callable[[Any, Asked], bytes]
    max_body: int
    frame: Callable[[bytes], bytes] | None = None


def compile_endpoint(
    route: Route, rpc: Rpc, dialect: Dialect, binder: Binder, wire: Wire, *, max_body: int
) -> Endpoint:
    """Returns the endpoint, or raises ValueError when the route names what the rpc's messages do not have.

    Where the route does not bound its bodies, they have at most `max_body` bytes, and at most `SMALL_BODY` if it needs
    no credential or takes no body.
    """
    slots = binder.slots(rpc.request_type)
    unknown = {name for name in route.renames.values() if name not in slots.members}
    if not unknown:
        slots = slots.renamed(route.renames)
    if route.accept is None:
        unknown |= {
            part.name
            for part in segments(route.template)
            if isinstance(part, Parameter) and part.name not in slots.arguments
        }
    if route.body not in {"", "*"}:
        field = rpc.request_type.fields_by_name.get(route.body)
        if field is None or field.message_type is None:
            unknown.add(route.body)
    if unknown:
        raise ValueError(f"{route.title} names what {rpc.request_type.full_name} does not have: {sorted(unknown)}")
    if (route.events is not None) != (rpc.stream is not None):
        raise ValueError(f"{route.title} must have events if its rpc streams, and only then")
    most = route.max_body or (min(max_body, SMALL_BODY) if rpc.public or not route.body else max_body)
    if route.events is not None:
        if route.events.resume not in {"", *slots.arguments}:
            raise ValueError(f"{route.title} resumes by what its rpc does not have: {route.events.resume}")
        return Endpoint(route, rpc, slots, lambda _message, _asked: b"", most, _framer(route.events, rpc, wire))
    return Endpoint(route, rpc, slots, _renderer(route, rpc, dialect, wire), most)


def _framer(events: Events, rpc: Rpc, wire: Wire) -> Callable[[bytes], bytes]:
    """Returns the function that makes events of messages, which caches the last `_FRAMES`."""
    value, parse, event = wire.valuer(rpc.response_type), rpc.parse, events.event
    return lru_cache(maxsize=_FRAMES)(lambda raw: framed(event(value(parse(raw)))))


def _renderer(route: Route, rpc: Rpc, dialect: Dialect, wire: Wire) -> Callable[[Any, Asked], bytes]:
    if route.success == 204:
        return lambda _message, _asked: b""
    value = wire.valuer(rpc.response_type)
    key = ""
    if route.response_body:
        field = rpc.response_type.fields_by_name.get(route.response_body)
        if field is None:
            raise ValueError(f"{route.title} answers with a field that is not there: {route.response_body}")
        key = json_name(field, dialect.style)
    shape, envelope = route.shape, dialect.envelope

    def render(message: Any, asked: Asked) -> bytes:
        answer: Any = value(message)
        if key:
            answer = answer.get(key)
        if shape is not None:
            # A shape is a function on plain JSON, so the parts that are text already are parsed first.
            answer = shape(msgspec.json.decode(encode(answer)))
        if envelope is not None:
            answer = envelope(answer, route, asked)
        return encode(answer)

    return render


def bind_request(
    endpoint: Endpoint, dialect: Dialect, binder: Binder, *, values: Mapping[str, str], query: Query, body: bytes
) -> Any:
    """Returns the message for decoded path values, query and body. Raises `BadRequest` naming all invalid fields."""
    route, slots = endpoint.route, endpoint.slots
    message = endpoint.rpc.new_request()
    if route.accept is not None:
        stated = json_members(body) if route.body else {**dict(reversed(query)), **json_members(body)}
        arguments = with_path_values(stated, values)
        binder.fill(message, slots, documents.body_members(encode(route.accept(arguments))))
        return message
    faults = Faults()
    taken = None if route.body == "*" else {route.body, *values}
    for name, text in values.items():
        _bind(message, slots.arguments[name], text, name, faults)
    in_query = {} if taken is None else {name: it for name, it in slots.arguments.items() if name not in taken}
    _bind_query(message, in_query, dialect, query, faults)
    try:
        found = _members(route, dialect, body)
        if route.body == "*":
            binder.fill(message, slots, _outside_path(found, values, faults))
        elif route.body:
            child = getattr(message, route.body)
            child.SetInParent()
            binder.fill(child, binder.slots(child.DESCRIPTOR), found)
    except BadRequest as error:
        faults.add(error)
    if faults.fields:
        _add_broken_rules(message, route, dialect, faults)
        faults.refuse()
    return message


def _members(route: Route, dialect: Dialect, body: bytes) -> Members:
    if not route.body and dialect.inputs.fields and body.strip() not in _EMPTY_BODIES:
        raise BadRequest("this route takes no body")
    return documents.body_members(body) if route.body and body.strip() else ()


def _add_broken_rules(message: Any, route: Route, dialect: Dialect, faults: Faults) -> None:
    """Adds the fields that the core would refuse, so that one answer names all invalid fields."""
    misfits = {_ROOT.match(name)[0] for name in faults.fields}  # type: ignore[index]  # it matches any text
    for path, problem in problems(message).items():
        name = wire_path(path, renames=route.renames, style=dialect.style)
        if _ROOT.match(name)[0] not in misfits:  # type: ignore[index]  # see above
            faults.add(BadRequest.field(name, problem))


def _bind(message: Any, argument: Argument, text: str, name: str, faults: Faults) -> None:
    try:
        argument.set(message, text, name)
    except BadRequest as error:
        faults.add(error)


def bind_path(endpoint: Endpoint, values: Mapping[str, str]) -> Any:
    """Returns the message for decoded path values alone, without invalid ones."""
    message = endpoint.rpc.new_request()
    for name, text in values.items():
        argument = endpoint.slots.arguments.get(name)
        if argument is not None:
            with contextlib.suppress(BadRequest):
                argument.set(message, text, name)
    return message


def resource(route: Route, routes: Iterable[Route]) -> Route | None:
    """Returns the GET route of the resource in a route's path, None where there is none.

    Its template is the beginning of the path up to the last parameter.
    """
    parts = segments(route.template)
    last = max((place for place, part in enumerate(parts) if isinstance(part, Parameter)), default=-1)
    named = parts[: last + 1]
    found = (it for it in routes if it.verb == "GET" and it.rpc)
    return next((it for it in found if named and segments(it.template) == named), None)


def json_members(body: bytes) -> dict[str, Any]:
    """Returns the members of a JSON object, none for an empty body. Raises `BadRequest` for any other body."""
    if not body.strip():
        return {}
    documents.body_members(body)
    found: dict[str, Any] = documents.value(body, "body")
    return found


def with_path_values(found: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Returns arguments and path values together. Raises `BadRequest` for an argument that contradicts the path."""
    for name, value in values.items():
        if found.get(name, value) != value:
            raise BadRequest.field(name, _DIFFERS, "CONTRADICTING")
    return {**found, **values}


def _outside_path(found: Members, values: Mapping[str, str], faults: Faults) -> Iterator[tuple[str, msgspec.Raw]]:
    """Yields the members that are not in the path. A member that contradicts the path is a fault."""
    for key, raw in found:
        if key not in values:
            yield key, raw
        elif documents.value(bytes(raw), key) != values[key]:
            faults.add(BadRequest.field(key, _DIFFERS, "CONTRADICTING"))


def _bind_query(
    message: Any, arguments: Mapping[str, Argument], dialect: Dialect, query: Query, faults: Faults
) -> None:
    strict = dialect.inputs.query
    seen: set[str] = set()
    for name, given in query:
        argument = arguments.get(name)
        text = given if strict else given.strip()
        if argument is None and strict:
            faults.add(BadRequest.field(name[:_SHOWN], "is not a query parameter of this route", "UNKNOWN_FIELD"))
        if argument is None or (not strict and not text):
            continue
        if name in seen and not argument.repeated:
            if strict:
                faults.add(BadRequest.field(name, "must be given once", "REPEATED"))
            continue
        seen.add(name)
        _bind(message, argument, text, name, faults)
