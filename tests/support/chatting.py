"""Calls of ChatService, and reading what comes back."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from gen.ingate.chat.v1 import chat_service_pb2 as pb
from gen.ingate.chat.v1.chat_pb2 import Chat
from gen.ingate.chat.v1.message_pb2 import ROLE_USER, Message, Part
from tests.support.upstream import SSE, chunk, event, head, send

MODEL = "gpt-4o-mini"
BEGUN = (head(200, SSE), send(chunk(event({"choices": [{"delta": {"content": "begun"}}]}))))
"""A provider's stream that has begun."""
BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["complete", "stream"])
"""Has a test call both rpcs."""


def chat(*messages, model=MODEL, **fields):
    """Returns a conversation, `hi` unless it has messages."""
    return Chat(model=model, messages=messages or [Message(role=ROLE_USER, parts=[Part(text="hi")])], **fields)


def complete(stub, org, asked=None, *, key=None, metadata=(), timeout=20, **fields):
    """Starts a call of Complete; `fields` are those of the request."""
    request = pb.CompleteRequest(chat=asked or chat(), **fields)
    return stub.Complete(request, metadata=(("x-ingate-key", key or org.key), *metadata), timeout=timeout)


def stream(stub, org, asked=None, *, key=None, metadata=(), timeout=20, **fields):
    """Starts a call of StreamComplete."""
    request = pb.StreamCompleteRequest(chat=asked or chat(), **fields)
    return stub.StreamComplete(request, metadata=(("x-ingate-key", key or org.key), *metadata), timeout=timeout)


async def answered(stub, org, *, streamed, **options):
    """Waits for an answer, the events of it where it is streamed."""
    if streamed:
        return [event async for event in stream(stub, org, **options)]
    return await complete(stub, org, **options)


def refusal(error):
    """Returns the ErrorInfo, the fields and the seconds to wait of a failed call; None where it states no seconds."""
    found = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    info, fields, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    for detail in found.details:
        detail.Unpack(info)
        detail.Unpack(fields)
        detail.Unpack(retry)
    seconds = retry.retry_delay.ToMicroseconds() / 1e6 if retry.HasField("retry_delay") else None
    return info, [violation.field for violation in fields.field_violations], seconds


async def failure(awaitable):
    """Returns the error with which a call ends."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value
