"""The OpenAPI document says what routes take and answer."""

import re

import pytest

from rest_facade import services
from rest_facade.dialects import ingate
from rest_facade.dialects.ingate import INGATE
from rest_facade.spec import names, native
from rest_facade.spec.comments import comments
from rest_facade.spec.openapi import document

DOCUMENT = document("/")
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {it["operationId"]: it for path in DOCUMENT["paths"].values() for it in path.values()}


def resolved(schema):
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def body(operation):
    return resolved(OPERATIONS[operation]["requestBody"]["content"]["application/json"]["schema"])


def test_every_route_is_an_operation_with_a_name_of_its_own():
    """Names are unique, in lower camel case, and as people would say them."""
    assert len(OPERATIONS) == len(INGATE.routes) + len(native.ABOUT.stated)
    assert all(re.fullmatch("[a-z][a-zA-Z]+", name) for name in OPERATIONS)
    assert {"createKey", "listKeys", "getOwnOrg", "listAuditEntries", "tailExchanges"} <= OPERATIONS.keys()


def test_every_stated_name_is_of_something():
    """No name outlives the rpc, the route or the message that it was stated for."""
    assert names.OPERATIONS.keys() <= services.methods().keys()
    assert names.ALIASES.keys() <= {(route.verb, route.template) for route in INGATE.routes}
    assert names.SCHEMAS.keys() <= comments().keys()
    assert set(names.SCHEMAS.values()) <= SCHEMAS.keys()


def test_bodies_are_components_that_are_closed():
    """What is refused is not in the schema: unknown members, empty names, what the path states."""
    found = body("createKey")
    assert OPERATIONS["createKey"]["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/CreateKeyRequest"
    }
    assert (found["required"], found["additionalProperties"]) == (["name"], False)
    assert (found["properties"]["name"]["minLength"], found["properties"]["name"]["maxLength"]) == (1, 200)
    assert found["properties"]["app_id"]["type"] == ["string", "null"]

    assert "key_id" not in body("updateKey")["properties"]
    assert body("updateKey")["minProperties"] == 1
    assert body("updateKey")["properties"]["scopes"]["minItems"] == 1
    assert body("updateKey")["properties"]["expires_at"]["type"] == ["string", "null"]
    assert "org_id" in body("updateOwnOrg")["properties"]
    assert "org_id" not in body("updateOrg")["properties"]


def test_answers_have_every_member():
    """Answers state unset members as null, so none of them is ever missing."""
    answer = resolved(OPERATIONS["getKey"]["responses"]["200"]["content"]["application/json"]["schema"])
    assert set(answer["required"]) == answer["properties"].keys()
    assert answer["properties"]["expires_at"]["type"] == ["string", "null"]
    assert "additionalProperties" not in answer


@pytest.mark.parametrize(
    ("operation", "statuses"),
    [
        ("getHealth", {200, 400, 414, 429, 431, 500, 503}),
        ("login", {200, 400, 401, 403, 408, 409, 413, 414, 415, 422, 429, 431, 500, 503, 507}),
        ("listKeys", {200, 400, 401, 403, 414, 429, 431, 500, 503}),
        ("getOwnOrg", {200, 400, 401, 403, 404, 414, 429, 431, 500, 503}),
        ("getKey", {200, 400, 401, 403, 404, 414, 429, 431, 500, 503}),
        ("revokeKey", {204, 400, 401, 403, 404, 409, 422, 414, 429, 431, 500, 503, 507}),
        ("createKey", {201, 400, 401, 403, 404, 408, 409, 413, 414, 415, 422, 429, 431, 500, 503, 507}),
    ],
)
def test_errors_are_typed_by_status(operation, statuses):
    """Each status that an operation may have is there, with the codes that errors with it have."""
    responses = OPERATIONS[operation]["responses"]
    assert {int(status) for status in responses} == statuses
    for status in statuses - {200, 201, 204}:
        response = DOCUMENT["components"]["responses"][responses[str(status)]["$ref"].rpartition("/")[2]]
        content = response["content"]["application/json"]
        assert content["example"]["code"] in ingate.codes(status)
        assert resolved(content["schema"])["properties"]["code"]["enum"] == sorted(ingate.codes(status))
        assert ("Retry-After" in response["headers"]) == (status in {429, 503})


def test_operations_state_the_credentials_that_they_take():
    """None where anybody may call, a session alone where a person has to."""
    assert OPERATIONS["login"]["security"] == []
    assert OPERATIONS["createKey"]["security"] == [{"key": []}, {"session": []}]
    assert OPERATIONS["listOrgs"]["security"] == [{"session": []}]


def test_streams_are_described():
    """A stream of events is text, and says which schema the data of each event has."""
    operation = OPERATIONS["tailExchanges"]
    success = operation["responses"]["200"]
    assert list(success["content"]) == ["text/event-stream"]
    assert "`message` with `Exchange` as its data, `gap` with `TailGap`" in success["description"]
    assert "Last-Event-ID" in {parameter["name"] for parameter in operation["parameters"]}
