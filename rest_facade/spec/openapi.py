"""The native REST API as an OpenAPI 3.1 document, projected from its routes."""

from importlib.metadata import version
from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from gen.ingate.access.v1.access_pb2 import Role, Scope
from gen.ingate.options.v1 import options_pb2
from rest_facade import events, services
from rest_facade.dialects import ingate
from rest_facade.routes import Parameter, Route, native_routes, segments
from rest_facade.spec.comments import comments
from rest_facade.spec.schemas import Schema, Schemas, is_required
from rest_facade.style import child_type

JSON = "application/json"
_TEXT: Schema = {"type": "string"}
_RESUME = "The id of the last event that was read; the stream goes on behind it."
_NOT_EMPTY = {"required", "minProperties"}
"""With one of these in its schema, a body must be there."""
ERROR: Schema = {
    "type": "object",
    "description": "Every failure. `error` and `error_code` repeat `message` and `code` for older clients.",
    "required": ["code", "message", "request_id", "error", "error_code"],
    "properties": {
        "code": {"type": "string", "enum": sorted(ingate.codes())},
        "message": {"type": "string"},
        "request_id": {"type": "string", "format": "uuid"},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("field", "message", "reason")},
            },
        },
        "error": {"type": "string"},
        "error_code": {"type": "string"},
    },
}


def document(server_url: str) -> dict[str, Any]:
    """Returns the document, for an API at this base URL."""
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in native_routes(ingate.NAME):
        paths.setdefault(route.template, {})[route.verb.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ingate",
            "version": version("ingate"),
            "description": "The API of an LLM gateway. Every path that it does not claim is proxied to a provider.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url}],
        "security": [{"key": []}, {"session": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted({**schemas.found, "Error": ERROR}.items())),
            "responses": {
                "Error": {
                    "description": "The request failed; `code` says how.",
                    "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
            },
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": ingate.KEY_HEADER},
                "session": {"type": "http", "scheme": "bearer", "description": "A session token, or a key."},
            },
        },
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    method = services.method(route.rpc)
    summary, _, more = comments().get(route.rpc, method.name).partition("\n\n")
    operation: dict[str, Any] = {
        "operationId": _operation_id(route, method),
        "tags": [method.containing_service.name.removesuffix("Service")],
        "summary": summary,
    }
    access = method.GetOptions().Extensions[options_pb2.access]
    description = "\n\n".join(part for part in (more, _permission(access)) if part)
    if description:
        operation["description"] = description
    if access.public:
        operation["security"] = []
    in_path = frozenset(part.name for part in segments(route.template) if isinstance(part, Parameter))
    parameters = _parameters(route, method, in_path, schemas)
    if route.events is not None and route.events.resume:
        parameters.append(
            {"name": events.RESUME, "in": "header", "required": False, "description": _RESUME, "schema": _TEXT}
        )
    if parameters:
        operation["parameters"] = parameters
    if route.body:
        fields = method.input_type.fields_by_name
        body = schemas.object(method.input_type, in_path) if route.body == "*" else schemas.field(fields[route.body])
        operation["requestBody"] = {
            "required": not body.keys().isdisjoint(_NOT_EMPTY),
            "content": {JSON: {"schema": body}},
        }
    operation["responses"] = {
        str(route.success): _success(route, method, schemas),
        "default": {"$ref": "#/components/responses/Error"},
    }
    return operation


def _parameters(
    route: Route, method: MethodDescriptor, in_path: frozenset[str], schemas: Schemas
) -> list[dict[str, Any]]:
    parameters = []
    for field in method.input_type.fields:
        place = "path" if field.name in in_path else "query"
        if place == "query" and (route.body in {"*", field.name}):
            continue
        schema = schemas.field(field)
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
    if route.response_body:
        schema = schemas.field(method.output_type.fields_by_name[route.response_body])
        schema = schema["anyOf"][0] if "anyOf" in schema else schema
    else:
        schema = schemas.reference(method.output_type)
    return {"description": "Success.", "content": {JSON: {"schema": schema}}}


def _events(route: Route, method: MethodDescriptor, schemas: Schemas) -> dict[str, Any]:
    """Returns what a stream tells. The schema is that of the data of its events."""
    told = [field for field in method.output_type.fields if field.message_type is not None]
    named = ", ".join(f"`{field.name}`" for field in told if field.name != route.response_body)
    kinds = [schemas.reference(child_type(field)) for field in told]
    return {
        "description": f"A stream of messages without a name, of events {named}, and of `error` as the last.",
        "content": {events.MEDIA_TYPE: {"schema": {"anyOf": [*kinds, {"$ref": "#/components/schemas/Error"}]}}},
    }


def _permission(access: options_pb2.Access) -> str:
    if access.public:
        return "Needs no credential."
    needs = [f"role {Role.Name(access.role).removeprefix('ROLE_').lower()}"]
    if access.scope:
        words = (Scope.Name(it).removeprefix("SCOPE_").lower() for it in (access.scope, *access.or_scopes))
        needs.append(f"scope {' or '.join(words)} where a key calls")
    if access.feature:
        needs.append(f"plan feature {access.feature}")
    return f"Needs {', '.join(needs)}."


def _operation_id(route: Route, method: MethodDescriptor) -> str:
    """Returns the rpc's name; an alias adds its path, since ids are unique."""
    first = next(it for it in native_routes(ingate.NAME) if it.rpc == route.rpc)
    if (route.verb, route.template) == (first.verb, first.template):
        return method.name
    return method.name + "".join(word.title() for word in route.template.replace("{", "").replace("}", "").split("/"))
