"""Requests for models that the gateway answers itself, from the listing of all that a key can reach.

They are those that no single provider could answer: for the models of several, and for one by a name that only the
gateway knows.
"""

import re
from collections.abc import Mapping, Sequence
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
from ingate.proxy.exchange import Attempt
from ingate.proxy.grants import Grant
from ingate.proxy.listing import Listing, Listings, Shown, reached
from ingate.proxy.plan import TYPES, Plan, vendor_of
from ingate.proxy.ports import Headers, Transport, UpstreamResponse
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


class Asked(Struct, frozen=True):
    """What is asked for: all models, or the one of this name; and in whose words."""

    vendor: Vendor
    model: str | None = None


class Answer(Struct, frozen=True):
    """An answer, the provider that it is about if it is one, and the header that names whose models are in it."""

    response: UpstreamResponse
    target: Target | None
    served_by: Headers


def asked(head: RequestHead, targets: Sequence[Target]) -> Asked | None:
    """Returns what a request asks for if it is for models, and no provider is known to be the one to answer it.

    The words of a vendor, but for OpenAI's, mean the vendor's provider where there is exactly one.
    """
    if head.method != "GET" or head.named is not None or len(targets) < 2:
        return None
    found = None
    if head.path not in PATHS and (found := _ONE.fullmatch(head.path)) is None:
        return None
    vendor = vendor_of(head.path, head.headers) or Vendor.OPENAI
    type = TYPES[vendor]
    own = [target for target in targets if target.type == type]
    single = own[0] if len(own) == 1 and vendor is not Vendor.OPENAI else None
    if found is None:
        return Asked(vendor) if single is None else None
    model = unquote(found[1])
    plan = reached(targets, vendor, model)
    if plan is not None:
        target = plan.target
        if target is single if plan.prefixed else target.type == type and not target.models:
            return None
    return Asked(vendor, model)


class Models:
    """Answers from listings."""

    def __init__(self, transports: Mapping[bool, Transport]) -> None:
        self._listings = Listings(transports)

    async def answer(self, asked: Asked, grant: Grant, attempts: list[Attempt]) -> Answer | None:
        """Returns the answer, None where a provider may know of a model that is not listed; notes what was tried.

        Raises NotFound for a model that there is not, ProviderFailed when no provider lists anything.
        """
        listing = await self._listings.listing(grant, asked.vendor, attempts)
        if asked.model is None:
            if not listing.owners:
                raise ProviderFailed("no provider lists its models")
            return Answer(_response(listing.body), None, _served_by(_joined(listing.owners)))
        plan = reached(grant.targets, asked.vendor, asked.model)
        shown = _shown(listing, asked.model, plan)
        if shown is not None:
            owner = next(target for target in grant.targets if target.name == shown.owner)
            return Answer(_response(shown.entry), owner, _served_by(shown.owner.encode()))
        if plan is not None and _may_be_known(asked, plan, listing):
            return None
        raise NotFound(f"no provider lists the model {asked.model[:_SHOWN]}", fields={"model": "is not listed"})


def _shown(listing: Listing, model: str, plan: Plan | None) -> Shown | None:
    """Returns what a listing shows of a model, by the name that it has there or behind that of its provider."""
    shown = listing.models.get(model)
    if shown is None and plan is not None and plan.prefixed:
        shown = listing.models.get(plan.model or "")
        return shown if shown is not None and shown.owner == plan.target.name else None
    return shown


def _may_be_known(asked: Asked, plan: Plan, listing: Listing) -> bool:
    """Tells whether a provider may know of a model that is not listed, or of something that belongs to one that is."""
    target = plan.target
    if target.name not in listing.whole:
        return True
    if not plan.prefixed and asked.vendor is Vendor.OPENAI and target.type in _OPENAIS:
        return True
    above = (asked.model or "").rpartition("/")[0]
    while above and _shown(listing, above, msgspec.structs.replace(plan, model=above.partition("/")[2])) is None:
        above = above.rpartition("/")[0]
    return bool(above)


def _response(body: bytes) -> UpstreamResponse:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return Response(None, 0.0, status=200, headers=headers, named=dict(headers), pieces=[body])


def _served_by(names: bytes) -> Headers:
    return [(b"x-ingate-served-by", names)]


def _joined(names: Sequence[str]) -> bytes:
    """Returns names as a header's value, and how many more there are than fit."""
    value = ", ".join(names).encode()
    if len(value) <= OWNERS_BYTES:
        return value
    value = value[:OWNERS_BYTES].rpartition(b", ")[0]
    return value + b", and %d more" % (len(names) - value.count(b", ") - 1)
