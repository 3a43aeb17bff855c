"""Requests for models that the gateway answers itself, from the listing of all that a key can reach.

They are those that no single provider could answer: for the models of several, and for one by a name that only the
gateway knows.
"""

import re
from collections.abc import Sequence
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from gen.ingate.providers.v1.provider_pb2 import (
    PROVIDER_TYPE_AZURE_OPENAI,
    PROVIDER_TYPE_OLLAMA,
    PROVIDER_TYPE_OPENAI,
    PROVIDER_TYPE_OPENAI_COMPATIBLE,
)
from ingate.errors import NotFound, ProviderFailed
from ingate.formats import Vendor
from ingate.proxy.answer import Answer, opened
from ingate.proxy.listing import Listing, Listings, Shown, reached
from ingate.proxy.masking import joined
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.plan import TYPES, Destination, vendor_of
from ingate.proxy.request_head import RequestHead
from ingate.proxy.target import Target
from ingate.proxy.upstream.response import Response

PATHS = frozenset({"/api/tags", "/models", "/v1/models", "/v1beta/models"})
OWNERS_BYTES = 4000
"""Of the header that names the providers: clients take 8 KiB and less."""

_SHOWN = 200  # characters of a name that an error quotes
_ONE = re.compile(r"(?:/v1|/v1beta)?/models/(.+)")
_OPENAIS = frozenset(
    {PROVIDER_TYPE_OPENAI, PROVIDER_TYPE_OPENAI_COMPATIBLE, PROVIDER_TYPE_AZURE_OPENAI, PROVIDER_TYPE_OLLAMA}
)
"""Types that describe a model as OpenAI does."""


class Question(Struct, frozen=True):
    """What is asked for: all models, or the one of this name; and in whose words."""

    vendor: Vendor
    model: str | None = None


def asked(head: RequestHead, targets: Sequence[Target]) -> Question | None:
    """Returns what a request asks for if it is for models, and no provider is known to be the one to answer it.

    The words of a vendor, but for OpenAI's, mean the vendor's provider where there is exactly one.
    """
    if head.method not in {"GET", "HEAD"} or head.named is not None or len(targets) < 2:
        return None
    found = None
    if head.path not in PATHS and (found := _ONE.fullmatch(head.path)) is None:
        return None
    vendor = vendor_of(head.path, head.headers) or Vendor.OPENAI
    type = TYPES[vendor]
    own = [target for target in targets if target.type == type]
    single = own[0] if len(own) == 1 and vendor is not Vendor.OPENAI else None
    if found is None:
        return Question(vendor) if single is None else None
    model = unquote(found[1])
    chosen = reached(targets, vendor, model)
    if chosen is not None:
        target = chosen.target
        if target is single if chosen.prefixed else target.type == type and not target.models:
            return None
    return Question(vendor, model)


class Models:
    """Answers from listings."""

    def __init__(self) -> None:
        self._listings = Listings()

    def question(self, exchange: OpenExchange) -> Question | None:
        """Returns what an exchange asks for, None where it is not for the gateway to answer."""
        return asked(exchange.head, exchange.policy.targets) if exchange.policy is not None else None

    async def answer(self, question: Question, exchange: OpenExchange) -> Answer | None:
        """Returns the answer, None where a provider may know of a model that is not listed.

        Raises NotFound for a model that there is not, ProviderFailed when no provider lists anything.
        """
        policy = exchange.policy
        if policy is None:
            return None
        exchange.mask = joined(target.mask for target in policy.targets)
        listing = await self._listings.listing(policy, exchange.grant.key_id, question.vendor, exchange.attempts)
        if question.model is None:
            if not listing.owners:
                raise ProviderFailed("no provider lists its models")
            return await _answer(exchange, listing.body, _joined(listing.owners))
        chosen = reached(policy.targets, question.vendor, question.model)
        shown = _shown(listing, question.model, chosen)
        if shown is not None:
            exchange.target = next(target for target in policy.targets if target.name == shown.owner)
            return await _answer(exchange, shown.entry, shown.owner.encode())
        if chosen is not None and _may_be_known(question, chosen, listing):
            return None
        raise NotFound(f"no provider lists the model {question.model[:_SHOWN]}", fields={"model": "is not listed"})


async def _answer(exchange: OpenExchange, body: bytes, served_by: bytes) -> Answer:
    """Returns an answer of the gateway's own."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    response = Response(None, 0.0, status=200, headers=headers, named=dict(headers), pieces=[body])
    return await opened(exchange, response, [(b"x-ingate-served-by", served_by)], _at_once)


def _at_once() -> None:
    """Nothing is waited for: all of the answer is here."""


def _shown(listing: Listing, model: str, chosen: Destination | None) -> Shown | None:
    """Returns what a listing shows of a model, by the name that it has there or behind that of its provider."""
    shown = listing.models.get(model)
    if shown is None and chosen is not None and chosen.prefixed:
        shown = listing.models.get(chosen.model or "")
        return shown if shown is not None and shown.owner == chosen.target.name else None
    return shown


def _may_be_known(question: Question, chosen: Destination, listing: Listing) -> bool:
    """Tells whether a provider may know of a model that is not listed, or of something that belongs to one that is."""
    target = chosen.target
    if target.name not in listing.whole:
        return True
    if not chosen.prefixed and question.vendor is Vendor.OPENAI and target.type in _OPENAIS:
        return True
    above = (question.model or "").rpartition("/")[0]
    while above and _shown(listing, above, msgspec.structs.replace(chosen, model=above.partition("/")[2])) is None:
        above = above.rpartition("/")[0]
    return bool(above)


def _joined(names: Sequence[str]) -> bytes:
    """Returns names as a header's value, and how many more there are than fit."""
    value = ", ".join(names).encode()
    if len(value) <= OWNERS_BYTES:
        return value
    value = value[:OWNERS_BYTES].rpartition(b", ")[0]
    return value + b", and %d more" % (len(names) - value.count(b", ") - 1)
