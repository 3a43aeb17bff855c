"""Which clients there are in other languages, and what each raises when a call fails."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the table tries it.

    vendor: whose API it speaks. raises: the exception for each status of its own; `client_error` and `server_error` are
    those of all others. `tells_id` and `retrieves`: whether its exceptions state the id of a request, and whether it
    has a call for one model.
    """

    vendor: str
    client_error: str
    server_error: str
    raises: dict = field(default_factory=dict)
    tells_id: bool = True
    retrieves: bool = False

    def exception(self, status):
        """Returns the name of the exception for a status."""
        return self.raises.get(status) or (self.server_error if status >= 500 else self.client_error)


_COMMON = {400: "BadRequest", 403: "PermissionDenied", 404: "NotFound", 422: "UnprocessableEntity", 429: "RateLimit"}
_NODE = {**_COMMON, 401: "Authentication", 409: "Conflict"}
_ANTHROPIC = {
    408: "RequestTimeout",
    409: "Conflict",
    413: "ContentTooLarge",
    431: "RequestHeaderFieldsTooLarge",
    501: "NotImplemented",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}


def _named(names, ending):
    return {status: name + ending for status, name in names.items()}


def _of_node(vendor, names, retrieves=True):
    return Client(vendor, "APIError", "InternalServerError", _named(names, "Error"), retrieves=retrieves)


def _of_java(vendor, names):
    raises = _named({**_COMMON, 401: "Unauthorized", **names}, "Exception")
    return Client(vendor, "UnexpectedStatusCodeException", "InternalServerException", raises, retrieves=True)


def _alike(vendor, name, **facts):
    return Client(vendor, name, name, **facts)


CLIENTS = {
    "node": {
        "openai": _of_node("openai", _NODE),
        "openai-responses": _of_node("openai", _NODE, retrieves=False),
        "anthropic": _of_node("anthropic", {**_NODE, **_ANTHROPIC}),
        "gemini": _alike("gemini", "ApiError", retrieves=True),
        "ollama": _alike("ollama", "ResponseError", tells_id=False),
        "ai-sdk-openai": _alike("openai", "APICallError"),
        "ai-sdk-anthropic": _alike("anthropic", "APICallError"),
        "ai-sdk-google": _alike("gemini", "APICallError"),
    },
    "go": {
        "openai": _alike("openai", "*apierror.Error", retrieves=True),
        "openai-responses": _alike("openai", "*apierror.Error"),
        "anthropic": _alike("anthropic", "*apierror.Error", retrieves=True),
        "gemini": _alike("gemini", "genai.APIError", retrieves=True),
    },
    "java": {
        "openai": _of_java("openai", {}),
        "openai-responses": _of_java("openai", {}),
        "anthropic": _of_java("anthropic", _ANTHROPIC),
        "gemini": Client("gemini", "ClientException", "ServerException", tells_id=False, retrieves=True),
    },
}
"""The clients of each language, by the names that its program knows them by."""

WORDS = {
    "openai": {401: "invalid_api_key", 404: "model_not_found"},
    "anthropic": {
        400: "invalid_request_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        409: "conflict_error",
        413: "request_too_large",
        429: "rate_limit_error",
        500: "api_error",
        502: "api_error",
        503: "overloaded_error",
        504: "timeout_error",
    },
    "gemini": {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        408: "DEADLINE_EXCEEDED",
        409: "ABORTED",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL",
        501: "UNIMPLEMENTED",
        502: "UNAVAILABLE",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    },
}
"""The vendor's own word for a status, where its clients hand it on."""
