"""The demo provider through Anthropic's own SDK."""

from contextlib import asynccontextmanager

import anthropic
import pytest

from ingate.providers.demo import DemoTransport
from ingate.providers.demo.names import MODELS
from tests.support.transport_server import serving

HELLO = [{"role": "user", "content": "Say hello"}]
TOOL = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"unit": {"enum": ["C", "F"]}}, "required": ["unit"]},
}


@asynccontextmanager
async def client():
    async with serving(DemoTransport()) as url:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0) as made:
            yield made


async def test_messages_whole_and_streamed_agree():
    """The SDK's accumulated stream has the text, stop reason and usage of the whole answer."""
    asked = {"model": "demo", "max_tokens": 100, "system": "Be kind.", "messages": HELLO}
    async with client() as api:
        whole = await api.messages.create(**asked)
        async with api.messages.stream(**asked) as stream:
            final = await stream.get_final_message()
        counted = await api.messages.count_tokens(model="demo", system="Be kind.", messages=HELLO)
    assert "Hello" in whole.content[0].text
    assert final.content[0].text == whole.content[0].text
    assert final.stop_reason == whole.stop_reason == "end_turn"
    assert final.usage == whole.usage
    assert counted.input_tokens == whole.usage.input_tokens
    assert whole._request_id.startswith("req_")


async def test_raw_events_come_in_order():
    """The stream is start, block start, ping, deltas, block stop, message delta, stop."""
    async with client() as api:
        stream = await api.messages.create(model="demo", max_tokens=100, messages=HELLO, stream=True)
        kinds = [event.type async for event in stream]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) - {"ping"} == {"content_block_delta"}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"type": "any"}, "rivers"),
        ({"type": "tool", "name": "get_weather"}, "rivers"),
        ({"type": "auto"}, "get_weather"),
    ],
)
async def test_tools_are_called_and_their_results_read(choice, said):
    """A forced or named tool is called, streamed as the same input, and its result ends in text."""
    turns = [{"role": "user", "content": said}]
    asked = {"model": "demo", "max_tokens": 100, "tools": [TOOL], "tool_choice": choice}
    async with client() as api:
        whole = await api.messages.create(**asked, messages=turns)
        async with api.messages.stream(**asked, messages=turns) as stream:
            final = await stream.get_final_message()
        call = whole.content[0]
        turns += [
            {"role": "assistant", "content": [call.model_dump(include={"type", "id", "name", "input"})]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
        ]
        ended = await api.messages.create(**asked, messages=turns)
    assert (call.type, call.input, whole.stop_reason) == ("tool_use", {"unit": "C"}, "tool_use")
    assert final.content[0].input == call.input
    assert final.usage == whole.usage
    assert "sunny" in ended.content[0].text


async def test_limits_and_stops_are_said_as_such():
    """max_tokens and stop sequences end the answer with their own reasons."""
    async with client() as api:
        short = await api.messages.create(model="demo", max_tokens=2, messages=HELLO)
        stopped = await api.messages.create(model="demo", max_tokens=99, messages=HELLO, stop_sequences=["demo", "am"])
        nothing = await api.messages.create(model="demo", max_tokens=99, messages=HELLO, stop_sequences=["Hello"])
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 2)
    assert (stopped.stop_reason, stopped.stop_sequence, stopped.content[0].text) == ("stop_sequence", "am", "Hello! I ")
    assert nothing.content == []


async def test_models_are_listed_and_described():
    """Anthropic's version header brings Anthropic's list shape."""
    async with client() as api:
        assert [model.id async for model in api.models.list()] == list(MODELS)
        assert (await api.models.retrieve("demo")).display_name == "Ingate demo"


async def test_errors_are_the_sdks_own():
    """An unknown model is NotFoundError, a wrong field BadRequestError with the field in its message."""
    async with client() as api:
        with pytest.raises(anthropic.NotFoundError, match="claude-9"):
            await api.messages.create(model="claude-9", max_tokens=9, messages=HELLO)
        with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\].role"):
            await api.messages.create(model="demo", max_tokens=9, messages=[{"role": "nobody", "content": "x"}])


@pytest.mark.parametrize("thinking", [{"type": "enabled", "budget_tokens": 18_000}, {"type": "adaptive"}])
async def test_thinking_comes_first_and_is_counted(thinking):
    """A block of thoughts with a signature stands before the text, whole and streamed, and is part of the output."""
    asked = {"model": "demo", "max_tokens": 20_000, "messages": HELLO}
    async with client() as api:
        plain = await api.messages.create(**asked)
        whole = await api.messages.create(**asked, thinking=thinking)
        async with api.messages.stream(**asked, thinking=thinking) as stream:
            final = await stream.get_final_message()
        hidden = await api.messages.create(**asked, thinking={"type": "adaptive", "display": "omitted"})
    assert [block.type for block in whole.content] == ["thinking", "text"]
    assert "Say hello" in whole.content[0].thinking
    assert whole.content[0].signature
    assert final.content[0].thinking == whole.content[0].thinking
    assert final.content[0].signature
    assert final.usage == whole.usage
    thought = whole.usage.output_tokens_details.thinking_tokens
    assert whole.usage.output_tokens == plain.usage.output_tokens + thought > plain.usage.output_tokens
    assert (hidden.content[0].thinking, hidden.usage.output_tokens_details.thinking_tokens > 0) == ("", True)


async def test_what_is_marked_is_cached():
    """What is marked is written to the cache first, and read from it in the next turn; the rest is neither."""
    mark = {"cache_control": {"type": "ephemeral"}}
    system = [{"type": "text", "text": "rules " * 30} | mark]
    turns = [{"role": "user", "content": "Tell me about rivers"}]
    async with client() as api:
        plain = await api.messages.create(model="demo", max_tokens=99, system="rules " * 30, messages=turns)
        first = await api.messages.create(model="demo", max_tokens=99, system=system, messages=turns)
        turns += [
            {"role": "assistant", "content": first.content[0].text},
            {"role": "user", "content": [{"type": "text", "text": "And lakes?"} | mark]},
        ]
        second = await api.messages.create(model="demo", max_tokens=99, system=system, messages=turns)
    sent = plain.usage.input_tokens
    assert (plain.usage.cache_creation_input_tokens, plain.usage.cache_read_input_tokens) == (0, 0)
    assert first.usage.cache_creation_input_tokens + first.usage.input_tokens == sent
    assert first.usage.cache_creation_input_tokens > first.usage.input_tokens > 0
    assert second.usage.cache_read_input_tokens == sent
    assert second.usage.cache_creation_input_tokens > 0
    assert second.usage.input_tokens == 0


async def test_parallel_calls_from_plain_words():
    """Two cities are two blocks with ids of their own, streamed alike; one where parallel use is disabled."""
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [TOOL | {"input_schema": city}, {"type": "web_search_20250305", "name": "web_search"}]
    turns = [{"role": "user", "content": "How is the weather in Oslo and Paris?"}]
    asked = {"model": "demo", "max_tokens": 99, "messages": turns, "tools": tools}
    async with client() as api:
        whole = await api.messages.create(**asked)
        async with api.messages.stream(**asked) as stream:
            final = await stream.get_final_message()
        single = await api.messages.create(**asked, tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert [block.input for block in whole.content] == [{"city": "Oslo"}, {"city": "Paris"}]
    assert len({block.id for block in whole.content}) == 2
    assert [block.input for block in final.content] == [block.input for block in whole.content]
    assert len(single.content) == 1
