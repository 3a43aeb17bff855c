"""ChatService: what fails, who leaves and what is refused, on both transports."""

import asyncio
import json

import grpc
import pytest

from gen.ingate.chat.v1.chat_pb2 import Sampling, Tool
from gen.ingate.chat.v1.chat_service_pb2_grpc import ChatServiceStub
from gen.ingate.chat.v1.message_pb2 import ROLE_USER, Document, Message, Part
from ingate.formats.chat_answer import LONGEST
from tests.support.chatting import BEGUN, BOTH, answered, chat, complete, failure, refusal, stream
from tests.support.gateway import gateway
from tests.support.ports import free_port
from tests.support.upstream import (
    JSON,
    TEXT,
    chunk,
    event,
    never_ends,
    reset,
    respond,
    sse,
    stall,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


STATUSES = {
    302: "UNKNOWN",
    400: "INVALID_ARGUMENT",
    401: "FAILED_PRECONDITION",
    402: "FAILED_PRECONDITION",
    403: "FAILED_PRECONDITION",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "UNKNOWN",
    502: "UNKNOWN",
    503: "UNKNOWN",
    504: "DEADLINE_EXCEEDED",
    529: "UNKNOWN",
}
HTML, ODD = [("content-type", "text/html")], ("content-encoding", "bogus")
FAILURES = {
    "reset": (reset(), "UNKNOWN", "PROVIDER_ERROR"),
    "stall": (stall(), "DEADLINE_EXCEEDED", "PROVIDER_TIMEOUT"),
    "html": (respond(200, HTML, b"<html>"), "UNKNOWN", "PROVIDER_ERROR"),
    "no choice": (respond(200, JSON, b'{"choices": []}'), "UNKNOWN", "PROVIDER_ERROR"),
    "no body": (respond(204, framing="none"), "UNKNOWN", "PROVIDER_ERROR"),
    "error event": (sse([{"error": {"message": "m"}}]), "UNKNOWN", "PROVIDER_ERROR"),
    "odd coding of an error": (respond(500, [ODD], b"x"), "UNKNOWN", "PROVIDER_ERROR"),
    "odd coding": (respond(200, [*JSON, ODD], b"x"), "UNKNOWN", "PROVIDER_ERROR"),
}


@BOTH
async def test_a_providers_error(stub, org, up, streamed):
    """Has the code of its status, and its words in the metadata, without the key that it quotes."""
    body = json.dumps({"error": {"message": "no sk-upstream-secret", "type": "t", "code": "c"}}).encode()
    for code, told in STATUSES.items():
        up.enqueue(respond(code, [*JSON, ("retry-after", "7")], body))
        error = await failure(answered(stub, org, streamed=streamed))
        info, _, seconds = refusal(error)
        assert (error.code().name, info.reason, seconds) == (told, "PROVIDER_ERROR", 7)
        assert error.details() == f"the provider openai answered with status {code}"
        assert dict(info.metadata) == {
            "provider": "openai",
            "provider_status": str(code),
            "provider_code": "c",
            "provider_message": "no ***",
        }
    assert {entry["status_code"] for entry in await org.logs()} == STATUSES.keys()


@BOTH
async def test_a_provider_that_fails(stub, org, up, streamed):
    """Is never told as what clients repeat by themselves, is on record, and is no refusal of the gateway's."""
    before = dict(org.gateway.core.refusals.counts)
    for name, (step, code, reason) in FAILURES.items():
        up.enqueue(step)
        error = await failure(answered(stub, org, streamed=streamed))
        assert (name, error.code().name, refusal(error)[0].reason) == (name, code, reason)
    assert len(await org.logs()) == len(FAILURES)
    assert org.gateway.core.refusals.counts == before


@BOTH
async def test_an_answer_that_breaks(stub, org, up, streamed):
    """What came stays, and the call fails."""
    up.enqueue(*BEGUN, reset())
    if streamed:
        call = stream(stub, org)
        assert (await call.read()).HasField("started")
        assert (await call.read()).text_delta == "begun"
        error = await failure(call.read())
    else:
        error = await failure(complete(stub, org))
    assert (error.code(), refusal(error)[0].reason) == (grpc.StatusCode.UNKNOWN, "PROVIDER_ERROR")
    assert error.details() == "the provider openai broke off its answer"
    assert (await org.last())["error_code"] == "provider_error"


@BOTH
async def test_a_provider_that_cannot_be_reached(stub, gw, streamed):
    """It has read nothing: the call may be made again."""
    org = await gw.signup()
    await org.provider("openai", "openai", f"http://127.0.0.1:{free_port()}")
    error = await failure(answered(stub, org, streamed=streamed))
    assert (error.code(), refusal(error)[0].reason) == (grpc.StatusCode.UNAVAILABLE, "PROVIDER_ERROR")


@BOTH
@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "within the answer"])
async def test_a_caller_that_cancels(stub, org, up, streamed, begun):
    """The provider is left, as is on record."""
    up.enqueue(*((*BEGUN, never_ends(chunk(event({"choices": []})), every=0.01)) if begun else (stall(),)))
    call = (stream if streamed else complete)(stub, org)
    waiting = asyncio.ensure_future(_until_the_end(call, streamed))
    await up.wait_for(1)
    call.cancel()
    await up.wait_closed_connections()
    with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
        await waiting
    entry = await org.last()
    assert (entry["level"], entry["error_code"]) == ("warn", "client_closed")


@BOTH
async def test_a_deadline_that_passes(stub, org, up, streamed):
    """Leaves the provider in the same way. The deadline is as long as it takes the request to get there."""
    for seconds in (0.5, 2.0, 8.0):
        up.enqueue(*BEGUN, stall())
        call = (stream if streamed else complete)(stub, org, timeout=seconds)
        error = await failure(_until_the_end(call, streamed))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(lambda: not org.gateway.core.engine.in_flight)
        if up.seen:
            break
    await up.wait_closed_connections()
    entry = await org.last()
    assert (entry["level"], entry["error_code"]) == ("warn", "client_closed")


async def _until_the_end(call, streamed):
    if not streamed:
        return await call
    return [event async for event in call]


@BOTH
async def test_who_may_call(stub, org, streamed):
    """A key with the scope, within its rate; what is refused is told before the provider is asked."""
    narrow, few = await org.make_key(scopes=["read"]), await org.make_key(rate_limit_per_minute=1)
    error = await failure(answered(stub, org, streamed=streamed, key=narrow))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    calls = [answered(stub, org, streamed=streamed, key=few) for _ in range(3)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert grpc.StatusCode.RESOURCE_EXHAUSTED in {one.code() for one in results if isinstance(one, Exception)}


@BOTH
async def test_what_breaks_a_rule(stub, org, up, gw, streamed):
    """Is refused with its path; what only the conversion sees is on record as any request that was refused."""
    before = gw.core.refusals.counts["BAD_REQUEST"]
    for asked, fields in (
        (chat(model=""), ["chat.model"]),
        (chat(Message(role=ROLE_USER, parts=[Part()])), ["chat.messages[0].parts[0].content"]),
        (chat(Message(parts=[Part(text="a")])), ["chat.messages[0].role"]),
        (chat(sampling=Sampling(temperature=3)), ["chat.sampling.temperature"]),
    ):
        error = await failure(answered(stub, org, streamed=streamed, asked=asked))
        assert (error.code(), refusal(error)[1]) == (grpc.StatusCode.INVALID_ARGUMENT, fields)
    assert gw.core.refusals.counts["BAD_REQUEST"] == before + 4
    asked = chat(tools=[Tool(name="f", parameters=b"[]")])
    error = await failure(answered(stub, org, streamed=streamed, asked=asked))
    assert refusal(error)[1] == ["chat.tools[0].parameters"]
    assert gw.core.refusals.counts["BAD_REQUEST"] == before + 4
    assert [entry["status_code"] for entry in await org.logs()] == [400]
    assert up.seen == 0


async def test_an_answer_that_is_longer_than_a_message_may_be(stub, org, up):
    """Is refused whole, and can be had as a stream."""
    parts = [{"choices": [{"delta": {"content": "x" * 65_000}}]}] * (LONGEST // 65_000 + 1)
    up.enqueue(sse([*parts, "[DONE]"]))
    error = await failure(complete(stub, org))
    assert (error.code(), refusal(error)[0].reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE")
    up.enqueue(sse([*parts, "[DONE]"]))
    events = await answered(stub, org, streamed=True)
    assert sum(len(one.text_delta) for one in events) > LONGEST
    assert events[-1].HasField("finished")


async def test_a_body_has_the_limit_of_http(up):
    """That of what the provider gets: a document is a third longer there."""
    async with gateway(max_body_bytes=1_000_000) as gw:
        org = await gw.signup()
        await org.provider("openai", "openai", up.url)
        stub = ChatServiceStub(await gw.channel())
        for size, fits in ((740_000, True), (760_000, False), (1_000_001, False)):
            document = Document(data=b"x" * size, media_type="application/pdf")
            call = complete(stub, org, chat(Message(role=ROLE_USER, parts=[Part(document=document)])))
            if fits:
                assert (await call).message.parts[0].text == TEXT
            else:
                assert (await failure(call)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert [entry["status_code"] for entry in await org.logs()] == [413, 413, 200]
        assert not gw.core.bodies.in_use
