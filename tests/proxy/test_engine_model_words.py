"""Models in every vendor's words: all of them, and each by the name that it has in the listing."""

import pytest
import pytest_asyncio

from tests.support.gateway import gateway
from tests.support.upstream import JSON, respond, status

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(grpc=False) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw):
    return await gw.signup()


CLAUDE = {"anthropic-version": "2023-06-01"}
GOOGLE = {"x-goog-api-key": "unused"}
LISTED = {
    "openai": ("/v1/models", {}, "data", "id"),
    "anthropic": ("/v1/models", CLAUDE, "data", "id"),
    "gemini": ("/v1/models", GOOGLE, "models", "name"),
    "gemini-beta": ("/v1beta/models", {}, "models", "name"),
    "gemini-sdk": ("/v1/models", {"x-goog-api-client": "google-genai-sdk/3.6.0 gl-python/3.13"}, "models", "name"),
    "ollama": ("/api/tags", {}, "models", "model"),
}
"""Paths, headers, and where the names stand."""


@pytest_asyncio.fixture(loop_scope="module")
async def mixed(org, up):
    """An organisation whose providers list a model that has a slash in its name; none is a vendor's own."""
    up.script("/v1/models", respond(200, JSON, b'{"data": [{"id": "a/b", "created": 1700000000}, {"id": "m"}]}'))
    await org.provider("main", "openai-compatible", up.url, is_default=True)
    await org.provider("side", "openai-compatible", up.url)
    return org


@pytest.mark.parametrize("words", LISTED)
async def test_a_listing_is_in_the_callers_words(mixed, words):
    """Every model of every provider, where none is of the caller's vendor, each by the name that reaches it."""
    path, headers, key, name = LISTED[words]
    answer = await mixed.http.get(path, headers=headers)

    assert answer.status_code == 200
    names = [entry[name].removeprefix("models/") for entry in answer.json()[key]]
    assert answer.headers["x-ingate-served-by"] == "main, side"
    assert names == ["a/b", "m", "side/a/b", "side/m"]


@pytest.mark.parametrize("words", [words for words in LISTED if words != "ollama"])
@pytest.mark.parametrize("encoded", [False, True], ids=["plain", "encoded"])
async def test_each_model_of_a_listing_can_be_asked_for(mixed, up, words, encoded):
    """In the same words, as it stands in the listing, though its provider knows it by another name."""
    path, headers, key, name = LISTED[words]
    listed = (await mixed.http.get(path, headers=headers)).json()[key]
    assert len(listed) == 4
    asked = up.seen
    for entry in listed:
        model = entry[name].removeprefix("models/")
        shown = model.replace("/", "%2F") if encoded else model
        answer = await mixed.http.get(f"{path}/{shown}", headers=headers)
        assert (answer.status_code, answer.json()) == (200, entry)
        owner = "side" if model.startswith("side/") else "main"
        assert answer.headers["x-ingate-served-by"] == owner
        logged = await mixed.last()
        assert (logged["provider"], logged["status_code"], logged["level"]) == (owner, 200, "info")
    assert up.seen == asked


NOBODY = {
    "openai": {"type": "invalid_request_error", "param": "model", "code": "model_not_found"},
    "anthropic": {"type": "not_found_error"},
    "gemini": {"code": 404, "status": "NOT_FOUND"},
}


async def test_a_model_behind_its_providers_name_is_the_same(mixed):
    """Also where the listing has it by its own."""
    answer = await mixed.http.get("/v1/models/main/m")

    assert (answer.json()["id"], answer.headers["x-ingate-served-by"]) == ("m", "main")
    assert (await mixed.http.get("/v1/models/side/none")).status_code == 404


@pytest.mark.parametrize("words", NOBODY)
async def test_a_model_that_is_not_listed(mixed, up, words):
    """It is 404 in the caller's words, and no provider is asked for it."""
    path, headers, *_ = LISTED[words]
    await mixed.http.get(path, headers=headers)
    asked = up.seen
    answer = await mixed.http.get(f"{path}/side/none", headers=headers)

    assert answer.status_code == 404
    error = answer.json()["error"]
    assert "side/none" in error["message"]
    assert error == {**error, **NOBODY[words]}
    assert up.seen == asked
    entry = await mixed.last()
    assert (entry["status_code"], entry["level"], entry["error_code"]) == (404, "warn", "not_found")


@pytest.mark.parametrize("stated", [False, True], ids=["listed", "stated"])
async def test_a_name_that_only_the_gateway_knows(org, up, stated):
    """Of a model of another vendor's provider that is listed bare, or that states its models."""
    await org.provider("openai", "openai", up.url, models=["only-stated"] if stated else [])
    await org.provider("claude", "anthropic", up.url, api_key="sk-claude")
    model = "only-stated" if stated else "claude/test-model"
    answer = await org.http.get(f"/v1/models/{model}")

    assert (answer.status_code, answer.json()["id"], answer.json()["object"]) == (200, model, "model")
    assert all(request.path == "/v1/models" for request in up.requests)


async def test_one_vendors_provider_answers_for_its_own(org, up):
    """Bare names go to it, with what it alone knows of them; a name before them that is its own is taken out."""
    await org.provider("claude", "anthropic", up.url)
    await org.provider("openai", "openai", up.url)
    for asked in ("alias", "claude/alias"):
        answer = await org.http.get(f"/v1/models/{asked}", headers=CLAUDE)
        assert (answer.json()["id"], up.requests[-1].target) == ("alias", b"/v1/models/alias")
        assert answer.headers["x-ingate-served-by"] == "claude"
    assert up.seen == 2
    answer = await org.http.get("/v1/models/openai/test-model", headers=CLAUDE)
    assert (answer.json()["type"], answer.json()["id"]) == ("model", "openai/test-model")


async def test_two_of_a_vendor_are_listed_in_its_words(org, up):
    """The one that bare names lead to has them, the other's go by its name."""
    for name in ("claude", "backup"):
        await org.provider(name, "anthropic", up.url, is_default=name == "claude")
    listed = (await org.http.get("/v1/models", headers=CLAUDE)).json()

    assert [model["id"] for model in listed["data"]] == ["backup/test-model", "test-model"]
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, "backup/test-model", "test-model")
    one = await org.http.get("/v1/models/backup/test-model", headers=CLAUDE)
    assert one.json() == listed["data"][0]


async def test_what_a_provider_may_know_it_is_asked(org, up):
    """One whose models are not listed, or not all of them; and what lies below a listed model."""
    await org.provider("main", "openai", up.url)
    await org.provider("tool", "http", f"{up.url}/tool")
    await org.provider("weak", "openai", f"{up.url}/weak")
    up.script("/weak/models", status(503))
    up.script("/tool/v1/models/m", respond(200, JSON, b'{"of": "tool"}'))
    up.script("/weak/models/m", respond(200, JSON, b'{"of": "weak"}'))
    up.script("/v1/models/test-model/endpoints", respond(200, JSON, b'{"of": "main"}'))
    for path, owner in (("tool/m", "tool"), ("weak/m", "weak"), ("main/test-model/endpoints", "main")):
        answer = await org.http.get(f"/v1/models/{path}")
        assert (answer.json(), answer.headers["x-ingate-served-by"]) == ({"of": owner}, owner)


async def test_the_only_provider_is_asked_by_its_own_name(org, up):
    """Its listing has bare names, and what names it is taken out of the path."""
    await org.provider("only", "openai", up.url)
    answer = await org.http.get("/v1/models/only/gpt")

    assert (answer.json()["id"], up.requests[-1].target) == ("gpt", b"/v1/models/gpt")
