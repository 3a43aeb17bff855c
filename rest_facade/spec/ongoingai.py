"""What the document of the OngoingAI dialect says of it: its raw routes, and two providers behind prefixes."""

from rest_facade.dialects import ongoingai
from rest_facade.dialects.ongoingai_key_routes import KEYS
from rest_facade.dialects.ongoingai_keys import CREATED
from rest_facade.spec.about import TEXT, About, Operation, proxied
from rest_facade.spec.schemas import Schema

_JSON = "application/json"
_TIME: Schema = {"type": "string", "format": "date-time"}
_KEY = "gatewayKey"
_VERBS = {"get": "getFrom", "post": "postTo", "delete": "deleteFrom"}
_SECURITY: list[dict[str, list[str]]] = [{_KEY: [], "bearer": []}, {_KEY: [], "apiKey": []}]


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _shown(operation_id: str, summary: str, schema: Schema) -> Operation:
    return {
        "operationId": operation_id,
        "tags": ["Gateway"],
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": "Success.", "content": {_JSON: {"schema": schema}}}},
    }


def _provider(name: str) -> dict[str, Operation]:
    said = f"Calls {name} with the caller's own credential."
    operations = {
        verb: proxied(f"{word}{name}", said, _SECURITY, body=verb == "post", path=("path",))
        for verb, word in _VERBS.items()
    }
    for operation in operations.values():
        operation["parameters"][0]["description"] = "The path at the provider, slashes included, such as v1/models."
    return operations


def error_schema(status: int) -> Schema:
    """Returns the schema of the body of an error with this status."""
    schema = _object(error={**TEXT, "description": "What went wrong."})
    if status == 429:
        schema["properties"] |= {
            "code": {**TEXT, "const": "KEY_RATE_LIMIT_EXCEEDED"},
            "retry_after_seconds": {"type": "integer"},
        }
    return schema


_TEXTS = ("id", "org_id", "workspace_id", "name", "description", "created_by", "role")
_GATEWAY_KEY: dict[str, Schema] = {
    **dict.fromkeys(_TEXTS, TEXT),
    "permissions": {"type": "array", "items": TEXT},
    "last_used_at": _TIME,
    "created_at": _TIME,
}
_SHOWN = ["id", "org_id", "workspace_id", "created_at"]
_NAMED = {"$ref": "#/components/schemas/GatewayKeyWithToken"}
_ID = {"name": "id", "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}
_SCHEMAS: dict[str, Schema] = {
    "GatewayKey": {"type": "object", "properties": _GATEWAY_KEY, "required": _SHOWN},
    "GatewayKeyWithToken": {
        "type": "object",
        "properties": _GATEWAY_KEY | {"token": TEXT},
        "required": [*_SHOWN, "token"],
    },
    "GatewayKeys": _object(items={"type": "array", "items": {"$ref": "#/components/schemas/GatewayKey"}}),
    "CreateGatewayKeyRequest": {
        "type": "object",
        "properties": {
            name: {"type": "array", "items": TEXT} if name == "permissions" else TEXT for name in sorted(CREATED)
        },
        "additionalProperties": False,
    },
    "RotateGatewayKeyRequest": {"type": "object", "properties": {"token": TEXT}, "additionalProperties": False},
}


def _key_operation(
    operation_id: str, summary: str, success: int, schema: Schema | None, *, of_one: bool = True, body: str = ""
) -> Operation:
    answer: Operation = {"description": "Success."} | ({"content": {_JSON: {"schema": schema}}} if schema else {})
    statuses = ("BadRequest", "Unauthorized", "Forbidden", "TooManyRequests", "Internal", "Unavailable")
    numbers = ("400", "401", "403", "429", "500", "503")
    errors = dict(zip(numbers, statuses, strict=True))
    made: Operation = {
        "operationId": operation_id,
        "tags": ["Gateway keys"],
        "summary": summary,
        "security": [{_KEY: []}],
        "responses": {str(success): answer}
        | {number: {"$ref": f"#/components/responses/{name}"} for number, name in errors.items()}
        | {"default": {"description": 'An error: `{"error": "…"}`.'}},
    }
    if of_one:
        made["parameters"] = [_ID]
    if body:
        content = {_JSON: {"schema": {"$ref": f"#/components/schemas/{body}"}}}
        made["requestBody"] = {"required": False, "content": content}
    return made


_KEY_OPERATIONS: dict[str, dict[str, Operation]] = {
    KEYS: {
        "get": _key_operation(
            "listGatewayKeys", "Lists the keys.", 200, {"$ref": "#/components/schemas/GatewayKeys"}, of_one=False
        ),
        "post": _key_operation(
            "createGatewayKey",
            "Creates a key and answers its token, this once.",
            201,
            _NAMED,
            of_one=False,
            body="CreateGatewayKeyRequest",
        ),
    },
    f"{KEYS}/{{id}}": {"delete": _key_operation("revokeGatewayKey", "Revokes a key.", 204, None)},
    f"{KEYS}/{{id}}/rotate": {
        "post": _key_operation(
            "rotateGatewayKey",
            "Gives a key another token and answers it, this once.",
            200,
            _NAMED,
            body="RotateGatewayKeyRequest",
        )
    },
}

ABOUT = About(
    title="OngoingAI gateway",
    description="The API of the OngoingAI gateway, as Ingate speaks it.",
    error=error_schema,
    headers={"CorrelationId": (ongoingai.CORRELATION, "The caller's own id of the call, or the gateway's.", TEXT)},
    security={
        _KEY: {"type": "apiKey", "in": "header", "name": ongoingai.KEY_HEADER},
        "bearer": {"type": "http", "scheme": "bearer", "description": "The provider's API key."},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The provider's API key."},
    },
    stated={
        "/": {"get": _shown("getRoot", "Says what runs here.", _object(name=TEXT, version=TEXT, status=TEXT))},
        "/api/health": {
            "get": _shown(
                "getHealth",
                "Says that the gateway answers.",
                _object(status=TEXT, version=TEXT, uptime_sec={"type": "integer", "minimum": 0}),
            )
        },
        **_KEY_OPERATIONS,
        "/openai/{path}": _provider("OpenAI"),
        "/anthropic/{path}": _provider("Anthropic"),
    },
    schemas=_SCHEMAS,
)
