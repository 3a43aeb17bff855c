"""The models that a key can reach, of all its providers in one listing.

Each goes by the name that brings a request for it to the provider that has it. Knows no caller and records nothing.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI
from ingate.errors import BadRequest, ProviderFailed
from ingate.formats import Format, read_model_list, write_model_list
from ingate.providers.catalogue import KINDS
from ingate.proxy.exchange import Attempt
from ingate.proxy.headers import outbound
from ingate.proxy.plan import asked_of, join, plan, vendor
from ingate.proxy.ports import (
    BadResponse,
    Headers,
    IdleTimeout,
    OutboundRequest,
    Transport,
    UpstreamError,
    UpstreamResponse,
)
from ingate.proxy.request_head import RequestHead
from ingate.proxy.target import Target
from ingate.proxy.upstream.response import Response

PATHS = frozenset({"/models", "/v1/models"})
LONGEST = 10.0
"""Seconds that a provider has to list its models."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a provider's list."""
MOST = 1000
"""Models of one provider that are listed."""

Models = list[tuple[str, int]]
"""Names as their provider has them, and when each was made, in Unix time."""


def merges(head: RequestHead, targets: Sequence[Target]) -> bool:
    """Tells whether a request asks, in OpenAI's words, for the models of more than one provider."""
    return (
        head.method == "GET"
        and head.path in PATHS
        and head.named is None
        and len(targets) > 1
        and vendor(head.path, head.headers) == PROVIDER_TYPE_OPENAI
    )


async def listed(
    targets: Sequence[Target], transports: Mapping[bool, Transport], attempts: list[Attempt]
) -> tuple[UpstreamResponse, Headers]:
    """Returns the listing as an answer, and the header that names whose models are in it; notes what was tried.

    A provider that states its models is not asked. Nor is one that takes only the caller's own credential, for that is
    one provider's and must not be shown to all. Raises ProviderFailed when no provider lists anything.
    """
    found = await asyncio.gather(*(_models(target, transports[target.demo], attempts) for target in targets))
    lines: list[tuple[str, int, str]] = []
    for target, models in zip(targets, found, strict=True):
        lines += [(_name(targets, target, model), created, target.name) for model, created in models or ()]
        await asyncio.sleep(0)  # naming a thousand takes milliseconds, which others need not wait for again and again
    listing = [target.name for target, models in zip(targets, found, strict=True) if models is not None]
    if not listing:
        raise ProviderFailed("no provider lists its models")
    served_by = [(b"x-ingate-served-by", ", ".join(listing).encode())]
    body = write_model_list(lines)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return Response(None, 0.0, status=200, headers=headers, pieces=[body]), served_by


def question(target: Target) -> OutboundRequest:
    """Returns the request for a provider's list of models, or for its root where it is not known to have one."""
    models = KINDS[target.type].models
    path = asked_of(target, models, Format.OTHER) if models else join(target.prefix, "/")
    headers = outbound([(b"accept", b"application/json")], target)
    return OutboundRequest("GET", target.origin, path, headers, b"", target.timeouts)


async def _models(target: Target, transport: Transport, attempts: list[Attempt]) -> Models | None:
    """Returns a provider's models, None when it does not tell them."""
    if target.models:
        return [(model, 0) for model in sorted(target.models)]
    if target.passthrough or not KINDS[target.type].models:
        return None
    sent = time.perf_counter()
    attempt = Attempt(target.name, 0.0)
    attempts.append(attempt)
    try:
        attempt.status, models = await _ask(target, transport)
    except UpstreamError as error:
        attempt.error = error.code
        models = None
    attempt.seconds = time.perf_counter() - sent
    return models


async def _ask(target: Target, transport: Transport) -> tuple[int, Models | None]:
    """Returns the status and, if it tells of success, the models. Raises UpstreamError."""
    try:
        async with asyncio.timeout(LONGEST):
            response = await transport.send(question(target))
            try:
                body = await _body(response) if response.status == 200 else None
            finally:
                await response.aclose()
    except TimeoutError:
        raise IdleTimeout("the models were not listed in time") from None
    if body is None:
        return response.status, None
    models = read_model_list(body)
    if models is None:
        raise BadResponse("not a list of models")
    return response.status, models[:MOST]


async def _body(response: UpstreamResponse) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := await response.read():
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise BadResponse("the list of models is too long")
    return b"".join(pieces)


def _name(targets: Sequence[Target], target: Target, model: str) -> str:
    """Returns the name by which a chat reaches a model: its own where that leads to it, else after its provider's."""
    try:
        chosen = plan(targets, Format.OPENAI_CHAT, "/", model, headers=[], named=None)
    except BadRequest:
        chosen = None
    if chosen is not None and chosen.target is target and chosen.model == model:
        return model
    return f"{target.name}/{model}"
