"""Providers that fail below HTTP: what the caller is told, what is on record, and that nothing is sent twice."""

import anthropic
import httpx
import openai
import pytest
import pytest_asyncio
from google import genai
from google.genai import errors, types

from tests.support.gateway import gateway
from tests.support.ports import free_port
from tests.support.upstream import (
    JSON,
    SSE,
    chunk,
    close,
    event,
    garbage,
    head,
    reset,
    send,
    stall,
    truncated,
    truncated_chunk,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
DELTA = {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}
BEGUN = (head(200, SSE), send(chunk(event(DELTA))))
FIRST_BYTE_MS = 600
IDLE = 0.8


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(grpc=False, idle_timeout=IDLE, connect_timeout=1.0) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw, up):
    org = await gw.signup()
    for type in ("openai", "anthropic", "gemini", "ollama"):
        await org.provider(type, type, up.url, timeout_ms=FIRST_BYTE_MS)
    return org


async def ask(org, **body):
    """Asks, and returns the answer and its record."""
    response = await org.http.post("/v1/chat/completions", json={**ASK, **body})
    return response, await org.last()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("steps", "status", "attempt"),
    [
        ([close()], 502, "connection_lost"),
        ([reset()], 502, "connection_lost"),
        ([garbage()], 502, "bad_response"),
        ([send(b"HTTP/1.1 200 OK\r\ncontent-le"), close()], 502, "connection_lost"),
        ([send(b"HTTP/1.1 999 What\r\n\r\n"), close()], 502, "bad_response"),
        ([stall()], 504, "first_byte_timeout"),
        ([send(b"HTTP/1.1 200 OK\r\n"), stall()], 504, "first_byte_timeout"),
    ],
    ids=["close", "reset", "garbage", "half a head", "status", "silence", "slow head"],
)
async def test_a_provider_that_fails_before_its_head(org, up, steps, status, attempt, *, stream):
    """502 or 504 in the gateway's own words, recorded once, asked once."""
    up.enqueue(*steps)

    response, entry = await ask(org, stream=stream)

    code = "provider_timeout" if status == 504 else "provider_error"
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["x-ingate-request-id"] == entry["request_id"]
    assert (entry["status_code"], entry["level"], entry["error_code"]) == (status, "error", code)
    assert entry["error_message"] == response.json()["message"]
    assert [(it["provider"], it["error"]) for it in entry["attempts"]] == [("openai", attempt)]
    assert entry["served_by"] == ""
    assert up.seen == 1


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([truncated()], 502),
        ([head(200, [*JSON, ("content-length", "100")], framing="none"), send(b'{"id":'), reset()], 502),
        ([head(200, [*JSON, ("content-length", "100")], framing="none"), send(b'{"id":'), stall()], 504),
        ([head(200, JSON), reset()], 502),
        ([head(200, SSE), close()], 502),
        ([head(200, SSE), stall()], 504),
    ],
    ids=["short", "reset", "stall", "nothing of a body", "nothing of a stream", "silent stream"],
)
async def test_a_provider_that_fails_before_the_caller_has_anything(org, up, steps, status):
    """A whole answer is held until it is whole, and a stream until its first byte: a failure is still a clean one."""
    up.enqueue(*steps)

    response, entry = await ask(org)

    code = "provider_timeout" if status == 504 else "provider_error"
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert (entry["status_code"], entry["level"], entry["error_code"]) == (status, "error", code)
    assert entry["error_message"] == response.json()["message"]
    assert up.seen == 1


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([reset()], "provider_error"),
        ([close()], "provider_error"),
        ([truncated_chunk(b": ping\r\n\r\n")], "provider_error"),
        ([send(b"no chunk size\r\n"), stall()], "provider_error"),
        ([stall()], "provider_timeout"),
    ],
    ids=["reset", "close", "inside a chunk", "garbage", "stall"],
)
async def test_a_stream_that_breaks_ends_with_an_event_the_sdk_understands(org, up, steps, code):
    """OpenAI's SDK raises its APIError, and the record says 200, error and why."""
    up.enqueue(*BEGUN, *steps)
    async with openai.AsyncOpenAI(base_url=org.gateway.url, api_key=org.key, max_retries=0) as client:
        stream = await client.chat.completions.create(**ASK, stream=True)
        assert (await anext(stream)).choices[0].delta.content == "Hel"
        with pytest.raises(openai.APIError) as raised:
            await anext(stream)

    assert raised.value.code == code
    entry = await org.last()
    assert (entry["status_code"], entry["level"], entry["error_code"]) == (200, "error", code)
    assert (entry["served_by"], entry["completion"], entry["stream"]) == ("openai", "Hel", True)
    assert up.seen == 1


async def test_a_broken_message_stream_for_anthropics_sdk(org, up):
    """The event is Anthropic's own."""
    start = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "stop_reason": None}
    begun = {"type": "message_start", "message": {**start, "usage": {"input_tokens": 3, "output_tokens": 1}}}
    up.enqueue(head(200, SSE), send(chunk(event(begun, "message_start"))), reset())
    async with anthropic.AsyncAnthropic(base_url=org.gateway.url, api_key=org.key, max_retries=0) as client:
        with pytest.raises(anthropic.APIError, match="broke off"):
            async with client.messages.stream(model="c", max_tokens=9, messages=ASK["messages"]) as stream:
                await stream.until_done()

    entry = await org.last()
    assert (entry["error_code"], entry["input_tokens"]) == ("provider_error", 3)


async def test_a_broken_response_stream_for_openais_sdk(org, up):
    """The Responses API has an event of its own."""
    up.enqueue(head(200, SSE), send(chunk(b": hello\n\n")), reset())
    async with openai.AsyncOpenAI(base_url=org.gateway.url, api_key=org.key, max_retries=0) as client:
        stream = await client.responses.create(model="gpt-4o-mini", input="hi", stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            await anext(stream)


async def test_a_broken_content_stream_for_googles_sdk(org, up):
    """The last chunk is Gemini's error object."""
    item = {"candidates": [{"content": {"parts": [{"text": "Hel"}], "role": "model"}}], "modelVersion": "g"}
    up.enqueue(head(200, SSE), send(chunk(event(item))), reset())
    options = types.HttpOptions(base_url=org.gateway.url)
    async with genai.Client(api_key=org.key, vertexai=False, http_options=options).aio as client:
        stream = await client.models.generate_content_stream(model="g", contents="hi")
        with pytest.raises(errors.APIError, match="broke off"):
            [chunk async for chunk in stream]


async def test_a_broken_ollama_stream(org, up):
    """The last line is Ollama's error object."""
    up.enqueue(head(200, [("content-type", "application/x-ndjson")]), send(chunk(b'{"response":"Hel"}\n')), reset())

    response = await org.http.post("/api/generate", json={"model": "llama", "prompt": "hi"})

    assert response.text.splitlines() == ['{"response":"Hel"}', '{"error":"the provider broke off its answer"}']


@pytest.mark.parametrize(
    ("headers", "piece"),
    [
        ([("content-type", "application/octet-stream")], b"bytes"),
        ([*SSE, ("content-encoding", "gzip")], b"\x1f\x8b\x08"),
        (SSE, b'data: {"choices":[{"ind'),
        (SSE, b"event: message_start\n"),
    ],
    ids=["no stream", "compressed", "inside an event", "between its lines"],
)
async def test_what_cannot_carry_an_event_is_cut_off(org, up, headers, piece):
    """The caller can tell that the answer is incomplete: the connection breaks inside it."""
    up.enqueue(head(200, headers), send(chunk(piece)), reset())

    with pytest.raises(httpx.RemoteProtocolError):
        await org.http.post("/v1/chat/completions", json=ASK)

    entry = await org.last()
    assert (entry["status_code"], entry["level"], entry["error_code"]) == (200, "error", "provider_error")


async def test_a_stream_with_a_length_that_breaks(org, up):
    """A stream whose length was announced ends with the event all the same, and does not hang."""
    up.enqueue(head(200, [*SSE, ("content-length", "4000")], framing="none"), send(event(DELTA)), reset())

    response, entry = await ask(org, stream=True)

    assert response.text.endswith('"code":"provider_error"}}\n\n')
    assert entry["error_code"] == "provider_error"


async def test_nobody_listens_at_the_providers_address(org):
    """502, and the attempt says that nothing was sent."""
    await org.provider("gone", "openai", f"http://127.0.0.1:{free_port()}", models=["gone"])

    response, entry = await ask(org, model="gone")

    assert (response.status_code, response.json()["code"]) == (502, "provider_error")
    assert entry["error_message"] == response.json()["message"]
    assert entry["attempts"][0]["error"] == "connect_failed"
