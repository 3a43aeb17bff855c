"""What a document says of a dialect beside what its routes say: errors, credentials, headers, raw routes, ingresses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rest_facade.spec.schemas import Schema

Operation = dict[str, Any]
TEXT: Schema = {"type": "string"}


@dataclass(frozen=True, slots=True)
class About:
    """One dialect.

    `error` is the schema of an error's body by status; it may refer to `schemas`. `headers` are those of every answer:
    name of the component → header, what it says, schema. `stated` are the operations of raw routes and of ingresses, by
    path and by verb in lower case.
    """

    title: str
    description: str
    error: Callable[[int], Schema]
    headers: Mapping[str, tuple[str, str, Schema]]
    security: Mapping[str, Schema]
    stated: Mapping[str, Mapping[str, Operation]]
    schemas: Mapping[str, Schema]


def proxied(
    operation_id: str,
    summary: str,
    security: list[dict[str, list[str]]],
    *,
    body: bool = True,
    path: tuple[str, ...] = (),
) -> Operation:
    """Returns an operation that a provider answers; `path` names the parameters of its template."""
    made: Operation = {
        "operationId": operation_id,
        "tags": ["Proxy"],
        "summary": summary,
        "description": "Request and answer are those of the provider's own API, as its reference has them.",
        "security": security,
    }
    if path:
        made["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}} for name in path
        ]
    if body:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    made["responses"] = {
        "200": {
            "description": "What the provider answers; a stream of events where the request asks for one.",
            "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {"schema": TEXT}},
        },
        "default": {"description": "What the provider answers, or an error of the gateway in the form of its API."},
    }
    return made
