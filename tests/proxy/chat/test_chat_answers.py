"""ChatService: typed inference, answered by the engine as a chat completion over HTTP is, on both transports."""

import asyncio
import json

import grpc
import pytest

from gen.ingate.chat.v1.answer_pb2 import FINISH_REASON_STOP, FINISH_REASON_TOOL_CALLS, Usage
from gen.ingate.chat.v1.chat_pb2 import Attribution, Sampling, Tool
from gen.ingate.chat.v1.message_pb2 import ROLE_ASSISTANT, ROLE_TOOL, ROLE_USER, Document, Message, Part, ToolResult
from tests.support.chatting import BEGUN, BOTH, MODEL, answered, chat, complete, failure, refusal, stream
from tests.support.forwarding import ASK, CHAT
from tests.support.upstream import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    JSON,
    OUTPUT_TOKENS,
    TEXT,
    chunk,
    end,
    event,
    pause,
    respond,
    send,
    sse,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

USAGE = Usage(
    input_tokens=INPUT_TOKENS - CACHED_TOKENS,
    cache_read_tokens=CACHED_TOKENS,
    output_tokens=OUTPUT_TOKENS,
    reasoning_tokens=0,
    total_tokens=INPUT_TOKENS + OUTPUT_TOKENS,
)


async def test_a_whole_answer(stub, org):
    """Message, reason, usage, model, id and provider."""
    running = complete(stub, org)
    answer = await running
    assert answer.message == Message(role=ROLE_ASSISTANT, parts=[Part(text=TEXT)])
    assert (answer.finish_reason, answer.provider_finish_reason) == (FINISH_REASON_STOP, "stop")
    assert (answer.usage, answer.model, answer.provider) == (USAGE, MODEL, "openai")
    assert answer.request_id == dict(await running.initial_metadata())["x-ingate-request-id"]
    assert (await org.last())["request_id"] == answer.request_id


async def test_a_streamed_answer(stub, org):
    """Started, deltas, finished; the usage comes although the stream's last event has no choice."""
    first, *deltas, last = await answered(stub, org, streamed=True)
    assert first.started.provider == "openai"
    assert len(deltas) > 1
    assert "".join(delta.text_delta for delta in deltas) == TEXT
    assert (last.finished.finish_reason, last.finished.usage, last.finished.model) == (FINISH_REASON_STOP, USAGE, MODEL)
    assert (await org.last())["request_id"] == first.started.request_id


@BOTH
async def test_the_record_is_that_of_a_call_over_http(stub, org, up, streamed):
    """Tokens, cost, texts, body and what the provider saw do not depend on the door."""
    options = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    await org.http.post(CHAT, json=ASK | options)
    attribution = Attribution(user_id="üser", session_id="s")
    await answered(stub, org, streamed=streamed, attribution=attribution)

    over_http, typed = up.requests
    assert json.loads(over_http.body) == json.loads(typed.body)
    assert typed.target == over_http.target
    assert typed.header("authorization") == over_http.header("authorization") == b"Bearer sk-upstream-secret"
    entry, before = [await org.log(one["request_id"]) for one in (await org.logs(limit=2))]
    assert (entry["user_id"], entry["session_id"]) == ("üser", "s")
    own = {"request_id", "created_at", "latency_ms", "ttft_ms", "attempts", "user_id", "session_id", "request_headers"}
    assert {name: value for name, value in entry.items() if name not in own} == {
        name: value for name, value in before.items() if name not in own
    }


async def test_each_event_arrives_before_the_next_is_made(stub, org, up):
    """Nothing is held back."""
    go = asyncio.Event()
    up.enqueue(*BEGUN, pause(go), send(chunk(event({"choices": [{"delta": {"content": "more"}}]}))), end())
    call = stream(stub, org)
    assert (await call.read()).started.provider == "openai"
    assert (await call.read()).text_delta == "begun"
    go.set()
    assert (await call.read()).text_delta == "more"
    error = await failure(call.read())
    assert (error.code(), refusal(error)[0].reason) == (grpc.StatusCode.UNKNOWN, "PROVIDER_ERROR")


async def test_the_end_is_told_before_the_provider_closes(stub, org, up):
    """What comes behind the marker is waited for by the record alone."""
    go = asyncio.Event()
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    up.enqueue(*BEGUN, send(chunk(event(last)), chunk(event("[DONE]"))), pause(go), end())
    call = stream(stub, org)
    assert [(await call.read()).WhichOneof("event") for _ in range(3)] == ["started", "text_delta", "finished"]
    go.set()
    assert await call.read() is grpc.aio.EOF


@BOTH
async def test_the_other_framing_is_read_as_well(stub, org, up, streamed):
    """A stream that was not asked for, and a whole answer in place of one."""
    message = {"message": {"content": "whole"}, "finish_reason": "stop"}
    parts = [{"choices": [{"delta": {"content": text}}]} for text in ("who", "le")]
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    up.enqueue(
        respond(200, JSON, json.dumps({"choices": [message]}).encode()) if streamed else sse([*parts, last, "[DONE]"])
    )
    answer = await answered(stub, org, streamed=streamed)
    if streamed:
        assert [one.WhichOneof("event") for one in answer] == ["started", "text_delta", "finished"]
    else:
        assert (answer.message.parts[0].text, answer.HasField("usage")) == ("whole", False)


async def test_a_tool_is_called_and_its_result_answered(stub, org, up):
    """The answer's message goes into the next request as it is."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
    up.enqueue(
        sse(
            [
                {"choices": [{"delta": {"tool_calls": [{"index": 5, **call}]}}]},
                {"choices": [{"delta": {"tool_calls": [{"index": 5, "function": {"arguments": "1}"}}]}}]},
                {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
                "[DONE]",
            ]
        )
    )
    user, tools = Message(role=ROLE_USER, parts=[Part(text="hi")]), [Tool(name="f", parameters=b'{"type":"object"}')]
    answer = await complete(stub, org, chat(user, tools=tools))
    assert answer.finish_reason == FINISH_REASON_TOOL_CALLS
    [part] = answer.message.parts
    assert (part.tool_call.id, part.tool_call.name, part.tool_call.arguments) == ("c1", "f", '{"a":1}')

    result = Message(role=ROLE_TOOL, parts=[Part(tool_result=ToolResult(tool_call_id="c1", content="2"))])
    await complete(stub, org, chat(user, answer.message, result, tools=tools))
    assert json.loads(up.requests[-1].body)["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
    ]


@pytest.mark.parametrize(
    ("type", "name"),
    [("openai", "max_completion_tokens"), ("openai_compatible", "max_tokens"), ("ollama", "max_tokens")],
)
async def test_the_bound_of_tokens_has_the_name_that_the_provider_knows(stub, org, up, type, name):
    """OpenAI's newer models take the one, most others the other."""
    await org.provider("another", type, up.url)
    await complete(stub, org, chat(model="another/m", sampling=Sampling(max_tokens=7)))
    assert json.loads(up.requests[-1].body) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        name: 7,
    }


@BOTH
async def test_which_provider_answers(stub, org, up, streamed):
    """The field names it, as the header does; one that is not there, or speaks otherwise, is refused."""
    await org.provider("claude", "anthropic", up.url)
    await org.provider("second", "openai_compatible", up.url)
    answer = await answered(stub, org, streamed=streamed, provider="second")
    assert (answer[0].started if streamed else answer).provider == "second"
    seen = up.seen
    for options, field in (
        ({"provider": "nobody"}, "provider"),
        ({"provider": "claude"}, "provider"),
        ({"asked": chat(model="claude/m")}, "chat.model"),
        ({"provider": "Not A Name"}, "provider"),
    ):
        error = await failure(answered(stub, org, streamed=streamed, **options))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refusal(error)[:2][1] == [field]
    assert up.seen == seen
    error = await failure(answered(stub, org, streamed=streamed, provider="claude"))
    assert error.details() == (
        "provider leads to claude, which does not speak OpenAI chat; of the providers do: openai, second"
    )
    entry = await org.last()
    assert (entry["status_code"], entry["error_code"], entry["path"]) == (400, "bad_request", CHAT)


@BOTH
async def test_a_long_conversation(stub, org, up, streamed):
    """Has as many messages as is promised; one more is refused."""
    turn = [Message(role=ROLE_USER, parts=[Part(text=f"message {number}")]) for number in range(2048)]
    await answered(stub, org, streamed=streamed, asked=chat(*turn))
    assert len(json.loads(up.requests[-1].body)["messages"]) == 2048
    error = await failure(answered(stub, org, streamed=streamed, asked=chat(*turn, turn[0])))
    assert refusal(error)[1] == ["chat.messages"]


@BOTH
async def test_bodies_count_while_they_are_under_way(gw, stub, org, up, streamed):
    """With the bytes of what the provider gets, and those are given back."""
    go = asyncio.Event()
    up.enqueue(*BEGUN, pause(go), send(chunk(event("[DONE]"))), end())
    document = Document(data=b"x" * 100_000, media_type="application/pdf")
    asked = chat(Message(role=ROLE_USER, parts=[Part(document=document)]))
    running = asyncio.ensure_future(answered(stub, org, streamed=streamed, asked=asked))
    await up.wait_for(1)
    assert gw.core.bodies.in_use == len(up.requests[0].body) > 133_000
    go.set()
    await running
    await eventually(lambda: not gw.core.bodies.in_use)


@pytest.mark.parametrize("omit", [False, True])
async def test_a_stream_without_the_question_for_usage(stub, org, up, omit):
    """The gateway asks for the record all the same, and keeps the answer to that from the caller."""
    events = await answered(stub, org, streamed=True, omit_usage=omit)
    assert events[-1].finished.HasField("usage") is not omit
    entry = await org.last()
    assert (entry["total_tokens"], entry["usage_source"]) == (USAGE.total_tokens, "provider")
