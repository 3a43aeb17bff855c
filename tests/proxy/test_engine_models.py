"""What `GET /v1/models` lists: every model that the key can reach, by the name that reaches it."""

import pytest
import pytest_asyncio

from tests.support.gateway import gateway
from tests.support.upstream import JSON, garbage, reset, respond, stall, status

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
ASK = [{"role": "user", "content": "hi"}]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(grpc=False) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw):
    return await gw.signup()


async def listed(org, path="/v1/models", **options):
    """Returns the answer, and the names and owners that it lists."""
    answer = await org.http.get(path, **options)
    assert answer.status_code == 200, answer.text
    return answer, [(model["id"], model["owned_by"]) for model in answer.json()["data"]]


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
async def test_all_providers_are_listed_in_one(org, up, path):
    """Models of the provider that a chat goes to anyway have their own names, others their provider's before it."""
    for name, type in [("claude", "anthropic"), ("google", "gemini"), ("openai", "openai"), ("other", "openai")]:
        await org.provider(name, type, up.url, api_key=f"sk-of-{name}")
    answer, models = await listed(org, path)

    assert models == [
        ("claude/test-model", "claude"),
        ("google/test-model", "google"),
        ("test-model", "openai"),
        ("other/test-model", "other"),
    ]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-ingate-served-by"] == "claude, google, openai, other"
    asked = {request.target: request for request in up.requests}
    assert asked[b"/v1beta/models?pageSize=1000"].header("x-goog-api-key") == b"sk-of-google"
    assert asked[b"/v1/models?limit=1000"].header("x-api-key") == b"sk-of-claude"
    assert not any(org.key.encode() in value for request in up.requests for _, value in request.headers)


async def test_every_name_reaches_its_owner(org, up):
    """Names that look like another provider's are told apart."""
    stated = ["gpt-4o", "other/gpt-4o", "openai/gpt-4o", "strange//name"]
    await org.provider("openai", "openai", up.url, models=stated)
    await org.provider("other", "openai-compatible", up.url, models=stated)
    _, models = await listed(org)

    assert len(dict(models)) == len(models) == 2 * len(stated)
    for name, owner in models:
        answer = await org.http.post(CHAT, json={"model": name, "messages": ASK})
        assert answer.headers["x-ingate-served-by"] == owner
        assert up.requests[-1].json()["model"] in stated


async def test_who_is_not_asked(org, up):
    """Not who states its models, nor who would get a credential that may be another's, nor what lists nothing."""
    await org.provider("openai", "openai", up.url, models=["b", "a"])
    await org.provider("theirs", "openai", up.url, auth_mode="passthrough")
    await org.provider("tool", "http", up.url)
    answer, models = await listed(org, headers={"x-ingate-key": org.key, "authorization": "Bearer sk-of-the-caller"})

    assert models == [("a", "openai"), ("b", "openai")]
    assert answer.headers["x-ingate-served-by"] == "openai"
    assert up.requests == []


@pytest.mark.parametrize(
    ("steps", "attempt"),
    [
        (reset(), {"error": "connection_lost"}),
        (garbage(), {"error": "bad_response"}),
        (stall(), {"error": "first_byte_timeout"}),
        (status(401), {"status_code": 401}),
        (status(500), {"status_code": 500}),
        (respond(200, JSON, b"[]"), {"error": "bad_response"}),
        (respond(200, JSON, b'{"data": [' + b" " * 2**22 + b"]}"), {"error": "bad_response"}),
    ],
    ids=["reset", "garbage", "silent", "401", "500", "no list", "too long"],
)
async def test_a_provider_that_fails_is_left_out(org, up, steps, attempt):
    """The others are listed, and the record tells what became of each."""
    await org.provider("good", "openai", up.url)
    await org.provider("weak", "openai", f"{up.url}/weak", timeout_ms=500)
    up.script("/weak/v1/models", steps)
    answer, models = await listed(org)

    assert models == [("test-model", "good")]
    assert answer.headers["x-ingate-served-by"] == "good"
    entry = await org.last()
    assert (entry["method"], entry["path"], entry["status_code"], entry["level"]) == ("GET", "/v1/models", 200, "info")
    tried = {it.pop("provider"): it for it in entry["attempts"]}
    assert tried["good"].pop("latency_ms") > 0 < tried["weak"].pop("latency_ms")
    blank = {"status_code": None, "error": None}
    assert tried == {"good": {**blank, "status_code": 200}, "weak": {**blank, **attempt}}


async def test_nobody_lists_anything(org, up):
    """Then it is the providers' failure, with the attempts on record."""
    up.script("/v1/models", status(503))
    await org.provider("one", "openai", up.url)
    await org.provider("two", "openai", up.url)
    answer = await org.http.get("/v1/models")

    assert (answer.status_code, answer.json()["code"]) == (502, "provider_error")
    entry = await org.last()
    assert (entry["error_code"], len(entry["attempts"])) == ("provider_error", 2)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"x-ingate-provider": "two"}},
        {"headers": {"anthropic-version": "2023-06-01"}},
        {"headers": {"x-goog-api-key": "x"}},
        {"path": "/v1/models/gpt-4o"},
    ],
    ids=["a provider is named", "Anthropic's", "Gemini's", "one model"],
)
async def test_what_is_one_providers_goes_to_it(org, up, options):
    """A listing in another vendor's words, of one provider, or of one model is that provider's, byte for byte."""
    await org.provider("one", "anthropic", up.url)
    await org.provider("two", "openai", up.url, is_default=True)
    headers = {"x-ingate-key": org.key, **options.get("headers", {})}
    answer = await org.http.get(options.get("path", "/v1/models"), headers=headers)

    assert answer.status_code == 200
    assert len(up.requests) == 1
    assert (await org.last())["served_by"] == answer.headers["x-ingate-served-by"]


async def test_the_only_provider_answers_itself(org, up):
    """Nothing is merged where there is nothing to merge."""
    await org.provider("only", "openai", up.url)
    body = b'{"object": "list",  "data": [{"id": "m", "extra": 1}]}'
    up.script("/v1/models", respond(200, JSON, body))

    assert (await org.http.get("/v1/models")).content == body
