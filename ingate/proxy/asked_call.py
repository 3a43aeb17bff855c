"""What a request asks for, and its body as a provider is to get it."""

from ingate.errors import BadRequest
from ingate.formats import (
    JUDGED,
    LARGE,
    Body,
    Call,
    Format,
    LargeCall,
    MalformedBody,
    Whole,
    asking,
    asking_large,
    named_model,
    naming_other,
    path_model,
    read_call,
    reading_call,
    renaming,
    rewrite_model,
    taking_out,
)
from ingate.pacing import paced
from ingate.proxy.plan import Destination
from ingate.proxy.request_head import DELETING, RequestHead

_AT_THE_TOP = JUDGED - {Format.GEMINI}
"""Formats whose bodies are JSON objects that name a model once, as a member."""


async def asked_call(head: RequestHead, body: Whole) -> Call:
    """Returns what a request asks for. Raises BadRequest for a body that cannot be read.

    Only a POST has it in its body, and what deletes a model of Ollama's. A large body is read while others have their
    turn, and so is one that may be a form.
    """
    if head.compressed or (head.method != "POST" and (head.method, head.path) != DELETING):
        return Call(path_model(head.format, head.path) or named_model(head.path))
    try:
        if head.format not in JUDGED:
            in_path = named_model(head.path) if head.format is Format.OTHER else path_model(head.format, head.path)
            return Call(in_path or await paced(naming_other(body, head.boundary, head.path)))
        if len(body) <= LARGE:
            return read_call(head.format, head.path, bytes(body))
        return await paced(reading_call(head.format, head.path, body))
    except MalformedBody as error:
        raise _unreadable(error) from None


async def unprefixed(head: RequestHead, body: Whole, destination: Destination) -> Body:
    """Returns the body of a request as a provider gets it that the request names before the model."""
    model = destination.model
    if not body or head.compressed or model is None:
        return body
    try:
        if head.format not in _AT_THE_TOP:
            return await paced(taking_out(body, destination.target.name, head.boundary, head.path))
        if len(body) <= LARGE:
            return rewrite_model(bytes(body), model)
        return await paced(renaming(body, model))
    except MalformedBody as error:
        raise _unreadable(error) from None


async def with_usage(head: RequestHead, body: Whole, call: Call, destination: Destination) -> Body | None:
    """Returns the body that asks for the usage of a stream as well, None where it asks already or cannot."""
    asked = asking_large(body, call) if isinstance(call, LargeCall) else asking(bytes(body))
    return await unprefixed(head, asked, destination) if asked is not None and destination.prefixed else asked


def _unreadable(error: MalformedBody) -> BadRequest:
    return BadRequest(str(error), fields={"body": str(error)})
