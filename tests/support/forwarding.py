"""Calls of ProxyService.Forward, and reading what comes back."""

import json

from google.rpc import error_details_pb2, status_pb2

from gen.ingate.proxy.v1 import proxy_service_pb2 as pb

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


def forward(stub, org, body=ASK, *, method="POST", target=CHAT, headers=(), key=None, metadata=()):
    """Starts a call; `headers` are pairs of text."""
    return stub.Forward(
        pb.ForwardRequest(
            method=method,
            target=target,
            headers=[pb.Header(name=name, value=value) for name, value in headers],
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        ),
        metadata=(("x-ingate-key", key or org.key), *metadata),
        timeout=20,
    )


async def collected(call):
    """Returns the head, the body and whether the answer is complete."""
    events = [event async for event in call]
    assert events[0].WhichOneof("event") == "started"
    complete = events[-1].WhichOneof("event") == "ended" and events[-1].ended.complete
    return events[0].started, b"".join(event.chunk for event in events), complete


def refused(error):
    """Returns reason and fields of a failed call."""
    found = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    info, fields = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in found.details:
        detail.Unpack(info)
        detail.Unpack(fields)
    return info.reason, [violation.field for violation in fields.field_violations]
