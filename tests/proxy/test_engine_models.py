"""What `GET /v1/models` lists: every model that the key can reach, by the name that reaches it."""

import asyncio
import time
from types import SimpleNamespace

import pytest
import pytest_asyncio

from ingate.formats import Vendor
from ingate.proxy import listing, models
from tests.support.gateway import checked, gateway
from tests.support.upstream import JSON, garbage, pause, reset, respond, stall, status
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
MODELS = respond(200, JSON, b'{"data": [{"id": "m"}]}')
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


async def test_head_of_a_listing_is_that_of_get(two):
    """Status and headers, without the body: nobody but the gateway could answer it."""
    got, head = await two.http.get("/v1/models"), await two.http.head("/v1/models")

    assert (head.status_code, head.content) == (got.status_code, b"")
    for name in ("content-type", "content-length", "x-ingate-served-by"):
        assert head.headers[name] == got.headers[name]
    assert (await two.last())["method"] == "HEAD"


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
    up.script("/weak/models", steps)
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
    await org.provider("google", "gemini", up.url)
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


@pytest.fixture
def later(monkeypatch):
    """Passes seconds for whatever is remembered."""
    clock = SimpleNamespace(ahead=0.0, perf_counter=time.perf_counter)
    clock.monotonic = lambda: time.monotonic() + clock.ahead
    monkeypatch.setattr(listing, "time", clock)

    def later(seconds):
        clock.ahead += seconds

    return later


@pytest_asyncio.fixture(loop_scope="module")
async def two(org, up):
    """An organisation with two providers."""
    for name in ("one", "two"):
        await org.provider(name, "openai", up.url, api_key=f"sk-{name}")
    return org


async def test_a_few_providers_are_asked_at_a_time(org, up, monkeypatch):
    """The others wait for their turn, and are all listed."""
    monkeypatch.setattr(listing, "CONCURRENCY", 3)
    gate = asyncio.Event()
    up.script("/v1/models", pause(gate), MODELS)
    for number in range(7):
        await org.provider(f"p{number}", "openai", up.url)
    asking = asyncio.create_task(listed(org))
    await up.wait_for(3)
    await org.admin.get("/healthz")
    assert (up.seen, up.connections) == (3, 3)
    gate.set()
    _, models = await asking
    assert len(models) == up.seen == 7
    assert up.peak_connections == 3


async def test_a_listing_is_remembered_for_a_minute_for_every_key(gw, two, up, later):
    """Nobody is asked again meanwhile, whichever key asks and whatever it says beside; the record tells so."""
    answer, models = await listed(two)
    assert up.seen == 2
    later(listing.REMEMBERED - 20)
    other = await two.make_key()
    headers = {"x-ingate-key": other, "authorization": "Bearer sk-of-the-caller"}
    again, same = await listed(two, headers=headers)
    assert (same, up.seen) == (models, 2)
    assert again.headers["x-ingate-served-by"] == answer.headers["x-ingate-served-by"]
    assert [len(entry["attempts"]) for entry in await two.logs()] == [0, 2]
    later(20)
    await listed(two)
    assert up.seen == 4


@pytest.mark.parametrize(
    "change",
    [{"api_key": "sk-new"}, {"models": ["m"]}, {"base_url": "{up}/other"}, {"enabled": False}, {"headers": {"x": "y"}}],
    ids=lambda change: next(iter(change)),
)
async def test_a_listing_is_made_anew_when_a_provider_changes(two, up, change):
    """With the very next request."""
    await listed(two)
    change = {name: value.format(up=up.url) if name == "base_url" else value for name, value in change.items()}
    checked(await two.admin.put("/api/v1/providers/two", json=change))
    seen = up.seen
    answer = await two.http.get("/v1/models")
    assert (answer.status_code, up.seen) == (200, seen + 1 + ("models" not in change and "enabled" not in change))


async def test_organisations_share_no_listing(gw, two, up):
    """Though both may reach the same in the same way."""
    await listed(two)
    other = await gw.signup()
    for name in ("one", "two"):
        await other.provider(name, "openai", up.url, api_key=f"sk-{name}")
    await listed(other)
    assert up.seen == 4


async def test_who_asks_meanwhile_waits_for_the_same_listing(two, up):
    """Ten at once cost a question to each provider, and the first of them may leave."""
    gate = asyncio.Event()
    up.script("/v1/models", pause(gate), MODELS)
    # As the engine asks: a caller over HTTP who leaves is given a grace before its exchange ends.
    engine = two.gateway.core.engine
    made, policy = engine._answerers[0]._listings, await engine._policies.policy(two.id)
    first = asyncio.create_task(made.listing(policy, "key", Vendor.OPENAI, []))
    await up.wait_for(2)
    asking = [asyncio.create_task(listed(two)) for _ in range(9)]
    await eventually(lambda: made._making[policy.fingerprint, Vendor.OPENAI].waiting == 10)
    first.cancel()
    await asyncio.wait([first])
    gate.set()
    assert {len(models) for _, models in await asyncio.gather(*asking)} == {2}
    assert up.seen == 2


async def test_nobody_is_asked_for_nobody(gw, two, up):
    """When all who wait have gone, so do the questions."""
    up.script("/v1/models", stall())
    made = gw.core.engine._answerers[0]._listings
    policy = await gw.core.engine._policies.policy(two.id)
    waiting = asyncio.create_task(made.listing(policy, "key", Vendor.OPENAI, []))
    await up.wait_for(2)
    waiting.cancel()
    await asyncio.wait([waiting])
    await up.wait_closed_connections()
    assert made._making == {}


async def test_all_together_have_a_time(org, up, monkeypatch, later):
    """Who has not answered by then is left out, and so is who had no turn; the rest is remembered for a moment."""
    monkeypatch.setattr(listing, "CONCURRENCY", 1)
    monkeypatch.setattr(listing, "LISTING_TIMEOUT", 2.0)
    up.script("/slow/v1/models", stall(), times=1)
    for name, path in [("a", ""), ("b", "/slow/v1"), ("c", "")]:
        await org.provider(name, "openai", up.url + path)
    _, models = await listed(org)
    assert models == [("test-model", "a")]
    attempts = (await org.last())["attempts"]
    assert [(it["provider"], it["error"]) for it in attempts] == [("a", None), ("b", "idle_timeout")]
    later(listing.REMEMBERED_INCOMPLETE - 5)
    await listed(org)
    assert up.seen == 2
    later(5)
    _, models = await listed(org)
    assert (len(models), up.seen) == (3, 5)


async def test_a_failure_of_all_is_remembered_for_a_moment(two, up, later):
    """So that a key whose providers are dead does not make the gateway knock with every call."""
    up.script("/v1/models", status(503))
    for _ in range(3):
        assert (await two.http.get("/v1/models")).status_code == 502
    assert up.seen == 2
    later(listing.REMEMBERED_INCOMPLETE)
    assert (await two.http.get("/v1/models")).status_code == 502
    assert up.seen == 4


async def test_what_is_listed_and_remembered_has_a_bound(gw, two, up, monkeypatch):
    """Models in all, bytes of the header that names the providers, and bytes of what is remembered."""
    monkeypatch.setattr(listing, "MODELS_PER_LISTING", 3)
    monkeypatch.setattr(models, "OWNERS_BYTES", 7)
    monkeypatch.setattr(listing, "REMEMBERED_BYTES", 0)
    up.script("/v1/models", respond(200, JSON, b'{"data": [{"id": "m"}, {"id": "n"}]}'))
    answer, found = await listed(two)
    assert [owner for _, owner in found] == ["one", "one", "two"]
    assert answer.headers["x-ingate-served-by"] == "one, and 1 more"
    listings = gw.core.engine._answerers[0]._listings
    assert (listings._made, listings._bytes) == ({}, 0)
    await listed(two)
    assert up.seen == 4
