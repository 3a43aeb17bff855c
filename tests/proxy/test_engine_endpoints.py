"""Endpoints beside chat through a gateway: bytes untouched, an entry that says what was asked, answered and paid."""

import asyncio
import json
import os

import httpx
import pytest
import pytest_asyncio

from tests.support import event_stream
from tests.support.entries import dollars
from tests.support.gateway import gateway
from tests.support.upstream import JSON, chunk, close, head, respond, send, sse, status

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOUNDARY = "----b0undary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
STATE = {"id": "resp_1", "object": "response", "background": True, "model": "gpt-5-2025-08-07", "output": []}
WORDS = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]}]
DONE = STATE | {
    "status": "completed",
    "output": WORDS,
    "usage": {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500},
}
HEARD = {"text": "Ahoy.", "usage": {"type": "tokens", "input_tokens": 1050, "output_tokens": 45, "total_tokens": 1095}}
SONNET = "us.anthropic.claude-sonnet-4-20250514-v1:0"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(grpc=False, capture_bytes=64 * 1024) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw, up):
    org = await gw.signup()
    await org.provider("openai", "openai", up.url)
    await org.provider("cloud", "http", up.url, is_default=True)
    return org


def answered(body, code=200, headers=JSON):
    return status(code, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def form(*fields, file=b"RIFF"):
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields]
    parts.insert(0, b'name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n' + file)
    opened = f"--{BOUNDARY}\r\nContent-Disposition: form-data; ".encode()
    return b"".join(opened + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


async def ask(org, up, script, path, *, method="POST", **sent):
    """Returns the answer and its entry."""
    up.enqueue(script)
    came = await org.http.request(method, path, **sent)
    return came, await org.log(came.headers["x-ingate-request-id"])


def named(kind, response):
    return kind, {"type": kind, "response": response}


async def test_a_background_answer_is_counted_once(org, up):
    """It was queued, looked after, and then fetched several times, at once too and as a stream."""
    queued = STATE | {"status": "queued", "usage": None}
    asked = {"model": "gpt-5", "input": "long work", "background": True}
    _, entry = await ask(org, up, answered(queued), "/v1/responses", json=asked)
    assert (entry["total_tokens"], entry["cost_usd"], entry["level"]) == (None, None, "info")
    assert (entry["model"], entry["prompt"], entry["metadata"]["finish_reason"]) == (
        STATE["model"],
        "long work",
        "queued",
    )
    _, entry = await ask(org, up, answered(queued | {"status": "in_progress"}), "/v1/responses/resp_1", method="GET")
    assert (entry["total_tokens"], entry["metadata"]["finish_reason"]) == (None, "in_progress")

    for _ in range(4):
        up.enqueue(answered(DONE))
    await asyncio.gather(*(org.http.get("/v1/responses/resp_1") for _ in range(4)))
    stream = sse([named("response.in_progress", queued), named("response.completed", DONE)])
    _, again = await ask(org, up, stream, "/v1/responses/resp_1?stream=true&starting_after=3", method="GET")
    entries = await org.logs()
    counted = [entry for entry in entries if entry["total_tokens"] is not None]
    assert [(entry["total_tokens"], dollars(entry)) for entry in counted] == [(1500, dollars(counted[0]))]
    assert dollars(counted[0]) is not None
    others = [entry for entry in entries if entry["completion"] == "Done." and entry is not counted[0]]
    assert len(others) == 4
    for entry in others:
        assert (entry["model"], entry["level"], entry["cost_usd"]) == (STATE["model"], "info", None)
        assert entry["metadata"]["usage_counted_by"] == counted[0]["request_id"]
    assert (again["stream"], again["total_tokens"]) == (True, None)


async def test_a_background_answer_that_streamed_its_usage_is_not_counted_when_fetched(org, up):
    """Who made it had it all."""
    done = DONE | {"id": "resp_2"}
    asked = {"model": "gpt-5", "input": "x", "background": True, "stream": True}
    made = sse([named("response.queued", STATE), named("response.completed", done)])
    _, first = await ask(org, up, made, "/v1/responses", json=asked)
    _, second = await ask(org, up, answered(done), "/v1/responses/resp_2", method="GET")
    assert (first["total_tokens"], second["total_tokens"]) == (1500, None)
    assert second["metadata"]["usage_counted_by"] == first["request_id"]


async def test_an_answer_that_was_cut_for_the_record_is_counted_once_too(org, up):
    """Then its gateway reads it."""
    long = DONE | {"id": "resp_3", "pad": "x" * 100_000}
    entries = [(await ask(org, up, answered(long), "/v1/responses/resp_3", method="GET"))[1] for _ in range(2)]
    assert [entry["truncated"] for entry in entries] == [True, True]
    assert [entry["total_tokens"] for entry in entries] == [1500, None]
    assert entries[1]["metadata"]["usage_counted_by"] == entries[0]["request_id"]


async def test_a_fetched_answer_of_the_foreground_is_its_makers(org, up):
    """The call that made it stated the usage."""
    done = DONE | {"background": False}
    _, made = await ask(org, up, answered(done), "/v1/responses", json={"model": "gpt-5", "input": "x"})
    _, fetched = await ask(org, up, answered(done), "/v1/responses/resp_1", method="GET")
    assert (made["total_tokens"], fetched["total_tokens"], fetched["completion"]) == (1500, None, "Done.")
    assert fetched["metadata"]["usage_counted_by"] == "the call that made it"


async def test_a_response_is_cancelled_without_a_body(org, up):
    """Nothing is refused that the provider takes."""
    cancelled = STATE | {"status": "cancelled", "usage": None}
    came, entry = await ask(org, up, answered(cancelled), "/v1/responses/resp_1/cancel")
    assert (came.status_code, entry["metadata"]["finish_reason"], entry["level"]) == (200, "cancelled", "info")


@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_form_names_its_model_and_its_prompt(org, up, size):
    """Behind a recording of any length, of which not a byte is touched."""
    body = form(("model", "gpt-4o-transcribe"), ("prompt", "Radio."), file=os.urandom(size))
    _, entry = await ask(org, up, answered(HEARD), "/v1/audio/transcriptions", content=body, headers=FORM)
    assert up.requests[-1].body == body
    said = {
        name: entry[name] for name in ("provider", "model", "prompt", "completion", "input_tokens", "output_tokens")
    }
    assert said == {
        "provider": "openai",
        "model": "gpt-4o-transcribe",
        "prompt": "Radio.",
        "completion": "Ahoy.",
        "input_tokens": 1050,
        "output_tokens": 45,
    }


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"no form", FORM),
        (form()[:-20], FORM),
        (form(("model", "m")), {"Content-Type": "multipart/form-data"}),
        (form(("model", "m")), {"Content-Type": "multipart/form-data; boundary="}),
        (b"\xff" * 300_000, FORM),
        (b"[" * 300_000, {"Content-Type": "application/json"}),
        (b'{"model":5}', {"Content-Type": "application/json"}),
        (b'{"model":"m"', {"Content-Type": "application/json"}),
    ],
)
async def test_odd_bodies_of_these_endpoints_are_the_providers_to_judge(org, up, body, headers):
    """They go on as they are, and name no model."""
    refused = {"error": {"type": "invalid_request_error", "message": "No."}}
    came, entry = await ask(org, up, answered(refused, 400), "/v1/audio/transcriptions", content=body, headers=headers)
    assert (came.status_code, up.requests[-1].body, entry["model"]) == (400, body, "")
    assert (entry["level"], entry["metadata"]["provider_error"]) == ("warn", "invalid_request_error: No.")
    assert entry["total_tokens"] is None


async def test_sound_is_paid_by_what_is_spoken(org, up):
    """By the characters that were sent, if it was spoken at all."""
    asked = {"model": "tts-1", "input": "Ahoy there", "voice": "alloy"}
    sound = [("content-type", "audio/mpeg")]
    came, entry = await ask(org, up, answered(b"\xff\xfb" * 90_000, 200, sound), "/v1/audio/speech", json=asked)
    assert len(came.content) == 180_000
    assert (entry["total_tokens"], entry["units"], entry["metadata"]) == (None, {"input_characters": 10}, {})
    # 10 * 15 dollars a million
    assert f"{dollars(entry):f}" == "0.00015"
    assert (entry["prompt"], entry["completion"], entry["truncated"]) == ("Ahoy there", None, True)
    for refused in (answered({"error": {"message": "no"}}, 500), answered(b"", 500, sound)):
        _, entry = await ask(org, up, refused, "/v1/audio/speech", json=asked)
        assert (entry["units"], entry["cost_usd"], entry["level"]) == ({}, None, "error")


async def test_a_large_picture_has_its_usage(org, up):
    """Behind megabytes of base64, which are not kept as text."""
    usage = {"input_tokens": 50, "output_tokens": 4160, "total_tokens": 4210}
    picture = {"created": 1, "data": [{"b64_json": "iVBO" * 500_000}], "usage": usage}
    asked = {"model": "gpt-image-1", "prompt": "a boat"}
    _, entry = await ask(org, up, answered(picture), "/v1/images/generations", json=asked)
    assert (entry["input_tokens"], entry["output_tokens"], entry["completion"]) == (50, 4160, "[1 image]")
    assert (entry["metadata"]["images"], entry["model"]) == ("1", "gpt-image-1")
    assert dollars(entry) is not None


CONVERSED = [
    event_stream.message("messageStart", {"role": "assistant"}),
    event_stream.message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}),
    event_stream.message("messageStop", {"stopReason": "end_turn"}),
    event_stream.message("metadata", {"usage": {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}}),
]
FRAMES = [("content-type", event_stream.MEDIA)]
TALK = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}


async def test_bedrock_streams_as_it_comes(org, up):
    """At Amazon's prices for the name in the path, wherever the provider is."""
    script = respond(200, FRAMES, CONVERSED, framing="chunked")
    came, entry = await ask(org, up, script, f"/model/{SONNET}/converse-stream", json=TALK)
    assert came.content == b"".join(CONVERSED)
    said = {name: entry[name] for name in ("provider", "model", "stream", "prompt", "completion", "level")}
    assert said == {
        "provider": "cloud",
        "model": SONNET,
        "stream": True,
        "prompt": "Hello",
        "completion": "Hi",
        "level": "info",
    }
    # 100 * 3 + 20 * 15 dollars a million
    assert f"{dollars(entry):f}" == "0.0006"


async def test_a_bedrock_stream_that_breaks_gets_nothing_appended(org, up):
    """Text within binary frames would be no event; the connection ends, and the entry says why."""
    up.enqueue(head(200, FRAMES), send(chunk(CONVERSED[0] + CONVERSED[1])), close())
    came = []

    async def talk():
        async with org.http.stream("POST", f"/model/{SONNET}/converse-stream", json=TALK) as response:
            async for piece in response.aiter_raw():
                came.append(piece)  # noqa: PERF401 -- what came before it breaks counts

    with pytest.raises(httpx.RemoteProtocolError):
        await talk()
    assert b"".join(came) == CONVERSED[0] + CONVERSED[1]
    entry = await org.last()
    assert (entry["completion"], entry["level"], entry["error_code"]) == ("Hi", "error", "provider_error")


async def test_a_count_costs_nothing_and_a_refused_one_is_unknown(org, up):
    """The count is in metadata; there is no count in an error."""
    asked = {"model": "gpt-5", "input": "Tell me."}
    counted = {"object": "response.input_tokens", "input_tokens": 11}
    _, entry = await ask(org, up, answered(counted), "/v1/responses/input_tokens", json=asked)
    assert (entry["total_tokens"], entry["cost_usd"], entry["cost_source"]) == (None, 0, "list")
    assert (entry["model"], entry["prompt"], entry["metadata"]) == ("gpt-5", "Tell me.", {"counted_tokens": "11"})
    refused = {"error": {"message": "no"}}
    _, entry = await ask(org, up, answered(refused, 400), "/v1/responses/input_tokens", json=asked)
    assert (entry["cost_usd"], entry["metadata"]) == (None, {"provider_error": "no"})
