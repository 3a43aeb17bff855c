"""The models that a key can reach, of all its providers in one listing.

Each goes by the name that brings a request for it to the provider that has it. A listing is remembered for who may
reach the same in the same way, and is no caller's own: nothing of a request goes into it. Records nothing.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from msgspec import Struct

from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI
from ingate.errors import BadRequest, ProviderFailed
from ingate.formats import Format, read_model_list, write_model_list
from ingate.providers.catalogue import KINDS
from ingate.proxy.exchange import Attempt
from ingate.proxy.grants import Grant
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
MOST_IN_ALL = 10_000
"""Models that are listed, of all providers."""
AT_ONCE = 16
"""Providers that are asked at a time for one listing."""
LONGEST_IN_ALL = 20.0
"""Seconds for all of them; whoever has had no turn by then is left out."""
REMEMBERED = 60.0
REMEMBERED_INCOMPLETE = 10.0
"""Seconds that a listing is remembered, and one that lacks a provider."""
REMEMBERED_BYTES = 32 * 1024 * 1024
NAMED_AT_ONCE = 25
"""Models that are named before other tasks have their turn: a millisecond where there are hundreds of providers."""
OWNERS_BYTES = 4000
"""Of the header that names the providers: clients take 8 KiB and less."""

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


class Listing(Struct, frozen=True):
    """A finished listing: the answer's body, whose models are in it, and until when it is remembered.

    `owners` is empty where no provider lists anything.
    """

    body: bytes
    owners: bytes
    until: float


class _Making(Struct, eq=False):
    """A listing being made, and how many wait for it."""

    task: "asyncio.Task[Listing]"
    waiting: int = 0


class Listings:
    """Listings by the policy of the grants that they are for, each made once for all who ask meanwhile."""

    def __init__(self, transports: Mapping[bool, Transport]) -> None:
        self._transports = transports
        self._made: OrderedDict[bytes, Listing] = OrderedDict()
        self._making: dict[bytes, _Making] = {}
        self._bytes = 0

    async def answer(self, grant: Grant, attempts: list[Attempt]) -> tuple[UpstreamResponse, Headers]:
        """Returns the listing as an answer, and the header that names whose models are in it; notes what was tried.

        A provider that states its models is not asked. Nor is one that takes only the caller's own credential, for
        that is one provider's and must not be shown to all. Raises ProviderFailed when no provider lists anything.
        """
        listing = self._made.get(grant.policy)
        if listing is None or time.monotonic() >= listing.until:
            listing = await self._join(grant, attempts)
        if not listing.owners:
            raise ProviderFailed("no provider lists its models")
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(listing.body))]
        answer = Response(None, 0.0, status=200, headers=headers, named=dict(headers), pieces=[listing.body])
        return answer, [(b"x-ingate-served-by", listing.owners)]

    async def _join(self, grant: Grant, attempts: list[Attempt]) -> Listing:
        making = self._making.get(grant.policy)
        if making is None:
            making = self._making[grant.policy] = _Making(asyncio.create_task(self._make(grant, attempts)))
        making.waiting += 1
        try:
            return await asyncio.shield(making.task)
        finally:
            making.waiting -= 1
            if not making.waiting:
                # Everybody has left, or has it.
                making.task.cancel()
                if self._making.get(grant.policy) is making:
                    del self._making[grant.policy]

    async def _make(self, grant: Grant, attempts: list[Attempt]) -> Listing:
        targets, room = grant.targets, asyncio.Semaphore(AT_ONCE)
        end = asyncio.get_running_loop().time() + LONGEST_IN_ALL

        async def ask(target: Target) -> Models | None:
            async with room:
                return await _models(target, self._transports[target.demo], attempts, end)

        found = await asyncio.gather(*map(ask, targets))
        lines: list[tuple[str, int, str]] = []
        for target, models in zip(targets, found, strict=True):
            shown = (models or [])[: MOST_IN_ALL - len(lines)]
            for start in range(0, len(shown), NAMED_AT_ONCE):
                some = shown[start : start + NAMED_AT_ONCE]
                lines += [(_name(targets, target, model), created, target.name) for model, created in some]
                await asyncio.sleep(0)
        owners = [target.name for target, models in zip(targets, found, strict=True) if models is not None]
        complete = len(owners) == sum(map(_tells, targets))
        until = time.monotonic() + (REMEMBERED if complete else REMEMBERED_INCOMPLETE)
        listing = Listing(write_model_list(lines) if owners else b"", _joined(owners), until)
        self._remember(grant.policy, listing)
        return listing

    def _remember(self, policy: bytes, listing: Listing) -> None:
        if (old := self._made.pop(policy, None)) is not None:
            self._bytes -= _size(old)
        self._made[policy] = listing
        self._bytes += _size(listing)
        while self._bytes > REMEMBERED_BYTES:
            self._bytes -= _size(self._made.popitem(last=False)[1])


def _joined(names: Sequence[str]) -> bytes:
    """Returns names as a header's value, and how many more there are than fit."""
    value = ", ".join(names).encode()
    if len(value) <= OWNERS_BYTES:
        return value
    value = value[:OWNERS_BYTES].rpartition(b", ")[0]
    return value + b", and %d more" % (len(names) - value.count(b", ") - 1)


def _size(listing: Listing) -> int:
    return 1024 + len(listing.body) + len(listing.owners)


def _tells(target: Target) -> bool:
    """Tells whether a provider's models can be known without a caller's own credential."""
    return bool(target.models) or (not target.passthrough and bool(KINDS[target.type].models))


def question(target: Target) -> OutboundRequest:
    """Returns the request for a provider's list of models, or for its root where it is not known to have one."""
    models = KINDS[target.type].models
    path = asked_of(target, models, Format.OTHER) if models else join(target.prefix, "/")
    headers = outbound([(b"accept", b"application/json")], target)
    return OutboundRequest("GET", target.account, path, headers, b"", target.timeouts)


async def _models(target: Target, transport: Transport, attempts: list[Attempt], end: float) -> Models | None:
    """Returns a provider's models, None when it does not tell them before the loop's time is `end`."""
    if target.models:
        return [(model, 0) for model in sorted(target.models)]
    now = asyncio.get_running_loop().time()
    if not _tells(target) or now >= end:
        return None
    sent = time.perf_counter()
    attempt = Attempt(target.name, 0.0)
    attempts.append(attempt)
    try:
        attempt.status, models = await _ask(target, transport, min(end, now + LONGEST))
    except UpstreamError as error:
        attempt.error = error.code
        models = None
    attempt.seconds = time.perf_counter() - sent
    return models


async def _ask(target: Target, transport: Transport, end: float) -> tuple[int, Models | None]:
    """Returns the status and, if it tells of success, the models. Raises UpstreamError."""
    try:
        async with asyncio.timeout_at(end):
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
