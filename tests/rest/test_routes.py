"""Every way in, and what is none."""

import httpx
import pytest
from google.api import annotations_pb2

from gen.ingate.keys.v1 import key_pb2, key_service_pb2
from gen.ingate.system.v1 import system_service_pb2
from ingate.errors import Unavailable
from rest_facade import services
from rest_facade.dialects.ingate import CLAIMS, INGATE
from rest_facade.router import Match, Router
from rest_facade.routes import Parameter, segments
from tests.rest.laws import lawful

ANNOTATED = [m for m in services.methods().values() if m.GetOptions().HasExtension(annotations_pb2.http)]


def sample(route):
    return "/" + "/".join("x" if isinstance(part, Parameter) else part for part in segments(route.template))


@pytest.mark.parametrize("method", ANNOTATED, ids=lambda method: method.full_name)
def test_every_annotation_is_a_claimed_route(method):
    """Each annotated rpc is reached by each of its bindings, and its dialect claims the path."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    routes = [route for route in INGATE.routes if route.rpc == method.full_name]

    assert len(routes) == 1 + len(rule.additional_bindings)
    for route in routes:
        found = Router(INGATE.routes).resolve(route.verb, sample(route))
        assert isinstance(found, Match)
        assert found.route == route
        assert CLAIMS(sample(route))


@pytest.mark.parametrize("route", INGATE.routes, ids=lambda route: f"{route.verb} {route.template}")
async def test_every_route_answers(core, client, route):
    """Each route calls its rpc and answers with its status and JSON."""
    response = await client.request(route.verb, sample(route), json={} if route.body else None)

    lawful(response)
    assert response.status_code == route.success
    assert core.rpc == route.rpc
    # A stream of nothing has no events.
    assert (response.content == b"") == (route.success == 204 or route.events is not None)


async def test_success_status_and_single_use_secret(core, client):
    """A creation is 201 with the description and the secret side by side."""
    core.answers["ingate.keys.v1.KeyService.CreateKey"] = key_service_pb2.CreateKeyResponse(
        description=key_pb2.Key(id="k", name="ci"), key="sk-ingate-secret"
    )
    response = await client.post("/api/v1/keys", json={"name": "ci", "scopes": ["read"]})

    assert response.status_code == 201
    assert lawful(response) | {"id": "k", "name": "ci", "key": "sk-ingate-secret"} == response.json()
    assert core.request.name == "ci"


async def test_response_body_is_the_resource(core, client):
    """A route that answers with one field answers with its JSON, bare."""
    core.answers["ingate.keys.v1.KeyService.GetKey"] = key_service_pb2.GetKeyResponse(key=key_pb2.Key(id="a/b"))
    response = await client.get("/api/v1/keys/a%2Fb")

    assert lawful(response)["id"] == "a/b"
    assert core.request.key_id == "a/b"


async def test_head_answers_as_get_without_a_body(core, client):
    """HEAD calls the GET rpc and leaves out the body, for errors too."""
    response = await client.head("/api/v1/keys")
    lawful(response)
    assert response.status_code == 200
    assert int(response.headers["content-length"]) > 0
    assert core.rpc == "ingate.keys.v1.KeyService.ListKeys"

    response = await client.head("/api/v1/keys?x=1")
    lawful(response)
    assert response.status_code == 400
    assert response.content == b""


async def test_health(core, client):
    """`/healthz` is 200 when the core is ready and 503 when it says it is not."""
    core.answers["ingate.system.v1.SystemService.GetHealth"] = system_service_pb2.GetHealthResponse(
        status="ok", version="1"
    )
    assert lawful(await client.get("/healthz")) == {"status": "ok", "version": "1", "parts": None}
    for query, deep in (("", False), ("?deep", True), ("?deep=true", True), ("?deep=false", False)):
        lawful(await client.get(f"/healthz{query}"))
        assert core.request.deep is deep

    core.answers["ingate.system.v1.SystemService.GetHealth"] = Unavailable("not ready", retry_after=2.5)
    response = await client.get("/healthz")
    lawful(response)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "3"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1",
        "/api/v1/",
        "/api/v1/nope",
        "/api/v1/keys/",
        "/api/v1//keys",
        "/api/v1/keys/a/b",
        "/api%2Fv1/keys",
        "/API/v1/keys",
        "/ui",
        "/ui/x",
        "/v1/traces",
        "/healthz/",
        "/anything",
        "/",
    ],
)
@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE", "HEAD"])
async def test_what_is_no_route_is_404(core, client, path, verb):
    """Unknown paths, near misses included, are 404 in the dialect, whatever the verb."""
    response = await client.request(verb, path)

    lawful(response)
    assert response.status_code == 404
    assert core.rpc == ""


@pytest.mark.parametrize(
    ("verb", "path", "allow"),
    [
        ("PATCH", "/api/v1/keys", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/api/v1/logs/x", "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("GET", "/api/v1/auth/login", "OPTIONS, POST"),
        ("HEAD", "/api/v1/auth/login", "OPTIONS, POST"),
        ("PROPFIND", "/api/v1/keys", "GET, HEAD, OPTIONS, POST"),
    ],
)
async def test_other_verbs_are_405_with_allow(client, verb, path, allow):
    """A path that exists names the verbs that it takes."""
    response = await client.request(verb, path)

    lawful(response)
    assert response.status_code == 405
    assert response.headers["allow"] == allow
    answer = await client.options(path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allow, b"")


@pytest.mark.parametrize(
    "path", ["/api/v1/keys/%2e%2e", "/api/v1/keys/%zz", "/api/v1/keys/%ff", "/api/v1/keys/a%00b", "/api/v1/%2e/keys"]
)
async def test_bad_paths_are_400(facade, path):
    """Dot segments, broken escapes and control characters are refused, in the dialect."""
    async with httpx.AsyncClient(verify=False) as client:
        url = httpx.URL(f"http://127.0.0.1:{facade.port}").copy_with(raw_path=path.encode())
        response = await client.get(url)

    assert lawful(response)["code"] == "bad_request"


async def test_no_two_requests_share_an_id(core, client):
    """Ids grow, are the core's too, and are not the caller's to choose."""
    first = await client.get("/api/v1/keys", headers={"X-Ingate-Request-Id": "mine", "X-Request-Id": "mine"})
    second = await client.get("/api/v1/keys")

    ids = [response.headers["x-ingate-request-id"] for response in (first, second)]
    assert ids[0] < ids[1]
    assert core.metadata["x-request-id"] == ids[1]
