"""The official Anthropic SDK through the gateway: against the demo model, and a provider that stands for Anthropic."""

from contextlib import asynccontextmanager
from decimal import Decimal

import anthropic
import pytest
import pytest_asyncio

from tests.support.entries import MILLION, assert_answered, demo_dollars, dollars
from tests.support.gateway import gateway
from tests.support.upstream import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, TEXT, ScriptedUpstream, status

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
MODEL = "claude-haiku-4-5"
FRESH = INPUT_TOKENS - CACHED_TOKENS
# claude-haiku-4-5, dollars per million tokens: 1 in, 0.10 read from the cache, 5 out.
HAIKU = (FRESH * Decimal(1) + CACHED_TOKENS * Decimal("0.10") + OUTPUT_TOKENS * Decimal(5)) / MILLION
COUNTS = {"input": FRESH, "cache_read": CACHED_TOKENS, "cache_write": 0, "output": OUTPUT_TOKENS}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(demo=True, grpc=False) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw, up):
    org = await gw.signup()
    await org.provider("anthropic", "anthropic", up.url, api_key="sk-ant-of-the-provider")
    return org


@asynccontextmanager
async def sdk(org, **options):
    """The SDK as people set it up: one base URL, one key."""
    options = {"api_key": org.key, **options}
    async with anthropic.AsyncAnthropic(base_url=org.gateway.url, max_retries=0, **options) as client:
        yield client


async def test_a_message_is_answered_recorded_and_priced(org, up):
    """The provider gets its own key and the caller's version, the record every number."""
    async with sdk(org) as client:
        answer = await client.messages.create(model=MODEL, max_tokens=64, messages=ASK)
        version = client.default_headers["anthropic-version"]

    assert answer.content[0].text == TEXT
    sent = up.requests[-1]
    assert sent.target == b"/v1/messages"
    assert sent.header("x-api-key") == b"sk-ant-of-the-provider"
    assert sent.header("authorization") is None
    assert sent.header("anthropic-version") == version.encode()
    assert org.key.encode() not in sent.raw
    entry = await org.last()
    assert_answered(entry, provider="anthropic", model=MODEL, stream=False, **COUNTS)
    assert dollars(entry) == HAIKU == Decimal("0.0000324")
    assert (entry["prompt"], entry["completion"]) == ("Say hello.", TEXT)
    assert entry["request_body"] == {"max_tokens": 64, "messages": ASK, "model": MODEL}
    assert entry["response_body"]["content"] == [{"type": "text", "text": TEXT}]
    assert entry["metadata"] == {"finish_reason": "end_turn"}
    assert org.key not in str(entry)


@pytest.mark.parametrize("credential", ["api_key", "auth_token", "x-api-key"])
async def test_every_way_to_show_the_key(org, credential):
    """As the SDK's API key, as its bearer token, and in the header that older versions send."""
    options = {credential: org.key}
    if credential != "api_key":
        options["api_key"] = None
    if credential == "x-api-key":
        options = {"api_key": None, "auth_token": "", "default_headers": {"x-api-key": org.key, "Authorization": ""}}
    async with sdk(org, **options) as client:
        answer = await client.messages.create(model=MODEL, max_tokens=64, messages=ASK)

    assert answer.content[0].text == TEXT


async def test_a_message_streams(org):
    """Events arrive in order; the usage is the final one, not the sum of the cumulative ones."""
    async with sdk(org) as client:
        async with client.messages.stream(model=MODEL, max_tokens=64, messages=ASK) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()

    assert text == TEXT
    assert final.usage.output_tokens == OUTPUT_TOKENS
    entry = await org.last()
    assert_answered(entry, provider="anthropic", model=MODEL, stream=True, **COUNTS)
    assert dollars(entry) == HAIKU
    assert entry["completion"] == TEXT
    assert entry["response_body"].startswith("event: message_start\ndata: ")


async def test_tokens_are_counted(org, up):
    """A path without tokens of its own reaches the same provider."""
    async with sdk(org) as client:
        counted = await client.messages.count_tokens(model=MODEL, messages=ASK)

    assert counted.input_tokens == INPUT_TOKENS
    assert up.requests[-1].target == b"/v1/messages/count_tokens"
    entry = await org.last()
    assert (entry["provider"], entry["cost_usd"]) == ("anthropic", 0)


async def test_models_are_anthropics_where_openai_has_the_same_path(org, up):
    """The version header tells whose list is meant."""
    async with ScriptedUpstream() as other:
        await org.provider("openai", "openai", other.url)
        async with sdk(org) as client:
            listed = [model.id async for model in client.models.list()]
            one = await client.models.retrieve(MODEL)

        assert other.requests == []
    assert listed == ["test-model"]
    assert (one.type, one.id) == ("model", MODEL)
    assert up.requests[-1].target.partition(b"?")[0] == f"/v1/models/{MODEL}".encode()


async def test_a_providers_error_is_the_sdks_own_exception(org, up):
    """The SDK raises what it raises for Anthropic, with the provider's words."""
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    up.enqueue(status(529, [("content-type", "application/json")], body))
    async with sdk(org) as client:
        with pytest.raises(anthropic.InternalServerError) as raised:
            await client.messages.create(model=MODEL, max_tokens=64, messages=ASK)

    assert raised.value.response.content == body
    entry = await org.last()
    assert (entry["status_code"], entry["level"]) == (529, "error")
    assert "Overloaded" in entry["metadata"]["provider_error"]


async def test_the_demo_model_answers_everything(org):
    """Whole, streamed and counted answers of the built-in model agree, and have an example of a price."""
    async with sdk(org) as client:
        whole = await client.messages.create(model="demo", max_tokens=64, messages=ASK)
        entry = await org.last()
        async with client.messages.stream(model="demo", max_tokens=64, messages=ASK) as stream:
            final = await stream.get_final_message()
        streamed = await org.last()
        counted = await client.messages.count_tokens(
            model="demo", messages=ASK, extra_headers={"X-Ingate-Provider": "demo"}
        )

    assert final.content[0].text == whole.content[0].text == entry["completion"] == streamed["completion"]
    assert counted.input_tokens == whole.usage.input_tokens
    counts = {"input": whole.usage.input_tokens, "output": whole.usage.output_tokens}
    assert_answered(entry, provider="demo", model="demo", stream=False, **counts)
    assert_answered(streamed, provider="demo", model="demo", stream=True, **counts)
    assert dollars(entry) == dollars(streamed) == demo_dollars(**counts)
    assert entry["cost_source"] == "demo"


async def test_the_demo_model_calls_a_tool(org):
    """A tool call is an answer; the record counts it."""
    ask = [{"role": "user", "content": "Use get_weather for Oslo."}]
    async with sdk(org) as client:
        answer = await client.messages.create(
            model="demo", max_tokens=64, messages=ask, tools=[WEATHER], tool_choice={"type": "any"}
        )

    assert answer.stop_reason == "tool_use"
    assert answer.content[-1].name == "get_weather"
    entry = await org.last()
    assert entry["metadata"] == {"finish_reason": "tool_use", "tool_calls": "1"}
