"""The official SDKs and models that are written `<name>/<model>`: called, counted, listed, and asked for one by one."""

import json

import anthropic
import openai
import pytest
import pytest_asyncio
from google import genai

from tests.support.gateway import gateway
from tests.support.upstream import INPUT_TOKENS, JSON, ScriptedUpstream, respond

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The SDK of Google subclasses aiohttp's session, which aiohttp advises against.
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

MODELS = {"data": [{"id": "a/b", "created": 1_700_000_000}, {"id": "m"}]}
NAMES = ["a/b", "m", "side/a/b", "side/m"]
ASK = [{"role": "user", "content": "Say hello."}]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def org(up):
    """An organisation with a provider of each vendor, and `other`, which no path leads to."""
    async with gateway(grpc=False) as gw:
        org = await gw.signup()
        for type in ("anthropic", "gemini", "openai"):
            await org.provider(type, type, up.url)
        await org.provider("other", "http", f"{up.url}/o")
        yield org


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def mixed():
    """An organisation whose providers list what none of the vendors' own would."""
    async with ScriptedUpstream() as up, gateway(grpc=False) as gw:
        up.script("/v1/models", respond(200, JSON, json.dumps(MODELS).encode()))
        org = await gw.signup()
        for name in ("main", "side"):
            await org.provider(name, "openai-compatible", up.url, is_default=name == "main")
        yield org


def of_openai(org):
    return openai.AsyncOpenAI(base_url=f"{org.gateway.url}/v1", api_key=org.key, max_retries=0)


def of_anthropic(org):
    return anthropic.AsyncAnthropic(base_url=org.gateway.url, api_key=org.key, max_retries=0)


def of_google(org, **options):
    options = {"base_url": org.gateway.url, **options}
    return genai.Client(api_key=org.key, vertexai=False, http_options=options).aio


WAV, PNG = ("a.wav", b"RIFF" + bytes(1000)), ("a.png", b"\x89PNG" + bytes(1000))
CALLS = {
    "images": lambda c, m: c.images.generate(model=m, prompt="a boat"),
    "edits": lambda c, m: c.images.edit(model=m, image=PNG, prompt="a boat"),
    "speech": lambda c, m: c.audio.speech.create(model=m, input="hi", voice="alloy"),
    "transcriptions": lambda c, m: c.audio.transcriptions.create(model=m, file=WAV),
    "moderations": lambda c, m: c.moderations.create(model=m, input="hi"),
    "embeddings": lambda c, m: c.embeddings.create(model=m, input="hi", encoding_format="float"),
    "input tokens": lambda c, m: c.responses.input_tokens.count(model=m, input="hi"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_openais_endpoints(org, up, call):
    """The provider that is named gets what it would get of a client of its own."""
    answers = {"data": [], "created": 1, "text": "", "results": [], "input_tokens": 1, "object": "x", "id": "1"}
    async with of_openai(org) as client:
        for model in ("other/some/model", "some-model"):
            up.enqueue(respond(200, JSON, json.dumps(answers).encode()))
            await CALLS[call](client, model)
            sent = up.requests[-1]
            assert sent.target.startswith(b"/o/v1/") == (model != "some-model")
            assert b"some/model" in sent.body or b"some-model" in sent.body
            assert b"other/" not in sent.body
            entry = await org.last()
            assert (entry["provider"], entry["model"]) == (
                ("other", "some/model") if model != "some-model" else ("openai", "some-model")
            )


async def test_anthropics_counting(org, up):
    """By the provider that is named."""
    async with of_anthropic(org) as client:
        counted = await client.messages.count_tokens(model="anthropic/claude", messages=ASK)

    assert counted.input_tokens == INPUT_TOKENS
    assert up.requests[-1].json()["model"] == "claude"


async def test_googles_counting_and_embeddings(org, up):
    """The name stands in the path, and of embeddings in the body again."""
    async with of_google(org) as client:
        counted = await client.models.count_tokens(model="gemini/g", contents="hi")
        assert counted.total_tokens == INPUT_TOKENS
        assert up.requests[-1].path.endswith("/models/g:countTokens")
        vectors = await client.models.embed_content(model="gemini/e", contents=["a", "b"])
    assert len(vectors.embeddings) == 2
    assert up.requests[-1].path.endswith("/models/e:batchEmbedContents")
    assert [item["model"] for item in up.requests[-1].json()["requests"]] == ["models/e"] * 2


async def test_openais_sdk_finds_every_model_of_the_list(mixed):
    """And no other."""
    async with of_openai(mixed) as client:
        listed = [model async for model in client.models.list()]
        assert [model.id for model in listed] == NAMES
        for model in listed:
            assert (await client.models.retrieve(model.id)) == model
        with pytest.raises(openai.NotFoundError) as raised:
            await client.models.retrieve("side/none")
    assert raised.value.code == "model_not_found"


async def test_anthropics_sdk_finds_every_model_of_the_list(mixed):
    """And no other."""
    async with of_anthropic(mixed) as client:
        listed = [model async for model in client.models.list()]
        assert [model.id for model in listed] == NAMES
        assert [(model.type, model.display_name) for model in listed] == [("model", name) for name in NAMES]
        for model in listed:
            assert (await client.models.retrieve(model.id)) == model
        with pytest.raises(anthropic.NotFoundError) as raised:
            await client.models.retrieve("side/none")
    assert raised.value.body["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_googles_sdk_finds_every_model_of_the_list(mixed, version):
    """And no other, whichever version of the API it asks."""
    async with of_google(mixed, api_version=version) as client:
        listed = [model async for model in await client.models.list()]
        assert [model.name for model in listed] == [f"models/{name}" for name in NAMES]
        assert all("generateContent" in model.supported_actions for model in listed)
        for model in listed:
            assert (await client.models.get(model=model.name)).name == model.name
        with pytest.raises(genai.errors.ClientError) as raised:
            await client.models.get(model="side/none")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
