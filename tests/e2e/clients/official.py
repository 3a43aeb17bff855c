"""Official clients as people set them up, each with the same few things to do, so that one table tries all of them.

A client is made with the gateway's URL and a key. `chat` and `stream` return the text; `tools` runs a whole turn: the
model calls `weather`, gets its result, and answers; `structured` returns what the client made of a schema; `models`
returns names. What a client does not offer, it does not have.
"""

import json

import anthropic
import openai
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

HELLO = "Say hello."
ASKED = "What is the weather in Oslo and Paris?"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Trip(BaseModel):
    """What a schema asks for."""

    city: str
    days: int


def weather(city: str) -> str:
    """The weather of a city."""
    return f"fog in {city}"


class OpenAIChat:
    """Chat Completions by OpenAI's client."""

    refused = openai.AuthenticationError

    def __init__(self, url, key):
        self._client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)

    async def close(self):
        await self._client.close()

    async def chat(self):
        return (await self._ask(HELLO)).content

    async def stream(self):
        messages = [{"role": "user", "content": HELLO}]
        stream = await self._client.chat.completions.create(model="demo", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def tools(self):
        called = await self._ask(ASKED)
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
            for call in called.tool_calls
        ]
        return (await self._ask(ASKED, called.model_dump(exclude_none=True), *results)).content

    async def structured(self):
        messages = [{"role": "user", "content": HELLO}]
        answer = await self._client.chat.completions.parse(model="demo", messages=messages, response_format=Trip)
        return answer.choices[0].message.parsed

    async def models(self):
        return [model.id async for model in self._client.models.list()]

    async def _ask(self, text, *more):
        tool = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
        messages = [{"role": "user", "content": text}, *more]
        answer = await self._client.chat.completions.create(model="demo", messages=messages, tools=[tool])
        return answer.choices[0].message


class OpenAIResponses:
    """Responses by OpenAI's client."""

    refused = openai.AuthenticationError

    def __init__(self, url, key):
        self._client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)

    async def close(self):
        await self._client.close()

    async def chat(self):
        return (await self._client.responses.create(model="demo", input=HELLO)).output_text

    async def stream(self):
        async with self._client.responses.stream(model="demo", input=HELLO) as stream:
            return "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])

    async def tools(self):
        tools = [{"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}]
        called = await self._client.responses.create(model="demo", input=ASKED, tools=tools)
        outputs = [
            {"type": "function_call_output", "call_id": call.call_id, "output": weather(**json.loads(call.arguments))}
            for call in called.output
        ]
        ended = await self._client.responses.create(
            model="demo", input=outputs, tools=tools, previous_response_id=called.id
        )
        return ended.output_text

    async def structured(self):
        return (await self._client.responses.parse(model="demo", input=HELLO, text_format=Trip)).output_parsed


class AnthropicMessages:
    """Messages by Anthropic's client."""

    refused = anthropic.AuthenticationError

    def __init__(self, url, key):
        self._client = anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0)
        self._asked = {"model": "demo", "max_tokens": 200}

    async def close(self):
        await self._client.close()

    async def chat(self):
        answer = await self._client.messages.create(**self._asked, messages=[{"role": "user", "content": HELLO}])
        return answer.content[0].text

    async def stream(self):
        messages = [{"role": "user", "content": HELLO}]
        async with self._client.messages.stream(**self._asked, messages=messages) as stream:
            return "".join([text async for text in stream.text_stream])

    async def tools(self):
        tools = [{"name": "get_weather", "input_schema": CITY}]
        turns = [{"role": "user", "content": ASKED}]
        called = await self._client.messages.create(**self._asked, messages=turns, tools=tools)
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": weather(**block.input)}
            for block in called.content
        ]
        turns += [{"role": "assistant", "content": called.content}, {"role": "user", "content": results}]
        return (await self._client.messages.create(**self._asked, messages=turns, tools=tools)).content[0].text

    async def structured(self):
        messages = [{"role": "user", "content": HELLO}]
        return (await self._client.messages.parse(**self._asked, messages=messages, output_format=Trip)).parsed_output

    async def models(self):
        return [model.id async for model in self._client.models.list()]


class Gemini:
    """Content generation by Google's client."""

    refused = errors.ClientError

    def __init__(self, url, key):
        self._client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url))
        self._models = self._client.aio.models

    async def close(self):
        await self._client.aio.aclose()
        self._client.close()

    async def chat(self):
        return (await self._models.generate_content(model="demo", contents=HELLO)).text

    async def stream(self):
        stream = await self._models.generate_content_stream(model="demo", contents=HELLO)
        return "".join([chunk.text or "" async for chunk in stream])

    async def tools(self):
        config = types.GenerateContentConfig(tools=[weather])
        return (await self._models.generate_content(model="demo", contents=ASKED, config=config)).text

    async def structured(self):
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Trip)
        return (await self._models.generate_content(model="demo", contents=HELLO, config=config)).parsed

    async def models(self):
        return [model.name.removeprefix("models/") async for model in await self._models.list()]


CLIENTS = {"openai": OpenAIChat, "openai-responses": OpenAIResponses, "anthropic": AnthropicMessages, "gemini": Gemini}
