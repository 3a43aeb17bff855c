"""What the document of the native dialect says of it, the paths of providers included."""

from typing import Any

from rest_facade.answer_headers import REQUEST_ID
from rest_facade.dialects import ingate
from rest_facade.spec.about import TEXT, About, Operation, proxied
from rest_facade.spec.operations import KEY, SESSION
from rest_facade.spec.schemas import Schema

_BEARER_KEY = "bearerKey"
_COUNT: Schema = {"type": "integer", "minimum": 0}
_HEADERS = {
    "RequestId": (REQUEST_ID, "The id of the call, by which logs and records name it.", {**TEXT, "format": "uuid"}),
    "RateLimitLimit": ("X-RateLimit-Limit", "Requests that the key may make a minute; where a key calls.", _COUNT),
    "RateLimitRemaining": ("X-RateLimit-Remaining", "How many are left of them; where a key calls.", _COUNT),
    "RateLimitReset": ("X-RateLimit-Reset", "When the minute ends, in seconds since 1970; where a key calls.", _COUNT),
}
_DETAIL: Schema = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "description": "The path of the field."},
        "message": {"type": "string", "description": "What is wrong with it."},
        "reason": {"type": "string", "description": "The same, for programs."},
    },
    "required": ["field", "message", "reason"],
}
PROXIED = {
    "/v1/chat/completions": ("createChatCompletion", "Asks a model in the format of OpenAI's chat completions."),
    "/v1/responses": ("createResponse", "Asks a model in the format of OpenAI's responses."),
    "/v1/completions": ("createCompletion", "Asks a model in the format of OpenAI's text completions."),
    "/v1/embeddings": ("createEmbedding", "Embeds text in the format of OpenAI."),
    "/v1/moderations": ("createModeration", "Judges text in the format of OpenAI."),
    "/v1/images/generations": ("createImage", "Makes pictures in the format of OpenAI."),
    "/v1/messages": ("createMessage", "Asks a model in the format of Anthropic's messages."),
    "/v1/messages/count_tokens": ("countMessageTokens", "Counts the tokens of a request in the format of Anthropic."),
    "/v1/rerank": ("rerank", "Orders documents in the format of Cohere."),
    "/v1beta/models/{model}:generateContent": ("generateContent", "Asks a model in the format of Gemini."),
    "/v1beta/models/{model}:streamGenerateContent": (
        "streamGenerateContent",
        "Asks a model in the format of Gemini, which answers piece by piece.",
    ),
    "/api/chat": ("chatWithOllama", "Asks a model in the format of Ollama's chat."),
    "/api/generate": ("generateWithOllama", "Asks a model in the format of Ollama's completions."),
}
"""The paths of providers whose bodies the gateway reads for its records: path → operation and summary."""


def _stated() -> dict[str, dict[str, Operation]]:
    security: list[dict[str, list[str]]] = [{KEY: []}, {_BEARER_KEY: []}]
    found = {
        path: {"post": proxied(name, summary, security, path=("model",) if "{model}" in path else ())}
        for path, (name, summary) in PROXIED.items()
    }
    listing = proxied("listModels", "Lists the models of all providers that the key may reach.", security, body=False)
    return found | {"/v1/models": {"get": listing}}


def error_schema(status: int) -> Schema:
    """Returns the schema of the body of an error with this status."""
    code: Schema = {"type": "string", "enum": sorted(ingate.codes(status)), "description": "The error."}
    properties: dict[str, Any] = {
        "code": code,
        "message": {"type": "string", "description": "What went wrong, for people."},
        "request_id": {"type": "string", "format": "uuid", "description": "The id of the call."},
        "error": {"type": "string", "description": "The message again, for older clients."},
        "error_code": {**code, "description": "The code again, for older clients."},
    }
    details: Schema = {
        "type": "array",
        "description": "What is wrong with which field.",
        "items": {"$ref": "#/components/schemas/ErrorDetail"},
    }
    return {"type": "object", "properties": properties | {"details": details}, "required": list(properties)}


ABOUT = About(
    title="Ingate",
    description="The API of an LLM gateway. Every path that it does not claim is proxied to a provider.",
    error=error_schema,
    headers=_HEADERS,
    security={
        KEY: {"type": "apiKey", "in": "header", "name": ingate.KEY_HEADER},
        SESSION: {"type": "http", "scheme": "bearer", "description": "A session token, or a key."},
        _BEARER_KEY: {"type": "http", "scheme": "bearer", "description": "A key, where an SDK puts its API key."},
    },
    stated=_stated(),
    schemas={"ErrorDetail": _DETAIL},
)
