"""Which model a request asks for, and its body without the provider's name before it."""

from ingate.errors import BadRequest
from ingate.formats import (
    JUDGED,
    LARGE,
    Body,
    Format,
    MalformedBody,
    named_model,
    naming,
    naming_other,
    path_model,
    read_model,
    renaming,
    rewrite_model,
    taking_out,
)
from ingate.pacing import paced
from ingate.proxy.plan import Plan
from ingate.proxy.request_head import RequestHead

_AT_THE_TOP = JUDGED - {Format.GEMINI}
"""Formats whose bodies are JSON objects that name a model once, as a member."""


async def asked_model(head: RequestHead, body: bytes) -> str | None:
    """Returns the model that a request names, None when it names none. Raises BadRequest for what cannot be read.

    Only a POST has it in its body. A large body is read while others have their turn, and so is one that may be a form.
    """
    if head.method != "POST" or head.compressed:
        return path_model(head.format, head.path) or named_model(head.path)
    if head.format not in JUDGED:
        in_path = named_model(head.path) if head.format is Format.OTHER else path_model(head.format, head.path)
        return in_path or await paced(naming_other(body, head.boundary))
    try:
        if len(body) <= LARGE:
            return read_model(head.format, head.path, body)
        return await paced(naming(head.format, head.path, body))
    except MalformedBody as error:
        raise _unreadable(error) from None


async def unprefixed(head: RequestHead, body: bytes, plan: Plan) -> Body:
    """Returns the body of a request as a provider gets it that the request names before the model."""
    model = plan.model
    if not body or head.compressed or model is None:
        return body
    if head.format not in _AT_THE_TOP:
        return await paced(taking_out(body, plan.target.name, head.boundary))
    try:
        return rewrite_model(body, model) if len(body) <= LARGE else await paced(renaming(body, model))
    except MalformedBody as error:
        raise _unreadable(error) from None


def _unreadable(error: MalformedBody) -> BadRequest:
    return BadRequest(str(error), fields={"body": str(error)})
