"""The REST API of a dialect as an OpenAPI 3.1 document, made of its routes and of what is stated beside them."""

from importlib.metadata import version
from typing import Any

from rest_facade.dialects import ingate, ongoingai
from rest_facade.dialects.base import Dialect
from rest_facade.spec import native
from rest_facade.spec import ongoingai as about_ongoingai
from rest_facade.spec.errors import Errors
from rest_facade.spec.operations import operation
from rest_facade.spec.schemas import Schemas

_ABOUT = {ingate.NAME: native.ABOUT, ongoingai.NAME: about_ongoingai.ABOUT}


def document(server_url: str, dialect: Dialect = ingate.INGATE) -> dict[str, Any]:
    """Returns the document of a dialect, for an API at this base URL."""
    about = _ABOUT[dialect.name]
    schemas = Schemas()
    headers = {header: {"$ref": f"#/components/headers/{name}"} for name, (header, _, _) in about.headers.items()}
    errors = Errors(dialect, about.error, headers)
    paths: dict[str, dict[str, Any]] = {path: dict(operations) for path, operations in about.stated.items()}
    for route in dialect.routes:
        # Only the native dialect speaks in the names of the protos; what other routes take is stated.
        if route.rpc and route.dialect == ingate.NAME:
            made = operation(route, schemas, errors, headers)
            paths.setdefault(route.template, {})[route.verb.lower()] = made
    tags = sorted({made["tags"][0] for operations in paths.values() for made in operations.values()})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "version": version("ingate"),
            "description": about.description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url}],
        "tags": [{"name": tag} for tag in tags],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted({**about.schemas, **schemas.found, **errors.schemas}.items())),
            "responses": errors.responses,
            "headers": {
                name: {"description": said, "schema": schema} for name, (_, said, schema) in about.headers.items()
            },
            "securitySchemes": dict(about.security),
        },
    }
