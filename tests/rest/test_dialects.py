"""What a dialect may vary, each on a dialect made for it."""

import dataclasses
import json

import httpx
import pytest

from gen.ingate.exchanges.v1 import exchange_pb2, exchange_service_pb2
from gen.ingate.keys.v1 import key_pb2, key_service_pb2
from ingate.errors import BadRequest
from rest_facade.answer_headers import SECURITY
from rest_facade.app import Facade
from rest_facade.claims import Claims
from rest_facade.cors import Cors
from rest_facade.dialects.base import Answer, Dialect, Inputs
from rest_facade.dialects.ingate import INGATE
from rest_facade.request import MAX_BODY
from rest_facade.router import RouteConflict
from rest_facade.routes import Route
from rest_facade.style import Style
from tests.rest.raw import KEY

KEYS, EXCHANGES = "ingate.keys.v1.KeyService.", "ingate.exchanges.v1.ExchangeService."


def toy_error(failure, route, asked):
    where = route.template if route else None
    body = {"ok": False, "error": failure.message, "fields": dict(failure.fields), "where": where}
    return Answer(
        400 if failure.reason == "BAD_REQUEST" else 404, json.dumps(body).encode(), (("X-Toy", asked.request_id),)
    )


ROUTES = (
    Route("toy", "GET", "/toy/logs", EXCHANGES + "ListExchanges", renames={"from": "since", "page_size": "limit"}),
    Route("toy", "GET", "/toy/logs/", EXCHANGES + "ListExchanges", shape=lambda answer: answer["items"]),
    Route(
        "toy",
        "GET",
        "/toy/paged",
        KEYS + "ListKeys",
        accept=lambda given: {"limit": 10, "offset": 10 * (int(given.get("page", 1)) - 1)},
    ),
    Route(
        "toy",
        "POST",
        "/toy/{project}/keys",
        KEYS + "CreateKey",
        body="*",
        success=201,
        accept=lambda given: given["key"],
    ),
    Route(
        "toy",
        "GET",
        "/toy/{project}/keys/{key_id}",
        KEYS + "GetKey",
        response_body="key",
        accept=lambda given: {"keyId": given["key_id"]},
    ),
)
TOY = Dialect(
    name="toy",
    claims=Claims(roots=("/toy",)),
    routes=ROUTES,
    credentials=lambda asked: [("x-ingate-key", asked.headers.get("X-Toy-Key", "none"))],
    error=toy_error,
    envelope=lambda answer, route, asked: {"ok": True, "data": answer},
    style=Style(camel=True, omit_unset=True, millis=True),
    inputs=Inputs(query=False, fields=False, media_type=False),
    cors=Cors(),
    content_type="application/json",
    headers=lambda asked: (("X-Correlation-Id", asked.headers.get("X-Correlation-Id", asked.request_id)),),
    rate_headers=lambda trailing: tuple(("RateLimit-Limit", str(v)) for k, v in trailing if k == "x-ratelimit-limit"),
)


@pytest.fixture
async def toy(serve):
    facade = await serve([INGATE, TOY])
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
        yield client


async def test_renames_style_and_envelope(core, toy):
    """Wire names reach fields, JSON is in the dialect's style inside its envelope, unknown names are ignored."""
    answer = exchange_service_pb2.ListExchangesResponse(items=[exchange_pb2.Exchange(status_code=200)], limit=7)
    answer.items[0].created_at.FromSeconds(1775039400)
    core.answers[EXCHANGES + "ListExchanges"] = answer
    core.trailing = (("x-ratelimit-limit", "9"),)
    response = await toy.get("/toy/logs?page_size=7&page_size=8&from=2026-04-01T10:30:00Z&until=&nope=1&bad=%zz")

    assert core.request.limit == 7
    assert core.request.since.seconds == 1775039400
    assert not core.request.HasField("until")
    assert core.metadata["x-ingate-key"] == "none"
    body = response.json()
    assert body["ok"] is True
    assert body["data"]["items"][0]["createdAt"] == "2026-04-01T10:30:00.000Z"
    assert "nextCursor" not in body["data"]
    assert response.headers["ratelimit-limit"] == "9"
    assert response.headers["content-type"] == "application/json"


async def test_shapes(core, toy):
    """`shape` turns the answer, `accept` the arguments of query, path and body."""
    assert (await toy.get("/toy/logs/")).json() == {"ok": True, "data": []}

    await toy.get("/toy/paged?page=3")
    assert (core.request.limit, core.request.offset) == (10, 20)

    core.answers[KEYS + "GetKey"] = key_service_pb2.GetKeyResponse(key=key_pb2.Key(id="k"))
    assert (await toy.get("/toy/p/keys/k")).json()["data"]["id"] == "k"
    assert core.request.key_id == "k"

    response = await toy.post("/toy/p/keys", json={"key": {"name": "x", "rateLimitPerMinute": 5}})
    assert response.status_code == 201
    assert core.request.rate_limit_per_minute == 5


async def test_errors_and_their_fields(core, toy):
    """Failures are in the dialect's words, with fields in the caller's names, with and without a route."""
    core.answers[EXCHANGES + "ListExchanges"] = BadRequest.field("since", "must be in the past")
    response = await toy.get("/toy/logs")
    assert response.json() == {
        "ok": False,
        "error": "from must be in the past",
        "fields": {"from": "must be in the past"},
        "where": "/toy/logs",
    }
    assert response.headers["x-toy"] == response.headers["x-ingate-request-id"]

    core.answers[KEYS + "CreateKey"] = BadRequest("two", fields={"rate_limit_per_minute": "x", "scopes[1]": "y"})
    response = await toy.post("/toy/p/keys", json={"key": {}})
    assert response.json()["fields"] == {"rateLimitPerMinute": "x", "scopes[1]": "y"}

    assert (await toy.get("/toy/nope")).json()["where"] is None
    assert (await toy.get("/api/v1/nope")).json()["code"] == "not_found"


async def test_bodies_of_other_types_are_nothing(core, toy):
    """A dialect that does not mind takes a form for an empty body."""
    await toy.get("/toy/logs", headers={"content-type": "text/plain"})
    response = await toy.post("/toy/p/keys", content=b"key=x", headers={"content-type": "text/plain"})

    assert response.status_code == 404
    assert response.json()["error"] == "internal error"


async def test_cors_for_everyone(toy):
    """Every answer says who may read it, 404s included; preflights are answered for any path of the dialect."""
    for response in (await toy.get("/toy/logs"), await toy.get("/toy/nope"), await toy.options("/toy/nope")):
        assert response.headers["access-control-allow-origin"] == "*"
        assert "GET" in response.headers["access-control-allow-methods"]
        assert response.headers["x-correlation-id"] == response.headers["x-ingate-request-id"]
        assert all(response.headers[name] == value for name, value in SECURITY.items())
    preflight = await toy.options("/toy/logs", headers={"X-Correlation-Id": "mine"})
    assert preflight.status_code == 204
    assert preflight.headers["x-correlation-id"] == "mine"
    assert (await toy.options("/api/v1/keys")).status_code == 204
    assert "access-control-allow-origin" not in (await toy.get("/api/v1/keys")).headers


async def test_cors_for_some(serve):
    """Listed origins are named back, others get nothing but the hint that the origin matters."""
    cors = Cors(origins=frozenset({"https://a.example"}), credentials=True, max_age=60, exposed_headers="X-Cache")
    facade = await serve([dataclasses.replace(INGATE, cors=cors)])
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
        good = await client.options("/api/v1/keys", headers={"Origin": "https://a.example"})
        bad = await client.get("/api/v1/keys", headers={"Origin": "https://b.example"})

    assert good.status_code == 204
    assert good.headers["access-control-allow-origin"] == "https://a.example"
    assert good.headers["access-control-max-age"] == "60"
    assert good.headers["access-control-allow-credentials"] == "true"
    assert bad.status_code == 200
    assert bad.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in bad.headers


@pytest.mark.parametrize(
    ("route", "error"),
    [
        (Route("toy", "GET", "/toy/x", "ingate.keys.v1.KeyService.Nope"), "no such rpc"),
        (Route("toy", "GET", "/toy/x", "ingate.proxy.v1.ProxyService.Forward"), "streams"),
        (Route("toy", "GET", "/toy/{nope}", KEYS + "GetKey"), "nope"),
        (Route("toy", "GET", "/toy/x", KEYS + "GetKey", renames={"a": "nope"}), "nope"),
        (Route("toy", "POST", "/toy/x", KEYS + "CreateKey", body="nope"), "nope"),
        (Route("toy", "GET", "/toy/x", KEYS + "GetKey", response_body="nope"), "nope"),
        (Route("toy", "GET", "/elsewhere", KEYS + "ListKeys"), "not claimed"),
    ],
)
async def test_mistakes_in_tables_are_found_at_start(core, route, error):
    """A route that cannot work does not wait for a request to say so."""
    with pytest.raises(ValueError, match=error):
        Facade(core.channel, [dataclasses.replace(TOY, routes=(route,))])


async def test_overlaps_are_found_at_start(core):
    """Two routes for the same requests are refused."""
    with pytest.raises(RouteConflict, match="ListKeys"):
        Facade(core.channel, [dataclasses.replace(TOY, routes=(ROUTES[2], ROUTES[2]))])


async def test_raw_routes(serve, core):
    """A raw route answers by itself, with decoded values; what it raises is answered in the dialect."""

    async def raw(request, values):
        if "fail" in values["rest"]:
            raise BadRequest("as it wishes")
        return Answer(200, f"{values['rest']} {request.method} {len(request.asked.request_id)}".encode())

    route = Route("toy", "*", "/toy/raw/{rest=**}", raw=raw)
    facade = await serve([dataclasses.replace(TOY, routes=(route,))])
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
        assert (await client.put("/toy/raw/a/b%2Fc")).text == "a/b%2Fc PUT 36"
        assert (await client.get("/toy/raw/fail")).json()["error"] == "as it wishes"


async def test_raw_routes_read_requests_as_handlers_of_aiohttp_do(serve, core):
    """Headers, query and body are there by aiohttp's names; the body is bounded as every other is."""

    async def raw(request, _values):
        said = await request.json()
        return Answer(200, f"{said['a']} {request.query['q']} {request.headers['X-One']} {request.remote}".encode())

    route = Route("toy", "POST", "/toy/raw", raw=raw)
    facade = await serve([dataclasses.replace(TOY, routes=(route,))])
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
        answer = await client.post("/toy/raw?q=%C3%A9", json={"a": [1]}, headers={"X-One": "1"})
        assert answer.text == "[1] é 1 127.0.0.1"
        refused = await client.post("/toy/raw", content=b" " * (MAX_BODY + 1))
        assert f"larger than {MAX_BODY} bytes" in refused.json()["error"]
