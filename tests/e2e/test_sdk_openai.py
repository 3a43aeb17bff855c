"""The official OpenAI SDK through the gateway: against the demo model, and a provider that stands for OpenAI."""

from contextlib import asynccontextmanager
from decimal import Decimal

import openai
import pytest
import pytest_asyncio

from ingate.providers.demo.names import MODELS
from tests.support.entries import MILLION, assert_answered, demo_dollars, dollars
from tests.support.gateway import gateway
from tests.support.upstream import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, TEXT, status

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
FRESH = INPUT_TOKENS - CACHED_TOKENS
# gpt-4o-mini, dollars per million tokens: 0.15 in, 0.075 cached, 0.60 out.
MINI = (FRESH * Decimal("0.15") + CACHED_TOKENS * Decimal("0.075") + OUTPUT_TOKENS * Decimal("0.60")) / MILLION
COUNTS = {"input": FRESH, "cache_read": CACHED_TOKENS, "output": OUTPUT_TOKENS}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(demo=True, grpc=False) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw, up):
    org = await gw.signup()
    await org.provider("openai", "openai", up.url, api_key="sk-of-the-provider")
    return org


@asynccontextmanager
async def sdk(org, base="/v1"):
    """The SDK as people set it up: one base URL, one key."""
    async with openai.AsyncOpenAI(base_url=org.gateway.url + base, api_key=org.key, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("base", ["/v1", ""])
async def test_a_chat_is_answered_recorded_and_priced(org, up, base):
    """With and without /v1 in the base URL; the provider gets its own key, the record every number."""
    async with sdk(org, base) as client:
        answer = await client.chat.completions.create(model="gpt-4o-mini", messages=ASK)

    assert answer.choices[0].message.content == TEXT
    sent = up.requests[-1]
    assert sent.target == b"/v1/chat/completions"
    assert sent.header("authorization") == b"Bearer sk-of-the-provider"
    entry = await org.last()
    assert_answered(entry, provider="openai", model="gpt-4o-mini", stream=False, **COUNTS)
    assert dollars(entry) == MINI == Decimal("0.00000435")
    assert (entry["prompt"], entry["completion"]) == ("Say hello.", TEXT)
    assert entry["request_body"] == {"messages": ASK, "model": "gpt-4o-mini"}
    assert entry["response_body"] == answer.model_dump(exclude_unset=True)
    assert entry["metadata"] == {"finish_reason": "stop"}
    assert org.key not in str(entry)


async def test_a_chat_streams(org):
    """Chunks arrive in order with the usage at the end, and are recorded as the bytes they were."""
    options = {"include_usage": True}
    async with sdk(org) as client:
        stream = await client.chat.completions.create(
            model="gpt-4o-mini", messages=ASK, stream=True, stream_options=options
        )
        chunks = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert chunks[-1].usage.total_tokens == INPUT_TOKENS + OUTPUT_TOKENS
    entry = await org.last()
    assert_answered(entry, provider="openai", model="gpt-4o-mini", stream=True, **COUNTS)
    assert dollars(entry) == MINI
    assert entry["completion"] == TEXT
    assert entry["response_body"].endswith("data: [DONE]\n\n")


async def test_a_chat_streams_without_asking_for_usage(org, up):
    """No chunk that the caller did not ask for, as without a gateway; tokens and cost on the entry."""
    async with sdk(org) as client, openai.AsyncOpenAI(base_url=up.url + "/v1", api_key="k", max_retries=0) as direct:
        asked = {"model": "gpt-4o-mini", "messages": ASK, "stream": True}
        chunks = [chunk async for chunk in await client.chat.completions.create(**asked)]
        expected = [chunk async for chunk in await direct.chat.completions.create(**asked)]

    assert chunks == expected
    assert all(chunk.choices and "usage" not in chunk.model_fields_set for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    entry = await org.last()
    assert_answered(entry, provider="openai", model="gpt-4o-mini", stream=True, **COUNTS)
    assert (dollars(entry), entry["usage_source"]) == (MINI, "provider")


async def test_responses_whole_and_streamed(org):
    """The Responses API, both ways."""
    async with sdk(org) as client:
        whole = await client.responses.create(model="gpt-4o-mini", input="Say hello.")
        first = await org.last()
        async with client.responses.stream(model="gpt-4o-mini", input="Say hello.") as stream:
            kinds = [event.type async for event in stream]
        second = await org.last()

    assert whole.output_text == TEXT
    assert kinds[-1] == "response.completed"
    for entry, streamed in ((first, False), (second, True)):
        assert_answered(entry, provider="openai", model="gpt-4o-mini", stream=streamed, **COUNTS)
        assert dollars(entry) == MINI
        assert (entry["prompt"], entry["completion"]) == ("Say hello.", TEXT)


async def test_embeddings(org):
    """Embeddings cost their input alone."""
    async with sdk(org) as client:
        answer = await client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])

    assert len(answer.data) == 2
    entry = await org.last()
    assert_answered(entry, provider="openai", model="text-embedding-3-small", stream=False, input=INPUT_TOKENS)
    assert dollars(entry) == INPUT_TOKENS * Decimal("0.02") / MILLION


@pytest.mark.parametrize("base", ["/v1", ""])
async def test_models_are_listed_and_retrieved(org, up, base):
    """All that the key can reach is listed; a GET is recorded as well, without tokens or cost."""
    async with sdk(org, base) as client:
        listed = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("gpt-4o-mini")

    assert listed == ["test-model", *sorted(MODELS)]
    assert one.id == "gpt-4o-mini"
    assert [request.target for request in up.requests[-2:]] == [b"/v1/models", b"/v1/models/gpt-4o-mini"]
    entry = await org.last()
    assert (entry["method"], entry["total_tokens"], entry["cost_usd"]) == ("GET", None, None)


async def test_a_providers_error_is_the_sdks_own_exception(org, up):
    """The SDK raises what it raises for OpenAI, with the provider's words."""
    body = b'{"error": {"message": "slow down", "type": "tokens", "param": null, "code": "rate_limit_exceeded"}}'
    headers = [("content-type", "application/json"), ("retry-after", "7")]
    up.enqueue(status(429, headers, body))
    async with sdk(org) as client:
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(model="gpt-4o-mini", messages=ASK)

    assert raised.value.response.content == body
    assert raised.value.response.headers["retry-after"] == "7"
    entry = await org.last()
    assert (entry["status_code"], entry["level"]) == (429, "warn")
    assert entry["metadata"]["provider_error"]


@pytest.mark.parametrize(
    ("key", "error"), [("sk-ingate-unknown", "AuthenticationError"), ("sk-x", "AuthenticationError")]
)
async def test_a_wrong_key_is_an_authentication_error(org, key, error):
    """The gateway's own refusals parse as the SDK's exceptions."""
    client = openai.AsyncOpenAI(base_url=org.gateway.url, api_key=key, max_retries=0)
    async with client:
        with pytest.raises(getattr(openai, error)):
            await client.chat.completions.create(model="demo", messages=ASK)


async def test_the_demo_model_answers_everything(org):
    """Chat, stream, Responses and embeddings of the built-in model have an example of a price and count honestly."""
    async with sdk(org) as client:
        whole = await client.chat.completions.create(model="demo", messages=ASK)
        entry = await org.last()
        stream = await client.chat.completions.create(
            model="demo", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        streamed = await org.last()
        response = await client.responses.create(model="demo", input="Say hello.")
        vectors = await client.embeddings.create(model="demo-embed", input="hello")

    text = whole.choices[0].message.content
    assert text
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert response.output_text
    assert vectors.data[0].embedding
    counts = {"input": whole.usage.prompt_tokens, "output": whole.usage.completion_tokens}
    assert_answered(entry, provider="demo", model="demo", stream=False, **counts)
    assert_answered(streamed, provider="demo", model="demo", stream=True, **counts)
    assert dollars(entry) == dollars(streamed) == demo_dollars(**counts)
    assert entry["cost_source"] == "demo"
    assert streamed["completion"] == text


async def test_the_demo_model_calls_a_tool(org):
    """A tool call is an answer; the record counts it."""
    ask = [{"role": "user", "content": "Use get_weather for Oslo."}]
    async with sdk(org) as client:
        answer = await client.chat.completions.create(
            model="demo", messages=ask, tools=[WEATHER], tool_choice="required"
        )

    assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"
    entry = await org.last()
    assert entry["metadata"] == {"finish_reason": "tool_calls", "tool_calls": "1"}


async def test_the_provider_can_be_named(org):
    """By the header, and by a prefix of the model."""
    async with sdk(org) as client:
        named = {"X-Ingate-Provider": "demo"}
        by_header = await client.chat.completions.with_raw_response.create(
            model="demo", messages=ASK, extra_headers=named
        )
        by_prefix = await client.chat.completions.with_raw_response.create(model="openai/gpt-4o-mini", messages=ASK)

    assert by_header.headers["x-ingate-served-by"] == "demo"
    assert by_prefix.headers["x-ingate-served-by"] == "openai"
    assert by_prefix.parse().model == "gpt-4o-mini"
