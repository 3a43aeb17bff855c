"""One route of an rpc as an OpenAPI operation, in the names of the native dialect."""

from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from gen.ingate.access.v1.access_pb2 import Role, Scope
from gen.ingate.options.v1 import options_pb2
from rest_facade import events, services
from rest_facade.routes import Parameter, Route, native_routes, segments
from rest_facade.spec.comments import comments
from rest_facade.spec.errors import Errors, reasons
from rest_facade.spec.examples import BODIES
from rest_facade.spec.names import operation_id, schema_name
from rest_facade.spec.schemas import Schema, Schemas, argument, is_required
from rest_facade.style import child_type

JSON = "application/json"
_TEXT: Schema = {"type": "string", "minLength": 1}
_RESUME = "The id of the last event that was read; the stream goes on behind it."
SESSION = "session"
KEY = "key"
"""Names of the security schemes."""


def operation(route: Route, schemas: Schemas, errors: Errors, headers: dict[str, Any]) -> dict[str, Any]:
    """Returns the operation of a route. `headers` are those of its success; schemas are added to what there is."""
    method = services.method(route.rpc)
    summary, _, more = comments().get(route.rpc, method.name).partition("\n\n")
    access = method.GetOptions().Extensions[options_pb2.access]
    made: dict[str, Any] = {
        "operationId": operation_id(route, method),
        "tags": [method.containing_service.name.removesuffix("Service")],
        "summary": summary,
        "description": "\n\n".join(part for part in (more, _permission(access)) if part),
        "security": _security(access),
    }
    in_path = _in_path(route)
    parameters = _parameters(route, method, in_path, schemas)
    if route.events is not None and route.events.resume:
        parameters.append(
            {"name": events.RESUME, "in": "header", "required": False, "description": _RESUME, "schema": _TEXT}
        )
    if parameters:
        made["parameters"] = parameters
    if route.body == "*":
        body = schemas.request(method.input_type, in_path, _body_name(route, method, in_path))
        named = schemas.found[body["$ref"].rpartition("/")[2]]
        required = bool(named.get("required")) or "minProperties" in named
        content = {"schema": body} | ({"example": BODIES[made["operationId"]]} if made["operationId"] in BODIES else {})
        made["requestBody"] = {"required": required, "content": {JSON: content}}
    elif route.body:
        body = schemas.request(child_type(method.input_type.fields_by_name[route.body]))
        made["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    made["responses"] = {
        str(route.success): {**_success(route, method, schemas), "headers": headers},
        **errors.of(reasons(route, method)),
    }
    return made


def _in_path(route: Route) -> frozenset[str]:
    return frozenset(part.name for part in segments(route.template) if isinstance(part, Parameter))


def _body_name(route: Route, method: MethodDescriptor, in_path: frozenset[str]) -> str:
    """Returns the message's name, or for an alias whose path leaves other fields to the body one of its own."""
    first = next(it for it in native_routes(route.dialect) if it.rpc == route.rpc)
    if _in_path(first) == in_path:
        return schema_name(method.input_type.full_name)
    name = operation_id(route, method)
    return f"{name[0].upper()}{name[1:]}Request"


def _parameters(
    route: Route, method: MethodDescriptor, in_path: frozenset[str], schemas: Schemas
) -> list[dict[str, Any]]:
    parameters = []
    for field in method.input_type.fields:
        place = "path" if field.name in in_path else "query"
        if place == "query" and (route.body in {"*", field.name}):
            continue
        schema = argument(field, schemas)
        parameter = {
            "name": field.name,
            "in": place,
            "required": place == "path" or is_required(field),
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        if "description" in schema:
            parameter["description"] = schema["description"]
        parameters.append(parameter)
    return parameters


def _success(route: Route, method: MethodDescriptor, schemas: Schemas) -> dict[str, Any]:
    if route.success == 204:
        return {"description": "Done."}
    if route.events is not None:
        return _events(route, method, schemas)
    message = method.output_type
    if route.response_body:
        message = child_type(message.fields_by_name[route.response_body])
    return {"description": "Success.", "content": {JSON: {"schema": schemas.reference(message)}}}


def _events(route: Route, method: MethodDescriptor, schemas: Schemas) -> dict[str, Any]:
    """Returns what a stream tells. The schema is that of the text; those of its events' data are named beside it."""
    told = [field for field in method.output_type.fields if field.message_type is not None]
    kinds = {
        "message" if field.name == route.response_body else field.name: schemas.reference(child_type(field))
        for field in told
    }
    named = ", ".join(f"`{name}` with `{kind['$ref'].rpartition('/')[2]}` as its data" for name, kind in kinds.items())
    return {
        "description": f"A stream of server-sent events: {named}, and `error` as the last where it fails. A message has"
        " no name on the wire; an event without data only moves the id.",
        "content": {events.MEDIA_TYPE: {"schema": {"type": "string"}}},
    }


def _permission(access: options_pb2.Access) -> str:
    if access.public:
        return "Needs no credential."
    if access.person:
        return "Needs a session."
    if access.authenticated:
        return "Needs a session or a key."
    needs = [f"role {Role.Name(access.role).removeprefix('ROLE_').lower()}"]
    if access.scope:
        words = (Scope.Name(it).removeprefix("SCOPE_").lower() for it in (access.scope, *access.or_scopes))
        needs.append(f"scope {' or '.join(words)} where a key calls")
    if access.feature:
        needs.append(f"plan feature {access.feature}")
    return f"Needs {', '.join(needs)}."


def _security(access: options_pb2.Access) -> list[dict[str, list[str]]]:
    if access.public:
        return []
    return [{SESSION: []}] if access.person else [{KEY: []}, {SESSION: []}]
