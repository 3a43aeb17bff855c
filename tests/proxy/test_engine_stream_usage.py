"""Usage of streams whose callers do not ask for it: the provider is asked, and the caller gets what it asked for."""

import asyncio
import gzip
import json
from decimal import Decimal

import httpx
import pytest
import pytest_asyncio

from gen.ingate.proxy.v1.proxy_service_pb2_grpc import ProxyServiceStub
from tests.support.entries import MILLION, dollars
from tests.support.forwarding import collected, forward
from tests.support.gateway import gateway
from tests.support.upstream import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    JSON,
    OUTPUT_TOKENS,
    SSE,
    TEXT,
    chunk,
    end,
    event,
    head,
    pause,
    reset,
    respond,
    send,
    sse,
    stall,
    status,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Say hello to the world."}]}
ON = {"include_usage": True}
COST = (INPUT_TOKENS * Decimal("0.15") - CACHED_TOKENS * Decimal("0.075") + OUTPUT_TOKENS * Decimal("0.60")) / MILLION
SAID = {"choices": [{"index": 0, "delta": {"content": "Hello, world"}, "finish_reason": None}], "model": "m"}
STOPPED = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "model": "m"}
USED = {"choices": [], "model": "m", "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}}
REFUSAL = {"error": {"message": "Unrecognized request argument supplied: stream_options", "type": "invalid"}}
# 23 bytes and a message's 16 before 12 for the answer, and 12 bytes of answer: four a token.
GUESS = {"input_tokens": 13, "output_tokens": 3, "total_tokens": 16}
GUESSED = (13 * Decimal("0.15") + 3 * Decimal("0.60")) / MILLION


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(on_disconnect="cancel") as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw, up):
    org = await gw.signup()
    await org.provider("openai", "openai", up.url, api_key="sk-upstream")
    return org


def counts(entry):
    return {name: entry[name] for name in GUESS}


def sent(request):
    """Returns the body of a request that the provider got."""
    return json.loads(request.body)


def refuse(code=400, fault=REFUSAL, **options):
    """A provider's refusal."""
    return status(code, body=json.dumps(fault).encode(), **options)


@pytest.mark.parametrize(
    "options", ["absent", None, {}, {"include_usage": False}, {"include_obfuscation": False}], ids=str
)
async def test_the_caller_gets_what_it_asked_for_and_the_entry_has_usage(org, up, options):
    """The answer is byte for byte that of a provider who was not asked; the provider was."""
    body = ASK if options == "absent" else {**ASK, "stream_options": options}
    direct = await without_gateway(up, body)

    answer = await org.http.post(CHAT, json=body)

    assert answer.content == direct.content
    assert b'"usage"' not in answer.content
    got = sent(up.requests[-1])
    assert got.pop("stream_options")["include_usage"] is True
    assert got == ASK
    entry = await org.last()
    assert (entry["input_tokens"], entry["cache_read_tokens"], entry["output_tokens"]) == (
        INPUT_TOKENS - CACHED_TOKENS,
        CACHED_TOKENS,
        OUTPUT_TOKENS,
    )
    assert (entry["usage_source"], entry["cost_source"], dollars(entry)) == ("provider", "list", COST)
    assert (entry["prompt"], entry["completion"]) == ("Say hello to the world.", TEXT)
    assert (entry["request_body"], entry["response_body"]) == (body, answer.text)


async def without_gateway(up, body):
    """Returns what the provider answers without a gateway between."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        return await client.post(up.url + CHAT, json=body)


@pytest.mark.parametrize(
    "body",
    [
        {**ASK, "stream_options": ON},
        {**ASK, "stream_options": "x"},
        {**ASK, "stream": False},
        {**ASK, "stream": None},
        {"model": "gpt-4o-mini", "messages": ASK["messages"]},
    ],
    ids=["asks", "odd", "whole", "null", "unstated"],
)
async def test_other_requests_and_their_answers_cross_untouched(org, up, body):
    """Who asks for usage gets all of it, and who does not stream is not touched."""
    up.enqueue(sse([SAID, USED, "[DONE]"]))

    answer = await org.http.post(CHAT, json=body, headers={"Accept-Encoding": "gzip"})

    assert answer.content == b"".join(map(event, [SAID, USED, "[DONE]"]))
    assert sent(up.requests[-1]) == body
    assert up.requests[-1].header("accept-encoding") == b"gzip"


async def test_compressed_requests_cross_untouched(org, up):
    """What is not read is not edited."""
    body = gzip.compress(json.dumps(ASK).encode())
    up.enqueue(sse([SAID, USED, "[DONE]"]))
    answer = await org.http.post(CHAT, content=body, headers={"Content-Encoding": "gzip"})
    assert up.requests[-1].body == body
    assert b"prompt_tokens" in answer.content


async def test_a_large_request_is_asked_for_too(org, up):
    """In place, whatever its size, and behind a prefix of its model."""
    body = b'{"model":"openai/gpt-4o-mini","stream":true,"stream_options":null,"x":"%b","messages":[]}' % (
        b"x" * 500_000
    )
    answer = await org.http.post(CHAT, content=body)
    expected = body.replace(b"openai/", b"").replace(
        b'"stream_options":null', b'"stream_options":{"include_usage":true}'
    )
    assert up.requests[-1].body == expected
    assert b'"usage"' not in answer.content
    assert (await org.last())["usage_source"] == "provider"


async def test_completions_are_asked_for_too(org, up):
    """The older API has the same option."""
    said = {"choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}], "usage": None}
    up.enqueue(sse([said, USED, "[DONE]"]))
    answer = await org.http.post("/v1/completions", json={"model": "m", "stream": True, "prompt": "Say hello."})
    assert answer.content == event({"choices": said["choices"]}) + event("[DONE]")
    assert (await org.last())["output_tokens"] == 4


async def test_completions_are_estimated_by_their_prompt(org, up):
    """Which is a text, or several."""
    for prompt in ("Say hello to all.", ["Say hello", " to all."]):
        up.enqueue(sse([{"choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}]}, "[DONE]"]))
        await org.http.post("/v1/completions", json={"model": "m", "stream": True, "prompt": prompt})
        entry = await org.last()
        assert (entry["input_tokens"], entry["output_tokens"], entry["usage_source"]) == (5, 2, "estimate")


async def test_an_uncompressed_stream_is_asked_for(org, up):
    """Since it is to be read; one that comes compressed all the same crosses as it is, and its usage is recorded."""
    up.enqueue(sse([SAID, USED, "[DONE]"], coding="gzip"))
    answer = await org.http.post(CHAT, json=ASK, headers={"Accept-Encoding": "gzip"})
    assert up.requests[-1].header("accept-encoding") == b"identity"
    assert b"prompt_tokens" in answer.content
    assert (await org.last())["usage_source"] == "provider"


async def test_a_length_of_the_answer_is_not_passed_on(org, up):
    """The body is shorter than the provider said."""
    up.enqueue(respond(200, SSE, b"".join(map(event, [SAID, USED, "[DONE]"]))))
    answer = await org.http.post(CHAT, json=ASK)
    assert "content-length" not in answer.headers
    assert answer.content == event(SAID) + event("[DONE]")


async def test_nothing_waits_that_cannot_be_hidden(org, up):
    """Each event arrives before the next is made; so does what follows hidden usage."""
    gates = [asyncio.Event() for _ in range(4)]
    events = [event(SAID), event(STOPPED), event(USED) + event("[DONE]"), b": bye\n\n"]
    up.enqueue(
        head(200, SSE),
        *[step for one, gate in zip(events, gates, strict=True) for step in (send(chunk(one)), pause(gate))],
        end(),
    )
    async with org.http.stream("POST", CHAT, json=ASK) as answer, asyncio.timeout(20):
        pieces = answer.aiter_raw()
        for one, gate in zip(events, gates, strict=True):
            assert await anext(pieces) == one.replace(event(USED), b"")
            gate.set()
        assert [piece async for piece in pieces] == []


async def test_nothing_waits_in_a_compressed_stream(org, up):
    """What cannot be read is not divided into lines."""
    gate = asyncio.Event()
    up.enqueue(head(200, [*SSE, ("content-encoding", "br")]), send(chunk(b"no line end")), pause(gate), end())
    async with org.http.stream("POST", CHAT, json=ASK) as answer, asyncio.timeout(20):
        assert await anext(answer.aiter_raw()) == b"no line end"
        gate.set()


async def test_usage_in_the_last_event_with_choices_stays(org, up):
    """As providers send it that are not asked, and do not wait for it."""
    events = [SAID, {**STOPPED, "usage": USED["usage"]}, "[DONE]"]
    up.enqueue(sse(events))
    answer = await org.http.post(CHAT, json=ASK)
    assert answer.content == b"".join(map(event, events))
    assert (await org.last())["output_tokens"] == 4


@pytest.mark.parametrize(
    "fault",
    [
        (400, REFUSAL),
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"]}]}),
        (400, {"error": {"message": "property 'stream_options' is unsupported"}, "pad": "x" * 200_000}),
    ],
    ids=["openai", "mistral", "long"],
)
@pytest.mark.parametrize("coding", [None, "gzip"])
async def test_a_provider_that_refuses_is_asked_once(org, up, fault, coding):
    """The caller sees nothing of it; later calls are left as they are, and their tokens are estimated."""
    up.enqueue(refuse(*fault, coding=coding))
    for _ in range(3):
        up.enqueue(sse([SAID, STOPPED, "[DONE]"]))

    answers = [await org.http.post(CHAT, json=ASK) for _ in range(3)]

    for answer in answers:
        assert (answer.status_code, answer.content) == (200, b"".join(map(event, [SAID, STOPPED, "[DONE]"])))
    asked, *rest = map(sent, up.requests)
    assert asked["stream_options"] == ON
    assert rest == [ASK] * 3
    entries = await org.logs()
    assert [len(entry["attempts"]) for entry in reversed(entries)] == [2, 1, 1]
    assert [it["status_code"] for it in entries[-1]["attempts"]] == [fault[0], 200]
    for entry in entries:
        assert (counts(entry), entry["usage_source"], entry["cost_source"]) == (GUESS, "estimate", "unknown")
        assert entry["status_code"] == 200


async def test_an_estimate_is_priced_and_says_that_it_is_one(org, up):
    """By the list, as counted tokens are."""
    up.enqueue(sse([{**SAID, "model": "gpt-4o-mini"}, "[DONE]"]))
    await org.http.post(CHAT, json=ASK)
    entry = await org.last()
    assert (counts(entry), entry["usage_source"]) == (GUESS, "estimate")
    assert (entry["cost_source"], dollars(entry)) == ("list", GUESSED)


async def test_another_model_or_path_is_asked_again(org, up):
    """A refusal is of one model on one path."""
    up.enqueue(refuse())
    await org.http.post(CHAT, json=ASK)
    await org.http.post(CHAT, json={**ASK, "model": "another"})
    await org.http.post(CHAT + "?api-version=2", json=ASK)
    assert ["stream_options" in sent(request) for request in up.requests] == [True, False, True, True]


@pytest.mark.parametrize("fault", [{"error": {"message": "messages is required"}}, REFUSAL], ids=["other", "quoted"])
async def test_another_fault_is_the_callers(org, up, fault):
    """What the provider says of the caller's own request is told, and nothing is remembered."""
    up.enqueue(refuse(fault=fault))
    named = fault is REFUSAL
    if named:
        up.enqueue(refuse(fault=fault))
    answer = await org.http.post(CHAT, json=ASK)
    assert (answer.status_code, answer.json()) == (400, fault)
    up.enqueue(sse([SAID, USED]))
    await org.http.post(CHAT, json=ASK)
    assert ["stream_options" in sent(request) for request in up.requests] == [True, *[False] * named, True]
    entry = (await org.logs())[1]
    assert (entry["total_tokens"], entry["cost_usd"]) == (None, None)


async def test_a_refusal_that_breaks_off_is_a_failure(org, up):
    """As any other answer that breaks off before the caller got anything."""
    up.enqueue(head(400, JSON), send(chunk(b'{"error":"stream_')), reset())
    assert (await org.http.post(CHAT, json=ASK)).status_code == 502


async def test_a_stream_that_breaks_is_estimated(org, up):
    """What was answered until then, and the prompt."""
    up.enqueue(head(200, SSE), send(chunk(event({**SAID, "usage": None}) + b'data: {"half')), reset())
    answer = await org.http.post(CHAT, json=ASK)
    assert b"half" not in answer.content
    assert b"provider_error" in answer.content
    entry = await org.last()
    assert (counts(entry), entry["usage_source"], entry["error_code"]) == (GUESS, "estimate", "provider_error")


async def test_a_stream_that_breaks_behind_its_usage_is_counted(org, up):
    """Its line is complete, though its event is not."""
    up.enqueue(head(200, SSE), send(chunk(event(SAID) + event(USED).removesuffix(b"\n"))), reset())
    answer = await org.http.post(CHAT, json=ASK)
    assert b'"usage"' not in answer.content
    entry = await org.last()
    assert (entry["output_tokens"], entry["usage_source"], entry["error_code"]) == (4, "provider", "provider_error")


async def test_a_caller_that_leaves_is_estimated(org, up):
    """Where the rest of the answer is not read."""
    up.enqueue(head(200, SSE), send(chunk(event(SAID))), stall())
    async with org.http.stream("POST", CHAT, json=ASK) as answer:
        await anext(answer.aiter_raw())
    await up.wait_closed_connections()
    entry = await org.last()
    assert (counts(entry), entry["usage_source"], entry["status_code"]) == (GUESS, "estimate", 499)


@pytest.mark.parametrize(
    "events", [[], [": ping"], [SAID, {"error": {"message": "overloaded"}}]], ids=["no", "ping", "error"]
)
async def test_nothing_is_estimated_where_nothing_was_answered(org, up, events):
    """Nor where the provider says that it failed: absent is not zero."""
    up.enqueue(sse([*events, "[DONE]"]))
    await org.http.post(CHAT, json=ASK)
    entry = await org.last()
    assert (entry["total_tokens"], entry["cost_usd"]) == (None, None)
    assert entry["usage_source"] != "estimate"


@pytest.mark.parametrize(
    ("first", "last"),
    [(b"", b""), (b"", b"\n"), (b"", b"\r\n"), (b"\xef\xbb\xbf", b"\n\n")],
    ids=["cut", "line", "crlf", "mark"],
)
async def test_what_was_hidden_joins_nothing_in_the_record(org, up, first, last):
    """Neither where its event was not ended, nor where the stream begins with a byte order mark."""
    text = first + event(SAID) + event(STOPPED) + event(USED).rstrip(b"\n") + last
    up.enqueue(respond(200, SSE, text))
    answer = await org.http.post(CHAT, json=ASK)
    assert answer.content == first + event(SAID) + event(STOPPED)
    entry = await org.last()
    assert (entry["completion"], entry["output_tokens"]) == ("Hello, world", 4)
    assert entry["usage_source"] == "provider"


@pytest.mark.parametrize(
    "headers",
    [[("content-type", "Text/Event-Stream")], [*SSE, ("content-encoding", "Identity")]],
    ids=["type", "coding"],
)
async def test_names_of_types_and_codings_have_no_case(org, up, headers):
    """A stream is one, and is read, however its provider spells that."""
    up.enqueue(respond(200, headers, b"".join(map(event, [SAID, USED, "[DONE]"]))))
    assert (await org.http.post(CHAT, json=ASK)).content == event(SAID) + event("[DONE]")
    entry = await org.last()
    assert (entry["stream"], entry["output_tokens"], entry["usage_source"]) == (True, 4, "provider")


@pytest.mark.parametrize("capture", [0, 64])
async def test_usage_needs_no_room_in_the_record(up, capture):
    """Where bodies are not kept, or not whole, what was hidden is read, and estimates are made all the same."""
    async with gateway(grpc=False, capture_bytes=capture) as gw:
        org = await gw.signup()
        await org.provider("openai", "openai", up.url, api_key="sk-upstream")
        for last in (USED, STOPPED):
            up.enqueue(sse([SAID, last, "[DONE]"]))
            assert b'"usage"' not in (await org.http.post(CHAT, json=ASK)).content
        guessed, told = await org.logs()
        assert (told["input_tokens"], told["output_tokens"], told["usage_source"]) == (9, 4, "provider")
        assert (counts(guessed), guessed["usage_source"]) == (GUESS, "estimate")


async def test_asking_can_be_turned_off(up):
    """Then every request and answer crosses as it is, and tokens are estimated."""
    async with gateway(grpc=False, stream_usage="leave") as gw:
        org = await gw.signup()
        await org.provider("openai", "openai", up.url)
        await org.http.post(CHAT, json=ASK)
        assert sent(up.requests[-1]) == ASK
        entry = await org.last()
        assert entry["usage_source"] == "estimate"
        assert entry["cost_usd"] is not None


async def test_over_grpc(gw, org, up):
    """Forward hides and records the same."""
    stub = ProxyServiceStub(await gw.channel())
    direct = await without_gateway(up, ASK)
    _, data, complete = await collected(forward(stub, org, ASK))
    assert (data, complete) == (direct.content, True)
    assert sent(up.requests[-1])["stream_options"] == ON
    entry = await org.last()
    assert (entry["output_tokens"], entry["usage_source"], dollars(entry)) == (OUTPUT_TOKENS, "provider", COST)
