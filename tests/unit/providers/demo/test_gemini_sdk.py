"""The demo provider through Google's own SDK."""

from contextlib import asynccontextmanager

import pytest
from google import genai
from google.genai import errors, types

from ingate.providers.demo import DemoTransport
from ingate.providers.demo.names import MODELS
from tests.support.transport_server import serving

# The SDK subclasses aiohttp's session, which aiohttp discourages; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

SCHEMA = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
TOOL = types.Tool(function_declarations=[types.FunctionDeclaration(name="get_weather", parameters=SCHEMA)])


@asynccontextmanager
async def client(version="v1beta"):
    async with serving(DemoTransport()) as url:
        options = types.HttpOptions(base_url=url, api_version=version)
        made = genai.Client(api_key="none", http_options=options)
        try:
            yield made.aio.models
        finally:
            await made.aio.aclose()
            made.close()


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_content_whole_and_streamed_agree(version):
    """Joined chunks are the whole text, and the last chunk's usage is the whole answer's."""
    config = types.GenerateContentConfig(system_instruction="Be kind.")
    async with client(version) as models:
        whole = await models.generate_content(model="demo", contents="Tell me about rivers", config=config)
        stream = await models.generate_content_stream(model="demo", contents="Tell me about rivers", config=config)
        chunks = [chunk async for chunk in stream]
    assert "rivers" in whole.text
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert chunks[-1].usage_metadata == whole.usage_metadata
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    counts = [chunk.usage_metadata.candidates_token_count for chunk in chunks]
    assert counts == sorted(counts)


async def test_tools_are_called_and_their_results_read():
    """Mode ANY calls the declared function, whole and streamed, and its response ends in text."""
    calling = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
    config = types.GenerateContentConfig(tools=[TOOL], tool_config=calling)
    async with client() as models:
        whole = await models.generate_content(model="demo", contents="rivers", config=config)
        stream = await models.generate_content_stream(model="demo", contents="rivers", config=config)
        chunks = [chunk async for chunk in stream]
        turns = [
            types.UserContent("rivers"),
            whole.candidates[0].content,
            types.UserContent(types.Part.from_function_response(name="get_weather", response={"sky": "clear"})),
        ]
        ended = await models.generate_content(model="demo", contents=turns, config=config)
    assert whole.function_calls[0].args == {"city": "demo"}
    assert chunks[-1].function_calls == whole.function_calls
    assert chunks[-1].usage_metadata == whole.usage_metadata
    assert "clear" in ended.text


async def test_a_python_function_is_called_automatically():
    """The SDK's automatic calling runs a real function and ends with the model's text."""

    def get_weather(city: str) -> str:
        """Weather of a city."""
        return f"rain in {city}"

    async with client() as models:
        config = types.GenerateContentConfig(tools=[get_weather])
        reply = await models.generate_content(model="demo", contents="Call get_weather please", config=config)
    assert "rain in demo" in reply.text


async def test_json_limits_and_stops():
    """JSON mode, a response schema, the token limit and stop sequences are honoured."""
    async with client() as models:

        async def ask(**config):
            made = types.GenerateContentConfig(**config)
            return await models.generate_content(model="demo", contents="Say hello", config=made)

        shaped = await ask(response_mime_type="application/json", response_schema=SCHEMA)
        short = await ask(max_output_tokens=2)
        stopped = await ask(stop_sequences=["demo"])
    assert shaped.parsed == {"city": "demo"}
    assert short.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert short.usage_metadata.candidates_token_count == 2
    assert stopped.text == "Hello! I am Ingate's "


async def test_tokens_embeddings_and_models():
    """Counting, embedding and listing work; vectors have the length asked for."""
    async with client() as models:
        counted = await models.count_tokens(model="demo", contents="Say hello")
        answered = await models.generate_content(model="demo", contents="Say hello")
        config = types.EmbedContentConfig(output_dimensionality=8)
        found = await models.embed_content(model="demo-embed", contents=["a", "b"], config=config)
        names = [model.name async for model in await models.list()]
        described = await models.get(model="demo")
    assert counted.total_tokens == answered.usage_metadata.prompt_token_count
    assert [len(item.values) for item in found.embeddings] == [8, 8]
    assert names == [f"models/{name}" for name in MODELS]
    assert described.display_name == "Ingate demo"


async def test_errors_are_the_sdks_own():
    """An unknown model is the SDK's ClientError with Google's status."""
    async with client() as models:
        with pytest.raises(errors.ClientError) as caught:
            await models.generate_content(model="gemini-9", contents="hi")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


async def test_thoughts_candidates_and_likelihoods():
    """Thoughts are parts and counted apart, candidates are told apart, and each token has its likelihood."""
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_level="HIGH")
    config = types.GenerateContentConfig(
        thinking_config=thinking, candidate_count=2, response_logprobs=True, logprobs=2
    )
    async with client() as models:
        whole = await models.generate_content(model="demo", contents="rivers", config=config)
        stream = await models.generate_content_stream(model="demo", contents="rivers", config=config)
        chunks = [chunk async for chunk in stream]
    first, second = whole.candidates
    assert first.content.parts[0].thought is True
    assert first.content.parts[1].text != second.content.parts[1].text
    used = whole.usage_metadata
    assert used.thoughts_token_count > 0
    parts = used.prompt_token_count + used.thoughts_token_count + used.candidates_token_count
    assert used.total_token_count == parts
    assert chunks[-1].usage_metadata == used
    tokens = "".join(token.token for token in first.logprobs_result.chosen_candidates)
    assert tokens == first.content.parts[1].text
    said = [
        part for chunk in chunks for part in chunk.candidates[0].content.parts if chunk.candidates[0].index in {0, None}
    ]
    assert "".join(part.text for part in said if not part.thought) == first.content.parts[1].text
    assert "".join(part.text for part in said if part.thought) == first.content.parts[0].text


@pytest.mark.parametrize(("modality", "kind"), [("IMAGE", "image/png"), ("AUDIO", "audio/L16")])
async def test_pictures_and_sounds(modality, kind):
    """A picture or a sound is a part with its own tokens, whole and streamed."""
    config = types.GenerateContentConfig(response_modalities=["TEXT", modality])
    async with client() as models:
        whole = await models.generate_content(model="demo", contents="a river", config=config)
        stream = await models.generate_content_stream(model="demo", contents="a river", config=config)
        chunks = [chunk async for chunk in stream]
    blob = whole.candidates[0].content.parts[-1].inline_data
    assert blob.mime_type.startswith(kind)
    assert chunks[-1].candidates[0].content.parts[-1].inline_data.mime_type == blob.mime_type
    assert chunks[-1].usage_metadata == whole.usage_metadata
    kinds = {it.modality.value: it.token_count for it in whole.usage_metadata.candidates_tokens_details}
    assert sum(kinds.values()) == whole.usage_metadata.candidates_token_count
    assert kinds[modality] > 0


async def test_any_tool_is_taken_and_two_cities_are_two_calls():
    """Google's own tools are taken and not run; plain words call a declared one, twice."""
    config = types.GenerateContentConfig(tools=[types.Tool(google_search=types.GoogleSearch()), TOOL])
    async with client() as models:
        reply = await models.generate_content(model="demo", contents="weather in Oslo and Paris?", config=config)
    assert [call.args for call in reply.function_calls] == [{"city": "Oslo"}, {"city": "Paris"}]


async def test_an_enumeration_is_answered_bare():
    """The enum mode answers one of the values, without quotes."""
    config = types.GenerateContentConfig(
        response_mime_type="text/x.enum", response_schema={"type": "STRING", "enum": ["red", "blue"]}
    )
    async with client() as models:
        assert (await models.generate_content(model="demo", contents="x", config=config)).text == "red"
