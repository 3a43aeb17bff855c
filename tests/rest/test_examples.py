"""The examples of the OpenAPI document are requests that a gateway accepts."""

from rest_facade.spec.examples import BODIES
from rest_facade.spec.openapi import document
from tests.support.gateway import gateway

OPERATIONS = {
    operation["operationId"]: (verb.upper(), path, operation)
    for path, operations in document("/")["paths"].items()
    for verb, operation in operations.items()
}
MADE = {"createTeam": "team_id", "createApp": "app_id", "createKey": "key_id"}
"""Operation → the parameter of other paths that takes the id of what it makes."""


async def test_examples_are_accepted():
    """Sent in their order, each is answered with the success that the document states."""
    async with gateway(grpc=False) as gw, gw.client() as client:
        values = {"name": "openai"}
        for name, body in BODIES.items():
            verb, path, operation = OPERATIONS[name]
            assert operation["requestBody"]["content"]["application/json"]["example"] == body
            answer = await client.request(verb, path.format_map(values), json=body)
            assert str(answer.status_code) == min(operation["responses"]), f"{name}: {answer.text}"
            said = answer.json()
            if name == "signup":
                values["org_id"] = said["org"]["id"]
                client.headers["Authorization"] = f"Bearer {said['token']}"
            elif name in MADE:
                values[MADE[name]] = said["id"]
