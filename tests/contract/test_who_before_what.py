"""Who calls, what they may do and what is theirs are answered before what is wrong with a request."""

import httpx
import pytest_asyncio
from google.protobuf.message_factory import GetMessageClass

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN, ROLE_VIEWER, SCOPE_PROXY
from ingate.ids import uuid7
from ingate.rpc.services import rpcs
from rest_facade.app import Facade
from rest_facade.dialects.ingate import INGATE
from rest_facade.endpoints import resource
from rest_facade.routes import Parameter, segments
from rest_facade.transcoder import Calls
from tests.support import tenancy
from tests.support.possessions import fill
from tests.support.probes import as_http, probes

core_settings = {"rate_limit_enterprise": 10_000_000}
site, grpc_channel = tenancy.site, tenancy.grpc_channel

RPCS = {f"{rpc.service}.{rpc.name}": rpc for rpc in rpcs().values()}
ROUTES = [route for route in INGATE.routes if route.rpc and not RPCS[route.rpc].access.public]
JSON = {"Content-Type": "application/json"}
MALFORMED = [
    {"content": b"{", "headers": JSON},
    {"content": b"[]", "headers": JSON},
    {"content": b'{"no such field": 1}', "headers": JSON},
    {"content": b"\xff", "headers": {"Content-Type": "text/plain"}},
    {"content": b" " * 300_000, "headers": JSON},
    {"params": {"no_such_parameter": "1"}},
    {"params": {"limit": "x"}},
]
NOT_WELL = {400, 413, 415}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def http(core):
    """An HTTP client of a facade on the core."""
    facade = Facade(core.channel, (INGATE,), None, calls=Calls(gateway_token=core.gateway_token))
    port = await facade.start("127.0.0.1", 0)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False, verify=False
    ) as client:
        yield client
    await facade.drain(1.0)


def path(route, org):
    """Returns a path of the route, in an organisation where it names one, and otherwise of what nobody has."""
    parts = (part if isinstance(part, str) else org.id if part.name == "org_id" else uuid7() for part in _parts(route))
    return "/" + "/".join(parts)


def _parts(route):
    return segments(route.template)


async def ask(http, route, where, wrong, who=()):
    """Sends a malformed request; `who` is call metadata."""
    headers = {**wrong.get("headers", {}), **dict(who)}
    return await http.request(route.verb, where, **{**wrong, "headers": headers})


async def test_without_a_credential_that_is_what_is_wrong(site, http):
    """401 for none and for one that nobody has, whatever the body is; nothing of the request is judged."""
    org = await site.found()
    unknown = {"x-ingate-key": "sk-ingate-" + "x" * 43}
    for number, route in enumerate(ROUTES):
        for who in ({}, unknown):
            wrong = MALFORMED[number % len(MALFORMED)]
            answer = await ask(http, route, path(route, org), wrong, who)
            assert answer.status_code == 401, (route.title, wrong, answer.text)


async def test_who_may_not_call_hears_that_alone(site, http):
    """403 for a key that lacks role or scope, whatever the body is; the minute is counted and told."""
    org = await site.found()
    viewer = await site.key(org, role=ROLE_VIEWER)
    proxy = await site.key(org, scopes=[SCOPE_PROXY])
    seen = 0
    for number, route in enumerate(ROUTES):
        access = RPCS[route.rpc].access
        little = viewer if access.role > ROLE_VIEWER or access.person else proxy if access.scope else None
        if little is None or access.gateway:
            continue
        seen += 1
        answer = await ask(http, route, path(route, org), MALFORMED[number % len(MALFORMED)], little.metadata)
        assert answer.status_code == 403, (route.title, answer.text)
        assert "x-ratelimit-remaining" in answer.headers, route.title
    assert seen > 30


async def test_what_is_anothers_is_not_there(site, http):
    """404 for a foreign id in a path, whatever the body is."""
    mine, theirs = await site.found(), await site.found()
    own, foreign = await fill(site, mine), await fill(site, theirs)
    key = await site.key(mine, role=ROLE_ADMIN)
    seen, told = 0, set()
    for probe in probes(own, foreign, lambda: f"fresh-{site.number()}"):
        if not (probe.fits and probe.place == "id"):
            continue
        name = f"{probe.rpc.service}.{probe.rpc.name}"
        for route in (route for route in ROUTES if route.rpc == name):
            said = as_http(route, probe)
            named = {part.name for part in _parts(route) if isinstance(part, Parameter)}
            if said is None or probe.field not in named:
                continue
            if probe.field != "org_id" and resource(route, ROUTES) is None:
                # No rpc gets these by their ids, so a malformed request hears the same of its own and of another's.
                continue
            who = mine.owner if probe.rpc.access.person else key
            for wrong in MALFORMED:
                seen += 1
                answer = await ask(http, route, said[1], wrong, who.metadata)
                if answer.status_code != 404:
                    told.add((route.title, answer.text))
    assert not told
    assert seen > 50


async def test_a_malformed_request_counts_once_and_does_nothing(site, http):
    """The window takes one for it, the answer carries its headers, and nothing is changed."""
    org = await site.found()
    admin = await site.key(org, role=ROLE_ADMIN)
    kept = await site.key(org)
    remaining = []
    for verb, where, wrong in (
        ("GET", "/api/v1/keys", {}),
        ("POST", "/api/v1/keys", MALFORMED[0]),
        ("DELETE", f"/api/v1/keys/{kept.id}", {"content": b"[1]", "headers": JSON}),
        ("PUT", f"/api/v1/keys/{kept.id}", MALFORMED[2]),
        ("PUT", f"/api/v1/keys/{kept.id}", {"json": {"name": "x" * 1000}}),
    ):
        headers = {**wrong.get("headers", {}), **dict(admin.metadata)}
        answer = await http.request(verb, where, **{**wrong, "headers": headers})
        assert answer.status_code == (200 if verb == "GET" else 400), answer.text
        remaining.append(int(answer.headers["x-ratelimit-remaining"]))
    assert remaining == list(range(remaining[0], remaining[0] - 5, -1))
    response = await http.get(f"/api/v1/keys/{kept.id}", headers=dict(admin.metadata))
    assert response.json()["revoked_at"] is None


async def test_only_a_gateway_says_that_a_request_is_malformed_or_counted(site):
    """From anybody else the words mean nothing."""
    org = await site.found()
    key = await site.key(org)
    request = GetMessageClass(RPCS["ingate.keys.v1.KeyService.ListKeys"].request.DESCRIPTOR)()
    for word in ("x-ingate-malformed", "x-ingate-counted"):
        before = await _remaining(site, request, key.metadata)
        assert await _remaining(site, request, (*key.metadata, (word, "1"))) == before - 1


async def _remaining(site, request, metadata):
    call = site.channel.unary_unary(
        "/ingate.keys.v1.KeyService/ListKeys", request_serializer=type(request).SerializeToString
    )(request, metadata=metadata)
    await call
    return int(dict(await call.trailing_metadata())["x-ratelimit-remaining"])
