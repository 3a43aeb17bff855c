"""The official Google SDK through the gateway: against the demo model, and a provider that stands for Gemini."""

from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
import pytest_asyncio
from google import genai
from google.genai import errors, types

from tests.support.entries import MILLION, assert_answered, demo_dollars, dollars
from tests.support.gateway import gateway
from tests.support.upstream import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, TEXT, ScriptedUpstream, status

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The SDK subclasses aiohttp's session, which aiohttp advises against.
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

MODEL = "gemini-2.5-flash"
FRESH = INPUT_TOKENS - CACHED_TOKENS
# gemini-2.5-flash, dollars per million tokens: 0.30 in, 0.03 cached, 2.50 out.
FLASH = (FRESH * Decimal("0.30") + CACHED_TOKENS * Decimal("0.03") + OUTPUT_TOKENS * Decimal("2.50")) / MILLION
COUNTS = {"input": FRESH, "cache_read": CACHED_TOKENS, "output": OUTPUT_TOKENS}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(demo=True, grpc=False) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw, up):
    org = await gw.signup()
    await org.provider("gemini", "gemini", up.url, api_key="AIza-of-the-provider")
    return org


@asynccontextmanager
async def sdk(org, **options):
    """The SDK as people set it up: one base URL, one key."""
    http = types.HttpOptions(base_url=org.gateway.url, **options)
    async with genai.Client(api_key=org.key, vertexai=False, http_options=http).aio as client:
        yield client


@pytest.mark.parametrize("version", [None, "v1beta", "v1"])
async def test_content_is_generated_recorded_and_priced(org, up, version):
    """In every version of the API; the provider gets its own key, the record every number."""
    async with sdk(org, api_version=version) as client:
        answer = await client.models.generate_content(model=MODEL, contents="Say hello.")

    assert answer.text == TEXT
    sent = up.requests[-1]
    assert sent.header("x-goog-api-key") == b"AIza-of-the-provider"
    assert org.key.encode() not in sent.raw
    entry = await org.last()
    assert_answered(entry, provider="gemini", model=MODEL, stream=False, **COUNTS)
    assert dollars(entry) == FLASH
    assert (entry["prompt"], entry["completion"]) == ("Say hello.", TEXT)
    assert entry["request_body"]["contents"]
    assert entry["response_body"]["modelVersion"] == MODEL
    assert entry["metadata"] == {"finish_reason": "STOP"}
    assert org.key not in str(entry)


async def test_content_streams(org):
    """Chunks arrive in order; the usage is the last one, not the sum."""
    async with sdk(org) as client:
        stream = await client.models.generate_content_stream(model=MODEL, contents="Say hello.")
        text = "".join([chunk.text async for chunk in stream])

    assert text == TEXT
    entry = await org.last()
    assert_answered(entry, provider="gemini", model=MODEL, stream=True, **COUNTS)
    assert dollars(entry) == FLASH
    assert entry["completion"] == TEXT


async def test_models_and_counts_are_geminis_where_openai_has_the_same_path(org, up):
    """The key's header tells whose list is meant, and whose tokens are counted."""
    async with ScriptedUpstream() as other:
        await org.provider("openai", "openai", other.url)
        async with sdk(org, api_version="v1") as client:
            listed = [model.name async for model in await client.models.list()]
            one = await client.models.get(model=MODEL)
            counted = await client.models.count_tokens(model=MODEL, contents="Say hello.")

        assert other.requests == []
    assert listed == ["models/test-model"]
    assert one.name == f"models/{MODEL}"
    assert counted.total_tokens == INPUT_TOKENS
    assert {request.header("x-goog-api-key") for request in up.requests[-3:]} == {b"AIza-of-the-provider"}


async def test_a_providers_error_is_the_sdks_own_exception(org, up):
    """The SDK raises what it raises for Gemini, with the provider's words."""
    body = b'{"error":{"code":404,"message":"no such model","status":"NOT_FOUND"}}'
    up.enqueue(status(404, [("content-type", "application/json")], body))
    async with sdk(org) as client:
        with pytest.raises(errors.ClientError, match="no such model") as raised:
            await client.models.generate_content(model=MODEL, contents="Say hello.")

    assert raised.value.code == 404
    entry = await org.last()
    assert (entry["status_code"], entry["level"]) == (404, "warn")


async def test_the_demo_model_answers_and_calls_tools(org):
    """Whole and streamed answers of the built-in model agree, have an example of a price, and may be tool calls."""
    weather = types.FunctionDeclaration(name="get_weather", description="The weather of a city.")
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[weather])],
        tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY")),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    async with sdk(org) as client:
        whole = await client.models.generate_content(model="demo", contents="Say hello.")
        entry = await org.last()
        stream = await client.models.generate_content_stream(model="demo", contents="Say hello.")
        text = "".join([chunk.text or "" async for chunk in stream])
        streamed = await org.last()
        called = await client.models.generate_content(model="demo", contents="Use get_weather.", config=config)
        calling = await org.last()

    assert whole.text == text == streamed["completion"]
    counts = {
        "input": whole.usage_metadata.prompt_token_count,
        "output": whole.usage_metadata.candidates_token_count,
    }
    assert_answered(entry, provider="demo", model="demo", stream=False, **counts)
    assert_answered(streamed, provider="demo", model="demo", stream=True, **counts)
    assert dollars(entry) == dollars(streamed) == demo_dollars(**counts)
    assert entry["cost_source"] == "demo"
    assert called.function_calls[0].name == "get_weather"
    assert calling["metadata"]["tool_calls"] == "1"
