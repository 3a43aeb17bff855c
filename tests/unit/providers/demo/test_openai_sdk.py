"""The demo provider through OpenAI's own SDK."""

import json
from contextlib import asynccontextmanager

import openai
import pytest

from ingate.providers.demo import DemoTransport
from ingate.providers.demo.names import MODELS
from tests.support.transport_server import serving

HELLO = [{"role": "user", "content": "Say hello"}]
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["city"],
}
CHAT_TOOL = {"type": "function", "function": {"name": "get_weather", "description": "x", "parameters": PARAMETERS}}
TOOL = {"type": "function", "name": "get_weather", "description": "x", "parameters": PARAMETERS, "strict": False}


@asynccontextmanager
async def client(prefix="/v1"):
    async with serving(DemoTransport()) as url:
        async with openai.AsyncOpenAI(base_url=url + prefix, api_key="none", max_retries=0) as made:
            yield made


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_chat_whole_and_streamed_agree(prefix):
    """Text, finish and usage are the same whether the answer comes whole or in pieces, under either prefix."""
    async with client(prefix) as api:
        whole = await api.chat.completions.create(model="demo", messages=HELLO)
        stream = await api.chat.completions.create(
            model="demo", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert "Hello" in whole.choices[0].message.content
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1
    assert len(chunks) == whole.usage.completion_tokens + 3


async def test_usage_chunk_only_on_request():
    """Without include_usage no chunk carries usage."""
    async with client() as api:
        stream = await api.chat.completions.create(model="demo", messages=HELLO, stream=True)
        assert all(chunk.usage is None and chunk.choices for chunk in [chunk async for chunk in stream])


async def test_chat_stream_helper_accumulates_a_tool_call():
    """The SDK's own accumulator turns the streamed deltas into the call of the whole answer."""
    asked = {"model": "demo", "tools": [CHAT_TOOL], "messages": [{"role": "user", "content": "Use get_weather."}]}
    async with client() as api:
        whole = await api.chat.completions.create(**asked)
        async with api.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
            final = await stream.get_final_completion()
    call, streamed = whole.choices[0].message.tool_calls[0], final.choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "demo"}
    assert streamed.function.arguments == call.function.arguments
    assert whole.choices[0].finish_reason == final.choices[0].finish_reason == "tool_calls"
    assert whole.usage == final.usage


async def test_tool_result_is_answered_in_text():
    """A second round with the tool's result ends in text that quotes it."""
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": "Use get_weather."},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"},
    ]
    async with client() as api:
        reply = await api.chat.completions.create(model="demo", messages=turns, tools=[CHAT_TOOL])
    assert "21 degrees" in reply.choices[0].message.content


async def test_json_mode_gives_json():
    """JSON mode gives a JSON text, and a schema gives a value of its shape."""
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": PARAMETERS}}
    async with client() as api:
        free = await api.chat.completions.create(model="demo", messages=HELLO, response_format={"type": "json_object"})
        bound = await api.chat.completions.create(model="demo", messages=HELLO, response_format=schema)
    assert json.loads(free.choices[0].message.content)["model"] == "demo"
    assert json.loads(bound.choices[0].message.content) == {"city": "demo"}


async def test_legacy_completions_give_a_choice_per_prompt():
    """Two prompts give two choices, whole and streamed alike."""
    async with client() as api:
        whole = await api.completions.create(model="demo", prompt=["hi", "tell me more"])
        stream = await api.completions.create(model="demo", prompt=["hi", "tell me more"], stream=True)
        texts = ["", ""]
        async for chunk in stream:
            texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == [choice.text for choice in whole.choices]
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


async def test_responses_whole_and_streamed_agree():
    """The SDK follows the whole event sequence, and its final response equals the one that came whole."""
    asked = {"model": "demo", "instructions": "Be brief.", "input": "Tell me about rivers"}
    async with client() as api:
        whole = await api.responses.create(**asked)
        raw = [event async for event in await api.responses.create(**asked, stream=True)]
        async with api.responses.stream(**asked) as stream:
            final = await stream.get_final_response()
    assert "rivers" in whole.output_text
    assert final.output_text == whole.output_text
    assert final.usage == whole.usage
    assert [event.sequence_number for event in raw] == list(range(len(raw)))
    kinds = [event.type.removeprefix("response.") for event in raw]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert set(kinds[4:-4]) == {"output_text.delta"}


async def test_responses_call_tools_and_read_their_results():
    """A required tool is called with streamed arguments, and its output is answered in text."""
    asked = {"model": "demo", "input": "Rivers", "tools": [TOOL], "tool_choice": "required"}
    async with client() as api:
        async with api.responses.stream(**asked) as stream:
            final = await stream.get_final_response()
        call = final.output[0]
        turns = [
            {"role": "user", "content": "Rivers"},
            call.model_dump(include={"type", "call_id", "name", "arguments"}),
        ]
        turns.append({"type": "function_call_output", "call_id": call.call_id, "output": "the Elbe"})
        reply = await api.responses.create(model="demo", input=turns, tools=[TOOL])
    assert json.loads(call.arguments) == {"city": "demo"}
    assert "the Elbe" in reply.output_text


async def test_responses_end_incomplete_at_the_limit():
    """Reaching max_output_tokens gives an incomplete response in both forms."""
    async with client() as api:
        whole = await api.responses.create(model="demo", input="Say hello", max_output_tokens=2)
        stream = await api.responses.create(model="demo", input="Say hello", max_output_tokens=2, stream=True)
        last = [event async for event in stream][-1]
    assert whole.status == "incomplete"
    assert whole.incomplete_details.reason == "max_output_tokens"
    assert whole.usage.output_tokens == 2
    assert last.type == "response.incomplete"
    assert last.response.output_text == whole.output_text


async def test_embeddings_in_both_encodings_are_the_same_unit_vector():
    """The base64 the SDK asks for by default decodes to the floats asked for explicitly."""
    async with client() as api:
        coded = await api.embeddings.create(model="demo-embed", input=["a river", "a bank"])
        plain = await api.embeddings.create(model="demo-embed", input=["a river", "a bank"], encoding_format="float")
        short = await api.embeddings.create(model="demo-embed", input=[[1, 2, 3], [4]], dimensions=7)
        single = await api.embeddings.create(model="demo-embed", input=[1, 2, 3], dimensions=7)
    assert [item.embedding for item in coded.data] == [item.embedding for item in plain.data]
    assert len(plain.data[0].embedding) == 256
    assert sum(value * value for value in plain.data[0].embedding) == pytest.approx(1, abs=1e-6)
    assert [len(item.embedding) for item in short.data] == [7, 7]
    assert short.usage.prompt_tokens == 4
    assert single.data[0].embedding == short.data[0].embedding


async def test_models_are_listed_and_described():
    """Both models are listed and can be fetched; an unknown one is the SDK's NotFoundError."""
    async with client() as api:
        assert [model.id async for model in api.models.list()] == list(MODELS)
        assert (await api.models.retrieve("demo")).owned_by == "ingate"
        with pytest.raises(openai.NotFoundError) as caught:
            await api.models.retrieve("gpt-9")
    assert caught.value.code == "model_not_found"


async def test_a_wrong_field_is_a_bad_request_that_names_it():
    """The SDK's error carries the field, the code and the request's identifier."""
    async with client() as api:
        with pytest.raises(openai.BadRequestError) as caught:
            await api.chat.completions.create(model="demo", messages=HELLO, n=300)
    assert caught.value.param == "n"
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id.startswith("req_")
