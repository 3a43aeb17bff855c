"""The OngoingAI dialect, alone and beside the native one: its own routes, and providers behind a prefix."""

import json

import pytest

from tests.support.gateway import gateway
from tests.support.upstream import status

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "X-OngoingAI-Gateway-Key"
CORRELATION = "x-ongoingai-correlation-id"
NO_PROVIDER_KEY = "missing provider API key — pass your provider key via Authorization or X-API-Key header"
CALLER = {"Authorization": "Bearer sk-proj-callers-own"}
BODY = b'{ "model": "openai/gpt-4o-mini", "messages": [{"role":"user","content":"hi"}] }'
ANSWER = b'{"id":"1","model":"gpt-4o-mini","usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}'


def dialect(up, names):
    return gateway(
        grpc=False, dialects=names, ongoingai_openai_upstream=f"{up.url}/base", ongoingai_anthropic_upstream=up.url
    )


@pytest.mark.parametrize("names", ["ongoingai", "ingate,ongoingai", "ongoingai,ingate"])
async def test_its_routes(up, names):
    """Root and health for anybody, with CORS and a correlation id; other methods and paths in its words."""
    async with dialect(up, names) as gw, gw.client() as http:
        for method in ("GET", "POST", "DELETE"):
            answer = await http.request(method, "/")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/json"
            assert answer.json()["name"] == "ongoingai gateway"
        assert (await http.head("/")).status_code == 200
        browser = await http.get("/", headers={"Accept": "text/html"})
        assert browser.headers["content-type"].startswith("text/html")
        health = await http.get("/api/health?x=%zz", headers={CORRELATION: "mine"})
        assert health.json()["status"] == "ok"
        assert health.json()["uptime_sec"] >= 0
        assert health.headers[CORRELATION] == "mine"
        assert health.headers["access-control-allow-origin"] == "*"
        assert KEY in health.headers["access-control-allow-headers"]
        for method in ("POST", "PUT"):
            answer = await http.request(method, "/api/health")
            assert answer.status_code == 403
            assert answer.json() == {"error": "request is not authorized by gateway policy"}
        answer = await http.head("/api/health")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, OPTIONS")
        assert (await http.options("/api/health")).status_code == 204
        alone = names.startswith("ongoingai")
        nowhere = await http.get("/nope")
        assert nowhere.status_code == (404 if alone else 401)
        if alone:
            assert nowhere.text == "404 page not found"
            assert nowhere.headers["content-type"] == "text/plain; charset=utf-8"
            assert (await http.options("/nope")).status_code == 204
        if "ingate" in names:
            assert (await http.get("/healthz")).json()["status"] == "ok"
            assert (await http.get("/api/v1/keys")).json()["code"] == "unauthorized"
        else:
            assert (await http.get("/healthz")).status_code == 404


async def test_a_request_passes_as_it_is(up):
    """Method, query, headers, body and the caller's credential reach the provider below its base path."""
    async with dialect(up, "ingate,ongoingai") as gw:
        org = await gw.signup()
        up.enqueue(status(200, [("content-type", "application/json"), ("x-from", "provider")], ANSWER))
        headers = {**CALLER, KEY: org.key, "X-Custom": "crosses", "X-OngoingAI-Run-ID": "r", "Content-Type": "text/x"}
        async with gw.client() as http:
            answer = await http.post("/openai/v1/chat/completions?a=%2Fb", content=BODY, headers=headers)
        assert (answer.status_code, answer.content) == (200, ANSWER)
        assert answer.headers["x-from"] == "provider"
        assert answer.headers[CORRELATION].startswith("corr-")
        [sent] = up.requests
        assert (sent.method, sent.target, sent.body) == (b"POST", b"/base/v1/chat/completions?a=%2Fb", BODY)
        got = {name.decode().lower(): value.decode() for name, value in sent.headers}
        assert got["authorization"] == CALLER["Authorization"]
        assert got["x-custom"] == "crosses"
        assert got["content-type"] == "text/x"
        assert not any(name.startswith("x-ongoingai") or org.key in value for name, value in got.items())
        entry = await org.last()
        assert (entry["provider"], entry["status_code"]) == ("openai", 200)
        assert org.key not in json.dumps(entry)
        assert "callers-own" not in json.dumps(entry)


async def test_what_is_refused_and_in_which_order(up):
    """The key is judged before the permission, that before the provider's credential; nothing reaches the provider."""
    async with dialect(up, "ingate,ongoingai") as gw, gw.client() as http:
        org = await gw.signup()
        reader = await org.make_key(role="viewer")
        slow = await org.make_key(rate_limit_per_minute=1)
        url = "/anthropic/v1/messages"
        for headers, code, words in (
            ({}, 401, "missing or invalid gateway key"),
            (CALLER, 401, "missing or invalid gateway key"),
            ({KEY: ""}, 401, "missing or invalid gateway key"),
            ({KEY: "ogk_unknown"}, 401, "missing or invalid gateway key"),
            ({KEY: org.token}, 401, "missing or invalid gateway key"),
            ({"X-Ingate-Key": org.key, **CALLER}, 401, "missing or invalid gateway key"),
            ({KEY: reader}, 403, "gateway key does not have required permission"),
            ({KEY: org.key}, 403, NO_PROVIDER_KEY),
            ({KEY: org.key, "X-API-Key": ""}, 403, "missing provider API key"),
        ):
            answer = await http.post(url, content=b"{", headers=headers)
            assert answer.status_code == code, headers
            assert answer.headers["content-type"] == "application/json"
            assert answer.json()["error"].startswith(words)
            assert "www-authenticate" not in answer.headers
        for _ in range(2):
            answer = await http.post(url, content=b"{}", headers={KEY: slow})
        assert answer.status_code == 429
        assert answer.json()["code"] == "KEY_RATE_LIMIT_EXCEEDED"
        assert answer.json()["retry_after_seconds"] == int(answer.headers["retry-after"])
        for path in ("/openaiish", "/%6fpenai/v1/models", "/openai%2Fv1/models"):
            answer = await http.get(path, headers={KEY: org.key, **CALLER})
            assert answer.status_code in {401, 404}, path
        asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
        preflight = await http.options("/openai/v1/models", headers=asks)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert up.requests == []


async def test_a_provider_that_is_away_is_told_in_plain_text():
    """502, as the original says it."""
    settings = {"dialects": "ongoingai,ingate", "ongoingai_openai_upstream": "http://127.0.0.1:1"}
    async with gateway(grpc=False, **settings) as gw, gw.client() as http:
        org = await gw.signup()
        answer = await http.get("/openai/v1/models", headers={KEY: org.key, **CALLER})
        assert (answer.status_code, answer.text) == (502, "upstream request failed")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
