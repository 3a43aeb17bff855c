"""The models that a key can reach, of all its providers in one listing, in the words of a vendor.

Each goes by the name that brings a request for it to the provider that has it. A listing is remembered for who may
reach the same in the same way, and is no caller's own: nothing of a request goes into it. Records nothing.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct

from ingate.errors import BadRequest
from ingate.formats import CHAT_FORMATS, Format, Listed, Vendor, read_model_list, write_model, write_model_list
from ingate.provider_types import KINDS
from ingate.proxy.headers import outbound
from ingate.proxy.open_exchange import Attempt
from ingate.proxy.plan import Destination, asked_of, join, plan
from ingate.proxy.policies import Policy
from ingate.proxy.ports import (
    BadResponse,
    IdleTimeout,
    OutboundRequest,
    UpstreamError,
    UpstreamResponse,
)
from ingate.proxy.target import Target

PROVIDER_TIMEOUT = 10.0
"""Seconds that a provider has to list its models."""
LIST_BYTES = 4 * 1024 * 1024
"""Bytes of a provider's list."""
MODELS_PER_PROVIDER = 1000
"""Models of one provider that are listed."""
MODELS_PER_LISTING = 10_000
"""Models that are listed, of all providers."""
CONCURRENCY = 16
"""Providers that are asked at a time for one listing."""
LISTING_TIMEOUT = 20.0
"""Seconds for all of them; a provider that was not asked by then is left out."""
REMEMBERED = 60.0
REMEMBERED_INCOMPLETE = 10.0
"""Seconds that a listing is remembered, and one that lacks a provider."""
REMEMBERED_BYTES = 32 * 1024 * 1024
NAMED_AT_ONCE = 25
"""Models that are named before other tasks have their turn: a millisecond where there are hundreds of providers."""
_SHOWN_COST = 256  # bytes that a model costs beside what is said of it


class Shown(Struct, frozen=True):
    """A model of a listing: what is said of it, and the name of its provider."""

    entry: bytes
    owner: str


class Listing(Struct, frozen=True):
    """A finished listing: its models by the names that they go by, and until when it is remembered.

    `owners` names the providers whose models are in it, `whole` those of them that have no others.
    """

    models: dict[str, Shown]
    body: bytes
    owners: tuple[str, ...]
    whole: frozenset[str]
    until: float


_Key = tuple[bytes, Vendor]
"""For whom a listing is, by the fingerprint of a policy, and in whose words."""


class _Making(Struct, eq=False):
    """A listing being made, and how many wait for it."""

    task: "asyncio.Task[Listing]"
    waiting: int = 0


class Listings:
    """Listings by the policy that they are for, each made once for all who ask meanwhile."""

    def __init__(self) -> None:
        self._made: OrderedDict[_Key, Listing] = OrderedDict()
        self._making: dict[_Key, _Making] = {}
        self._bytes = 0

    async def listing(self, policy: Policy, caller: str, vendor: Vendor, attempts: list[Attempt]) -> Listing:
        """Returns the listing of what a policy lets reach; notes what was tried for `caller`, a key by its id.

        A provider that states its models is not asked. Nor is one that takes only the caller's own credential, for
        that is one provider's and must not be shown to all.
        """
        key = (policy.fingerprint, vendor)
        listing = self._made.get(key)
        if listing is None or time.monotonic() >= listing.until:
            listing = await self._join(key, policy, caller, attempts)
        return listing

    async def _join(self, key: _Key, policy: Policy, caller: str, attempts: list[Attempt]) -> Listing:
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = _Making(asyncio.create_task(self._make(key, policy, caller, attempts)))
        making.waiting += 1
        try:
            return await asyncio.shield(making.task)
        finally:
            making.waiting -= 1
            if not making.waiting:
                # Everybody has left, or has it.
                making.task.cancel()
                if self._making.get(key) is making:
                    del self._making[key]

    async def _make(self, key: _Key, policy: Policy, caller: str, attempts: list[Attempt]) -> Listing:
        targets, vendor, room = policy.targets, key[1], asyncio.Semaphore(CONCURRENCY)
        end = asyncio.get_running_loop().time() + LISTING_TIMEOUT

        async def ask(target: Target) -> list[Listed] | None:
            async with room:
                return await _models(target, caller, attempts, end)

        found = list(zip(targets, await asyncio.gather(*map(ask, targets)), strict=True))
        shown: dict[str, Shown] = {}
        whole = set()
        for target, models in found:
            some = (models or [])[: MODELS_PER_LISTING - len(shown)]
            for start in range(0, len(some), NAMED_AT_ONCE):
                for model in some[start : start + NAMED_AT_ONCE]:
                    name = _name(targets, target, model.id, vendor)
                    named = Listed(name, model.created, target.name, model.methods)
                    shown[name] = Shown(write_model(named, vendor), target.name)
                await asyncio.sleep(0)
            if models is not None and len(models) < MODELS_PER_PROVIDER and len(some) == len(models):
                whole.add(target.name)
        owners = tuple(target.name for target, models in found if models is not None)
        complete = len(owners) == sum(map(_tells, targets))
        until = time.monotonic() + (REMEMBERED if complete else REMEMBERED_INCOMPLETE)
        body = write_model_list({name: model.entry for name, model in shown.items()}, vendor)
        listing = Listing(shown, body, owners, frozenset(whole), until)
        self._remember(key, listing)
        return listing

    def _remember(self, key: _Key, listing: Listing) -> None:
        if (old := self._made.pop(key, None)) is not None:
            self._bytes -= _size(old)
        self._made[key] = listing
        self._bytes += _size(listing)
        while self._bytes > REMEMBERED_BYTES:
            self._bytes -= _size(self._made.popitem(last=False)[1])


def _size(listing: Listing) -> int:
    return 1024 + 2 * len(listing.body) + _SHOWN_COST * len(listing.models)


def _tells(target: Target) -> bool:
    """Tells whether a provider's models can be known without a caller's own credential."""
    return bool(target.models) or (not target.passthrough and bool(KINDS[target.type].models))


def question(target: Target, key: str = "") -> OutboundRequest:
    """Returns a key's request for a provider's list of models, or for its root where it is not known to have one."""
    models = KINDS[target.type].models
    path = asked_of(target, models, Format.OTHER) if models else join(target.prefix, "/")
    headers = outbound([(b"accept", b"application/json")], target)
    return OutboundRequest("GET", target.account, path, headers, b"", target.timeouts, key)


async def _models(target: Target, caller: str, attempts: list[Attempt], end: float) -> list[Listed] | None:
    """Returns a provider's models, None when it does not tell them before the loop's time is `end`."""
    if target.models:
        return [Listed(model) for model in sorted(target.models)]
    now = asyncio.get_running_loop().time()
    if not _tells(target) or now >= end:
        return None
    sent = time.perf_counter()
    attempt = Attempt(target.name, 0.0)
    attempts.append(attempt)
    try:
        attempt.status, models = await _ask(target, caller, min(end, now + PROVIDER_TIMEOUT))
    except UpstreamError as error:
        attempt.error = error.code
        models = None
    attempt.seconds = time.perf_counter() - sent
    return models


async def _ask(target: Target, caller: str, end: float) -> tuple[int, list[Listed] | None]:
    """Returns the status and, if it tells of success, the models. Raises UpstreamError."""
    try:
        async with asyncio.timeout_at(end):
            response = await target.transport.send(question(target, caller))
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
    return response.status, models[:MODELS_PER_PROVIDER]


async def _body(response: UpstreamResponse) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := await response.read():
        pieces.append(piece)
        size += len(piece)
        if size > LIST_BYTES:
            raise BadResponse("the list of models is too long")
    return b"".join(pieces)


def reached(targets: Sequence[Target], vendor: Vendor, model: str) -> Destination | None:
    """Returns where a call for a model goes in a vendor's format, None where it goes nowhere."""
    try:
        return plan(targets, CHAT_FORMATS[vendor], "/", model, headers=[], named=None)
    except BadRequest:
        return None


def _name(targets: Sequence[Target], target: Target, model: str, vendor: Vendor) -> str:
    """Returns the name by which a call reaches a model: its own where that leads to it, else after its provider's."""
    chosen = reached(targets, vendor, model)
    if chosen is not None and chosen.target is target and chosen.model == model:
        return model
    return f"{target.name}/{model}"
