"""Requests that name one foreign thing in one place, for every place of every rpc that has one. Knows no caller."""

import re
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from gen.ingate.access.v1.access_pb2 import ROLE_VIEWER
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI
from ingate.rpc.services import Rpc, rpcs

SKIPPED = frozenset({"ChangePassword", "CreateProvider"})
"""One is slow and names nothing; what the other names comes into being, under whatever name."""
_PARAMETER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Probe:
    """A request whose `field` holds a foreign id. `place` says what for: an id, a reference, a filter, or text."""

    rpc: Rpc
    field: str
    request: Any
    place: str
    fits: bool
    """Whether the id is of the kind that belongs there."""


def probes(own, foreign, fresh):
    """Yields every probe. `own` and `foreign` are ids by field name; `fresh()` gives a new name each time."""
    for rpc in rpcs().values():
        if rpc.access.public or rpc.access.gateway or rpc.name in SKIPPED:
            continue
        for field in rpc.request.DESCRIPTOR.fields:
            if field.type != FieldDescriptor.TYPE_STRING or (
                field.message_type and field.message_type.GetOptions().map_entry
            ):
                continue
            if field.name == "external_id":
                continue  # of its caller's choice: it refers to nothing, and then stands for the caller's own key
            for kind, value in foreign.items():
                request = _plausible(rpc, own, fresh)
                if field.is_repeated:
                    getattr(request, field.name).append(value)
                else:
                    setattr(request, field.name, value)
                fits = kind == field.name or (field.name == "member_ids" and kind == "user_id")
                place = _place(rpc, field)
                # What is not an id takes one of each sort that could mean something there, and one that could not.
                if fits or place == "id" or kind == "org_id":
                    yield Probe(rpc, field.name, request, place, fits)


def _place(rpc, field):
    provider = rpc.service.endswith("ProviderService")
    if (field.name.endswith("_id") and not field.has_presence) or (provider and field.name == "name"):
        return "id"
    if not field.name.endswith(("_id", "_ids")):
        return "text"
    return "filter" if rpc.name.startswith(("List", "Tail")) else "reference"


def _plausible(rpc, own, fresh):
    name = fresh()
    values = {
        "slug": name,
        "name": name,
        "email": f"{name}@example.com",
        "role": ROLE_VIEWER,
        "type": PROVIDER_TYPE_OPENAI,
    }
    values |= {"method": "GET", "target": "/v1/models"}
    if rpc.service.endswith("ProviderService"):
        values["name"] = own["name"]
    request = rpc.request()
    for field in rpc.request.DESCRIPTOR.fields:
        if field.name in values and not (field.has_presence and rpc.name.startswith("Update")):
            setattr(request, field.name, values[field.name])
        elif field.name.endswith("_id") and not field.has_presence:
            setattr(request, field.name, own[field.name])
    return request


def as_http(route, probe):
    """Returns the verb, path, query and JSON body that say what a probe says, None where the route cannot."""
    said = json_format.MessageToDict(probe.request, preserving_proto_field_name=True)
    for name in ("role", "type"):
        if name in said:
            said[name] = said[name].removeprefix("ROLE_").removeprefix("PROVIDER_TYPE_").lower()
    wanted = _PARAMETER.findall(route.template)
    if any(not said.get(name) for name in wanted):
        return None
    path = _PARAMETER.sub(lambda match: said.pop(match[1]), route.template)
    return (route.verb, path, {}, said) if route.body else (route.verb, path, said, None)
