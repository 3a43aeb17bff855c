import anthropic
import httpx
import openai
import pytest
from google import genai

from tests.support.upstream import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, TEXT, ScriptedUpstream

MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def up():
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
async def openai_client(up):
    async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
async def anthropic_client(up):
    async with anthropic.AsyncAnthropic(base_url=up.url, api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
async def gemini(up):
    client = genai.Client(api_key="k", http_options={"base_url": up.url}, vertexai=False)
    yield client.aio
    await client.aio.aclose()
    client.close()


async def test_openai_chat(openai_client):
    """Whole and streamed chat completions parse, with text and usage."""
    whole = await openai_client.chat.completions.create(model="m", messages=MESSAGES)
    assert (whole.choices[0].message.content, whole.model, whole.usage.total_tokens) == (TEXT, "m", 16)
    assert whole.usage.prompt_tokens_details.cached_tokens == CACHED_TOKENS
    options = {"include_usage": True}
    stream = await openai_client.chat.completions.create(
        model="m", messages=MESSAGES, stream=True, stream_options=options
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    plain = await openai_client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    assert [chunk async for chunk in plain if chunk.usage] == []


async def test_openai_responses(openai_client):
    """Whole and streamed responses parse; the SDK accumulates the events to the same final object."""
    whole = await openai_client.responses.create(model="m", input="Hi")
    assert (whole.output_text, whole.usage.input_tokens, whole.usage.output_tokens) == (TEXT, 11, 5)
    async with openai_client.responses.stream(model="m", input="Hi") as stream:
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert ("".join(deltas), final.output_text, final.usage) == (TEXT, TEXT, whole.usage)


async def test_openai_embeddings_and_models(openai_client):
    """Vectors come as asked (the SDK asks for base64), one for each input; models are listed and shown."""
    many = await openai_client.embeddings.create(model="m", input=["a", "b"])
    assert [item.embedding for item in many.data] == [[0.25, -0.5, 0.125]] * 2
    tokens = await openai_client.embeddings.create(model="m", input=[1, 2], encoding_format="float")
    assert [item.embedding for item in tokens.data] == [[0.25, -0.5, 0.125]]
    assert [model.id async for model in openai_client.models.list()] == ["test-model"]
    assert (await openai_client.models.retrieve("other")).id == "other"


async def test_anthropic(anthropic_client):
    """Whole and streamed messages, counts and models parse; usage is disjoint and the stream's count final."""
    request = {"model": "m", "max_tokens": 9, "messages": MESSAGES}
    whole = await anthropic_client.messages.create(**request)
    assert (whole.content[0].text, whole.usage.output_tokens) == (TEXT, OUTPUT_TOKENS)
    assert whole.usage.input_tokens + whole.usage.cache_read_input_tokens == INPUT_TOKENS
    async with anthropic_client.messages.stream(**request) as stream:
        assert "".join([text async for text in stream.text_stream]) == TEXT
        final = await stream.get_final_message()
    assert (final.usage.output_tokens, final.stop_reason) == (OUTPUT_TOKENS, "end_turn")
    assert (await anthropic_client.messages.count_tokens(model="m", messages=MESSAGES)).input_tokens == INPUT_TOKENS
    assert [model.display_name async for model in anthropic_client.models.list()] == ["Test model"]
    assert (await anthropic_client.models.retrieve("other")).id == "other"


# The SDK subclasses aiohttp's session, which aiohttp discourages.
@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
async def test_gemini(gemini):
    """Content, streams, counts, embeddings and models parse."""
    whole = await gemini.models.generate_content(model="m", contents="Hi")
    assert (whole.text, whole.usage_metadata.total_token_count) == (TEXT, INPUT_TOKENS + OUTPUT_TOKENS)
    chunks = [chunk async for chunk in await gemini.models.generate_content_stream(model="m", contents="Hi")]
    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert chunks[-1].usage_metadata.candidates_token_count == OUTPUT_TOKENS
    assert (await gemini.models.count_tokens(model="m", contents="Hi")).total_tokens == INPUT_TOKENS
    embedded = await gemini.models.embed_content(model="m", contents=["a", "b"])
    assert embedded.embeddings[0].values == [0.25, -0.5, 0.125]
    assert [model.name async for model in await gemini.models.list()] == ["models/test-model"]


async def test_gemini_array_and_ollama(up):
    """Without `alt=sse` Gemini streams one JSON array; Ollama streams lines unless told not to."""
    async with httpx.AsyncClient(base_url=up.url, verify=False) as client:
        array = (await client.post("/v1beta/models/m:streamGenerateContent", json={})).json()
        assert "".join(item["candidates"][0]["content"]["parts"][0]["text"] for item in array) == TEXT
        lines = (await client.post("/api/chat", json={"model": "m"})).text.splitlines()
        assert len(lines) == 6
        assert '"eval_count":5' in lines[-1]
        assert (await client.post("/api/generate", json={"stream": False})).json()["response"] == TEXT
        assert len((await client.post("/api/embed", json={"input": ["a", "b"]})).json()["embeddings"]) == 2
        assert (await client.post("/api/embeddings", json={"prompt": "a"})).json()["embedding"] == [0.25, -0.5, 0.125]
        for path in ("/api/tags", "/api/version"):
            assert (await client.get(path)).status_code == 200
        assert (await client.post("/api/show", json={"model": "m"})).json()["capabilities"] == ["completion"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
async def test_a_malformed_body_is_400(up, body):
    """What is no JSON object is refused as the vendors refuse it."""
    async with httpx.AsyncClient(base_url=up.url, verify=False) as client:
        answer = await client.post("/v1/chat/completions", content=body)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
