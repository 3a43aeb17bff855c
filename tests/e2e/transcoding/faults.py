"""Requests that are not well-formed, or may not be made: each makes one of a good one. Knows no Envoy.

A fault is a function of a route, a good request for it and what the installation has. It returns a request, or None
where the fault cannot occur.
"""

import json

from google.protobuf.descriptor import FieldDescriptor as F

from gen.buf.validate import validate_pb2
from ingate.ids import uuid7
from ingate.rpc.services import rpcs
from rest_facade.routes import Parameter, segments

RPCS = {f"{rpc.service}.{rpc.name}": rpc for rpc in rpcs().values()}
_ENUM = (F.TYPE_ENUM,)
_INTEGER = (F.TYPE_INT32,)
_TEXT = (F.TYPE_STRING,)
_TRUTH = (F.TYPE_BOOL,)


def _raw(content):
    """Returns the fault whose body is this, or is this function of a good one."""

    def fault(route, ask, _own):
        if not route.body:
            return None
        return ask.changed(body=content(ask.content) if callable(content) else content)

    return fault


def _member(types, value):
    """Returns the fault whose body has this value for the first of its members of a type."""

    def fault(route, ask, _own):
        name = _first(route, ask.body, types) if route.body else None
        return None if name is None else ask.changed(body=json.dumps(ask.body | {name: value}).encode())

    return fault


def _first(route, members, types):
    fields = RPCS[route.rpc].request.DESCRIPTOR.fields_by_name
    return next((it for it in members if fields[it].type in types and not fields[it].is_repeated), None)


def _parameter(name, query):
    """Returns the fault of lists that take a parameter, and are given this query."""

    def fault(route, ask, _own):
        taken = route.verb == "GET" and name in RPCS[route.rpc].request.DESCRIPTOR.fields_by_name
        return ask.changed(query=query) if taken else None

    return fault


def _in_path(value):
    """Returns the fault whose path has this for the last thing that it names."""

    def fault(route, ask, _own):
        names = [index for index, part in enumerate(segments(route.template)) if isinstance(part, Parameter)]
        if not names:
            return None
        parts = ask.path[1:].split("/")
        parts[names[-1]] = value
        return ask.changed(path="/" + "/".join(parts))

    return fault


def _longer(more):
    """Returns the fault whose path has more than the route's; below /api, for other paths are for providers."""
    return lambda _route, ask, _own: ask.changed(path=ask.path + more) if ask.path.startswith("/api/") else None


def _by(name, *, wanted):
    """Returns the fault of a caller of this name, in routes that `wanted` says of their access are not for it."""

    def fault(route, ask, own):
        return ask.changed(who=own[name]) if wanted(RPCS[route.rpc].access) else None

    return fault


def _malformed(who):
    """Returns the fault whose body is no JSON, beside another fault."""

    def fault(route, ask, own):
        changed = who(route, ask, own)
        return changed.changed(body=b"{") if changed and route.body else None

    return fault


def _member_twice(route, ask, _own):
    name = _first(route, ask.body, _TEXT) if route.body else None
    if name is None:
        return None
    again = json.dumps({name: ask.body[name]}).encode()
    return ask.changed(body=ask.content[:-1] + b"," + again[1:])


def _nothing_stated(route, ask, _own):
    fields = RPCS[route.rpc].request.DESCRIPTOR.fields_by_name
    required = {name for name, it in fields.items() if it.GetOptions().Extensions[validate_pb2.field].required}
    required -= {part.name for part in segments(route.template) if isinstance(part, Parameter)}
    return ask.changed(body=b"{}") if route.body and (required or "update_mask" in fields) else None


def _twice_named(route, ask, _own):
    """Names in the query what the path has named."""
    named = [part.name for part in segments(route.template) if isinstance(part, Parameter)]
    return ask.changed(query=f"{named[0]}=x") if named else None


def _anothers(route, ask, own):
    """Names what another organisation has."""
    path = ask.path
    for part in segments(route.template):
        if isinstance(part, Parameter):
            path = path.replace(own[part.name], own["anothers"][part.name])
    return ask.changed(path=path) if path != ask.path else None


_nobody = _by("nobody", wanted=lambda access: not access.public)
_viewer = _by("viewer", wanted=lambda access: access.role > 1 or access.person)

FAULTS = {
    "no_json": _raw(b"{"),
    "array": _raw(b"[]"),
    "text": _raw(b'"x"'),
    "null": _raw(b"null"),
    "more_than_json": _raw(lambda good: good + b" x"),
    "not_utf8": _raw(b'{"name":"\xff"}'),
    "too_deep": _raw(b'{"name":' + b"[" * 1000 + b"]" * 1000 + b"}"),
    "unknown_member": _raw(lambda good: b'{"nope":1,' + good[1:] if len(good) > 2 else b'{"nope":1}'),
    "member_twice": _member_twice,
    "number_for_text": _member(_TEXT, 1),
    "object_for_text": _member(_TEXT, {}),
    "text_with_nul": _member(_TEXT, "a\0b"),
    "text_too_long": _member(_TEXT, "x" * 50_000),
    "text_for_truth": _member(_TRUTH, "yes"),
    "unknown_word": _member(_ENUM, "nope"),
    "integer_as_text": _member(_INTEGER, "5"),
    "integer_with_fraction": _member(_INTEGER, 5.0),
    "half_an_integer": _member(_INTEGER, 5.5),
    "integer_too_large": _member(_INTEGER, 2**40),
    "integer_out_of_bounds": _member(_INTEGER, -1),
    "nothing_stated": _nothing_stated,
    "media_type": lambda route, ask, _own: ask.changed(media_type="text/plain") if route.body else None,
    "unasked_body": lambda route, ask, _own: None if route.body else ask.changed(body=b'{"a":1}'),
    "unknown_parameter": lambda route, ask, _own: None if route.body else ask.changed(query="nope=1"),
    "parameter_of_the_path": _twice_named,
    "parameter_no_number": _parameter("limit", "limit=x"),
    "parameter_empty": _parameter("limit", "limit="),
    "parameter_without_value": _parameter("limit", "limit"),
    "parameter_twice": _parameter("limit", "limit=1&limit=2"),
    "parameter_out_of_bounds": _parameter("limit", "limit=201"),
    "parameter_not_utf8": _parameter("cursor", "cursor=%FF"),
    "cursor_of_nothing": _parameter("cursor", "cursor=x"),
    "no_time": _parameter("since", "since=yesterday"),
    "since_after_until": _parameter("since", "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"),
    "unknown_word_in_query": _parameter("level", "level=nope"),
    "not_there": _in_path(uuid7()),
    "slash_in_a_name": _in_path("a%2Fb"),
    "nul_in_path": _in_path("%00"),
    "path_not_utf8": _in_path("%FF"),
    "no_such_path": _longer("/nope/nope"),
    "slash_at_the_end": _longer("/"),
    "other_verb": lambda _route, ask, _own: ask.changed(verb="PATCH"),
    "nobody": _nobody,
    "unknown_key": _by("unknown", wanted=lambda access: not access.public),
    "viewer": _viewer,
    "anothers": _anothers,
    "malformed_by_nobody": _malformed(_nobody),
    "malformed_by_a_viewer": _malformed(_viewer),
    "malformed_for_anothers": _malformed(_anothers),
}
"""By name."""
