"""Which dialect or ingress answers at which path."""

import dataclasses
import json

import httpx
import pytest

from ingate.errors import Unauthenticated
from rest_facade.app import Facade
from rest_facade.claims import Claims
from rest_facade.dialects.base import Answer, Dialect, Ingress, NoCredential
from rest_facade.dialects.ingate import INGATE
from rest_facade.router import RouteConflict
from rest_facade.routes import Route


def plain(failure, *_route_and_asked):
    return Answer(401 if failure.reason == "UNAUTHENTICATED" else 404, b"plain", content_type="text/plain")


def key(headers, _query):
    if "X-Plain-Key" not in headers:
        raise NoCredential("no key")
    return headers["X-Plain-Key"]


async def hello(request, _values):
    return Answer(200, request.asked.path.encode())


CALLS = Ingress("calls", key, plain, Claims(roots=("/plain/calls",)), frozenset({b"x-plain-key"}))
PLAIN = Dialect(
    "plain",
    Claims(frozenset({"/plain"})),
    (Route("plain", "GET", "/plain", raw=hello),),
    credentials=lambda asked: (),
    error=plain,
    ingresses=(CALLS,),
)


async def echo(_request_id, head, _body, sink):
    """A proxy that says by which ingress it was asked, and with which key."""
    ingress = head.owner.ingress
    said = ingress.name, ingress.key(head.fields(), head.query)
    await sink.respond(200, [], json.dumps(said).encode())


def client(facade):
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", timeout=30, verify=False)


async def test_an_ingress_is_one_value(serve):
    """Its paths are the engine's, with a key in its own header and errors in its own words."""
    async with client(await serve([INGATE, PLAIN], proxy=echo)) as http:
        answer = await http.post("/plain/calls/x", headers={"X-Plain-Key": "k"})
        assert (answer.status_code, answer.json()) == (200, ["calls", "k"])
        # A key in another's header is none.
        answer = await http.post("/plain/calls/x", headers={"X-Ingate-Key": "sk-ingate-x"})
        assert (answer.status_code, answer.text) == (401, "plain")
        answer = await http.post("/plainly", headers={"X-Plain-Key": "k"})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        answer = await http.post("/%70lain/calls", headers={"X-Plain-Key": "k"})
        assert answer.json() == ["calls", "k"]


async def test_the_first_dialect_has_what_nobody_claims(serve):
    """With an ingress for it, that answers; without one, the dialect does in its words, and so alone."""
    for dialects, status, text in (([INGATE, PLAIN], 401, "unauthorized"), ([PLAIN, INGATE], 404, "plain")):
        async with client(await serve(dialects, proxy=echo)) as http:
            answer = await http.get("/v1/chat")
            assert answer.status_code == status
            assert text in answer.text
    async with client(await serve([PLAIN], proxy=echo)) as http:
        for path in ("/api/v1/keys", "/healthz", "/v1/models", "/plain/", "/plain/nope"):
            answer = await http.get(path, headers={"X-Ingate-Key": "sk-ingate-x"})
            assert (answer.status_code, answer.text) == (404, "plain")


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        (Claims(frozenset({"/healthz"})), "/healthz"),
        (Claims(frozenset({"/api/v1/keys"})), "/api/v1/keys"),
        (Claims(roots=("/api/v1/keys",)), "/api/v1/keys"),
        (Claims(roots=("/api",)), "/api/v1"),
        (Claims(roots=("/v1",)), "/v1/traces"),
    ],
)
async def test_two_claims_on_one_path_are_found_at_start(core, claims, path):
    """The error names both and the path, whether a dialect or an ingress claims it, and whichever is first."""
    dialect = dataclasses.replace(PLAIN, claims=claims, routes=(), ingresses=())
    entering = dataclasses.replace(PLAIN, ingresses=(dataclasses.replace(CALLS, claims=claims),))
    for other, name in ((dialect, "dialect plain"), (entering, "ingress calls of plain")):
        for order in ([INGATE, other], [other, INGATE]):
            with pytest.raises(RouteConflict, match=f"both claim {path}$") as conflict:
                Facade(core.channel, order)
            assert name in str(conflict.value)
            assert "dialect ingate" in str(conflict.value)


async def test_neighbours_are_no_conflict(core):
    """Paths that only look alike are two."""
    claims = Claims(frozenset({"/healthz/", "/api/v10", "/v1"}), ("/api/v2", "/uix"))
    Facade(core.channel, [INGATE, dataclasses.replace(PLAIN, claims=claims, routes=(), ingresses=())])


async def test_dialects_come_and_go(serve):
    """From the next request on, on connections that are open too, whatever was asked before."""
    facade = await serve([INGATE], proxy=echo)
    async with client(facade) as http:
        for dialects, status in (([INGATE, PLAIN], 200), ([INGATE], 401), ([INGATE, PLAIN], 200)):
            assert (await http.get("/api/v1/nope")).json()["code"] == "not_found"
            facade.mount(dialects)
            for _ in range(2):
                assert (await http.get("/plain")).status_code == status
                answer = await http.get("/plain/calls", headers={"X-Plain-Key": "k"})
                assert answer.status_code == status
        with pytest.raises(RouteConflict):
            facade.mount([INGATE, INGATE])
        assert (await http.get("/plain")).status_code == 200


async def test_who_is_remembered_is_who_asks(serve):
    """Callers whose heads differ in an ingress' own header alone are told apart, however they take turns."""
    async with client(await serve([INGATE, PLAIN], proxy=echo)) as http:
        for secret in ("a", "b", "a", "c", "b"):
            answer = await http.get("/plain/calls", headers={"X-Plain-Key": secret, "X-Other": "same"})
            assert answer.json() == ["calls", secret]


async def test_what_a_refusal_of_an_ingress_is_noted_as(serve):
    """As every other of the proxy: reason, address, words."""
    noted = []
    facade = await serve([PLAIN], proxy=echo, refused=lambda *told: noted.append(told))
    async with client(facade) as http:
        await http.get("/plain/calls")
    [(reason, _, address, why)] = noted
    assert (reason, address, why) == (Unauthenticated.reason, "127.0.0.1", "no key")
