"""What OpenAI's SDK offers beyond a chat: choices, likelihoods, kept responses, moderations, pictures and sounds."""

import base64
import json
import math
import wave
import zlib
from contextlib import asynccontextmanager
from io import BytesIO

import openai
import pytest

from ingate.providers.demo import DemoTransport, tokens
from ingate.providers.demo.fields import MOST_CHOICES
from ingate.providers.demo.kept_responses import LARGEST_BYTES, MOST_BYTES, Kept, KeptResponses
from ingate.providers.demo.likelihoods import MOST_TOLD
from tests.support.transport_server import serving

HELLO = [{"role": "user", "content": "Say hello"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
CUSTOM = {"type": "custom", "custom": {"name": "run_code", "description": "Runs code"}}
BOTH = [{"role": "user", "content": "What is the weather in Oslo and Paris?"}]


@asynccontextmanager
async def client():
    async with serving(DemoTransport()) as url:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
            yield made


async def streamed(api, **asked):
    """Returns what the SDK accumulates of a streamed chat."""
    async with api.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        return await stream.get_final_completion()


async def test_several_choices_whole_and_streamed():
    """Each choice is told apart, is the same in both forms, and all are counted once over one prompt."""
    async with client() as api:
        one = await api.chat.completions.create(model="demo", messages=HELLO)
        whole = await api.chat.completions.create(model="demo", messages=HELLO, n=3)
        final = await streamed(api, model="demo", messages=HELLO, n=3)
    texts = [choice.message.content for choice in whole.choices]
    assert texts[0] == one.choices[0].message.content
    assert len(set(texts)) == 3
    assert [choice.message.content for choice in final.choices] == texts
    assert whole.usage == final.usage
    assert whole.usage.prompt_tokens == one.usage.prompt_tokens
    assert whole.usage.completion_tokens > 3 * one.usage.completion_tokens


async def test_parallel_calls_whole_and_streamed():
    """A question about two cities is two calls with ids of their own; one where the caller wants one at a time."""
    async with client() as api:
        whole = await api.chat.completions.create(model="demo", messages=BOTH, tools=[WEATHER])
        final = await streamed(api, model="demo", messages=BOTH, tools=[WEATHER])
        single = await api.chat.completions.create(
            model="demo", messages=BOTH, tools=[WEATHER], parallel_tool_calls=False
        )
        calls = whole.choices[0].message.tool_calls
        results = [{"role": "tool", "tool_call_id": call.id, "content": f"fog {n}"} for n, call in enumerate(calls)]
        turns = [*BOTH, whole.choices[0].message.model_dump(exclude_none=True), *results]
        ended = await api.chat.completions.create(model="demo", messages=turns, tools=[WEATHER])
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Oslo"}, {"city": "Paris"}]
    assert len({call.id for call in calls}) == 2
    assert [call.function.arguments for call in final.choices[0].message.tool_calls] == [
        call.function.arguments for call in calls
    ]
    assert len(single.choices[0].message.tool_calls) == 1
    assert "fog 0" in ended.choices[0].message.content
    assert "fog 1" in ended.choices[0].message.content


async def test_tools_of_any_type_are_taken():
    """A free tool gets text; tools that vendors run are taken and not called, even where one is demanded."""
    hosted = {"type": "web_search_preview"}
    ask = [{"role": "user", "content": "Please run_code `print(1)`"}]
    async with client() as api:
        custom = await api.chat.completions.create(model="demo", messages=ask, tools=[CUSTOM, WEATHER])
        response = await api.responses.create(
            model="demo", input="run_code `print(1)`", tools=[hosted, {"type": "custom", "name": "run_code"}]
        )
        stream = await api.responses.create(
            model="demo", input="run_code `x`", tools=[{"type": "custom", "name": "run_code"}], stream=True
        )
        kinds = [event.type async for event in stream]
        said = await api.responses.create(model="demo", input="web_search", tools=[hosted], tool_choice=hosted)
        chosen = await api.chat.completions.create(
            model="demo", messages=HELLO, tools=[CUSTOM], tool_choice={"type": "custom", "custom": {"name": "run_code"}}
        )
    call = custom.choices[0].message.tool_calls[0]
    assert (call.type, call.custom.name, call.custom.input) == ("custom", "run_code", "print(1)")
    assert (response.output[0].type, response.output[0].input) == ("custom_tool_call", "print(1)")
    assert "response.custom_tool_call_input.done" in kinds
    assert said.output_text
    assert chosen.choices[0].message.tool_calls[0].custom.name == "run_code"


async def test_allowed_tools_narrow_the_choice():
    """Of the tools that are offered, only the allowed ones are called."""
    other = {"type": "function", "function": {"name": "get_time", "parameters": {}}}
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "get_time"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    async with client() as api:
        reply = await api.chat.completions.create(
            model="demo", messages=BOTH, tools=[WEATHER, other], tool_choice=choice
        )
    assert [call.function.name for call in reply.choices[0].message.tool_calls] == ["get_time"]


async def test_likelihoods_whole_and_streamed():
    """Each token has a likelihood and as many alternatives as asked, the chosen one first, in all three APIs."""
    async with client() as api:
        whole = await api.chat.completions.create(model="demo", messages=HELLO, logprobs=True, top_logprobs=3)
        final = await streamed(api, model="demo", messages=HELLO, logprobs=True, top_logprobs=3)
        legacy = await api.completions.create(model="demo", prompt="Say hello", logprobs=2)
        response = await api.responses.create(model="demo", input="Say hello", top_logprobs=2)
        plain = await api.chat.completions.create(model="demo", messages=HELLO)
    told = whole.choices[0].logprobs.content
    assert "".join(token.token for token in told) == whole.choices[0].message.content
    assert len(told) == whole.usage.completion_tokens
    for token in told:
        assert token.top_logprobs[0].token == token.token
        assert [other.logprob for other in token.top_logprobs] == sorted(
            (other.logprob for other in token.top_logprobs), reverse=True
        )
        assert sum(math.exp(other.logprob) for other in token.top_logprobs) < 1.5
        assert bytes(token.bytes).decode() == token.token
    assert final.choices[0].logprobs.content == told
    assert "".join(legacy.choices[0].logprobs.tokens) == legacy.choices[0].text
    assert legacy.choices[0].logprobs.text_offset[1] == len(legacy.choices[0].logprobs.tokens[0])
    assert len(response.output[0].content[0].logprobs[0].top_logprobs) == 2
    assert plain.choices[0].logprobs is None


async def test_a_response_continues_a_kept_one():
    """The conversation before is read again, in both forms, and partly from the cache; instructions are not."""
    async with client() as api:
        first = await api.responses.create(model="demo", input="Tell me about rivers " * 9, instructions="Be brief.")
        second = await api.responses.create(model="demo", input="And lakes?", previous_response_id=first.id)
        counted = await api.responses.input_tokens.count(
            model="demo", input="And lakes?", previous_response_id=first.id
        )
        alone = await api.responses.create(model="demo", input="And lakes?")
        kept = await api.responses.retrieve(first.id)
        await api.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            await api.responses.retrieve(first.id)
        with pytest.raises(openai.BadRequestError) as caught:
            await api.responses.create(model="demo", input="x", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert "lakes" in second.output_text
    assert second.usage.input_tokens == counted.input_tokens
    before = first.usage.input_tokens + first.usage.output_tokens + alone.usage.input_tokens
    assert second.usage.input_tokens == before - tokens.count("Be brief.")
    assert 0 < second.usage.input_tokens_details.cached_tokens <= first.usage.input_tokens
    assert kept.output_text == first.output_text
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_a_response_is_not_kept_against_the_callers_will():
    """With `store` false there is nothing to continue."""
    async with client() as api:
        first = await api.responses.create(model="demo", input="x", store=False)
        with pytest.raises(openai.BadRequestError, match=first.id):
            await api.responses.create(model="demo", input="x", previous_response_id=first.id)


async def test_calls_of_a_kept_response_are_answered():
    """An agent's turn needs the outputs of its calls alone, and ends in text."""
    tool = {"type": "function", "name": "get_weather", "parameters": CITY}
    async with client() as api:
        first = await api.responses.create(model="demo", input=BOTH[0]["content"], tools=[tool])
        outputs = [
            {"type": "function_call_output", "call_id": call.call_id, "output": f"fog in {call.arguments}"}
            for call in first.output
        ]
        second = await api.responses.create(model="demo", input=outputs, tools=[tool], previous_response_id=first.id)
    assert len(first.output) == 2
    assert "Oslo" in second.output_text
    assert "Paris" in second.output_text


def test_kept_responses_are_an_organisations_own_and_few():
    """Nobody finds another organisation's response; the oldest and the largest are not kept."""
    kept = KeptResponses()
    kept.of("one").keep("resp_a", {"id": "resp_a"}, (), 10)
    assert kept.of("one").find("resp_a").response == {"id": "resp_a"}
    assert kept.of("two").find("resp_a") is None
    assert kept.of("two").drop("resp_a") is False
    for number in range(MOST_BYTES // LARGEST_BYTES):
        kept.keep("one", f"resp_{number}", Kept({}, (), LARGEST_BYTES))
    assert kept.of("one").find("resp_a") is None
    assert kept.of("one").find("resp_1") is not None
    kept.keep("one", "resp_large", Kept({}, (), LARGEST_BYTES + 1))
    assert kept.of("one").find("resp_large") is None


async def test_reasoning_is_told_and_counted():
    """Effort makes thoughts, which are output; a summary shows them, streamed and whole alike."""
    asked = {"model": "demo", "input": "Tell me about rivers", "reasoning": {"effort": "high", "summary": "auto"}}
    async with client() as api:
        whole = await api.responses.create(**asked, include=["reasoning.encrypted_content"])
        async with api.responses.stream(**asked) as stream:
            final = await stream.get_final_response()
        chat = await api.chat.completions.create(model="demo", messages=HELLO, reasoning_effort="low")
        none = await api.chat.completions.create(model="demo", messages=HELLO, reasoning_effort="none")
        cut = await api.responses.create(**asked, max_output_tokens=5)
    thought, message = whole.output
    assert (thought.type, message.type) == ("reasoning", "message")
    assert "rivers" in thought.summary[0].text
    assert thought.encrypted_content
    assert final.output[0].summary == thought.summary
    assert final.usage == whole.usage
    assert 0 < whole.usage.output_tokens_details.reasoning_tokens < whole.usage.output_tokens
    details = chat.usage.completion_tokens_details
    assert 0 < details.reasoning_tokens < chat.usage.completion_tokens
    assert none.usage.completion_tokens == chat.usage.completion_tokens - details.reasoning_tokens
    assert (cut.status, [item.type for item in cut.output], cut.usage.output_tokens) == ("incomplete", ["reasoning"], 5)


async def test_a_long_conversation_is_read_from_the_cache():
    """What the call before sent is cached, in whole blocks; a first call has nothing cached."""
    turns = [{"role": "user", "content": "rivers " * 40}]
    async with client() as api:
        first = await api.chat.completions.create(model="demo", messages=turns)
        turns += [{"role": "assistant", "content": first.choices[0].message.content}, *HELLO]
        second = await api.chat.completions.create(model="demo", messages=turns)
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    cached = second.usage.prompt_tokens_details.cached_tokens
    assert cached == first.usage.prompt_tokens - first.usage.prompt_tokens % 16 > 0


async def test_moderations_flag_words():
    """Each text has a result; a few words are flagged, others are not, and parts are judged together."""
    async with client() as api:
        found = await api.moderations.create(model="demo", input=["I will kill him", "I like rivers"])
        parts = [{"type": "text", "text": "gore"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
        together = await api.moderations.create(input=parts)
    assert [result.flagged for result in found.results] == [True, False]
    assert found.results[0].categories.violence is True
    assert found.results[0].category_scores.violence > 0.5 > found.results[1].category_scores.violence
    assert [result.flagged for result in together.results] == [True]
    assert together.results[0].category_applied_input_types.violence == ["text", "image"]


async def test_a_tiny_picture():
    """A PNG that can be read, the same for the same prompt and another for another."""
    async with client() as api:
        found = await api.images.generate(model="demo", prompt="a river", n=2)
        other = await api.images.generate(prompt="a lake")
    pictures = [base64.b64decode(image.b64_json) for image in found.data]
    assert len(pictures) == 2
    head, body = pictures[0][:16], pictures[0]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    start = body.index(b"IDAT")
    size = int.from_bytes(body[start - 4 : start])
    assert len(zlib.decompress(body[start + 4 : start + 4 + size])) == 16 * (1 + 16 * 3)
    assert zlib.crc32(body[start : start + 4 + size]) == int.from_bytes(body[start + 4 + size : start + 8 + size])
    assert other.data[0].b64_json != found.data[0].b64_json
    assert found.usage.total_tokens == found.usage.input_tokens + found.usage.output_tokens


async def test_a_short_sound():
    """A WAV file of a quarter of a second, the same as samples, or MP3 frames."""
    async with client() as api:

        async def speak(form):
            return await api.audio.speech.create(model="demo", voice="alloy", input="hi", response_format=form)

        sound, samples, mp3 = [await speak(form) for form in ("wav", "pcm", "mp3")]
    with wave.open(BytesIO(sound.content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (24_000, 1, 6_000)
    assert len(samples.content) == 12_000
    assert mp3.content[:2] == b"\xff\xfb"
    assert mp3.response.headers["content-type"] == "audio/mpeg"


async def test_hostile_requests_cost_little():
    """The longest answer there is, in as many choices with as many likelihoods as may be had, stays small."""
    long = {"const": "word " * 200}
    names = [f"n{number}" for number in range(250)]
    schema = {"type": "object", "properties": dict.fromkeys(names, long), "required": names}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    async with client() as api:
        reply = await api.chat.completions.with_raw_response.create(
            model="demo", messages=HELLO, n=MOST_CHOICES, logprobs=True, top_logprobs=20, response_format=form
        )
    assert len(reply.content) < 40 * 1024 * 1024
    told = reply.parse().choices[-1].logprobs.content
    assert len(told) == MOST_TOLD
