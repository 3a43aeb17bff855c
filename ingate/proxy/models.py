"""Requests for models that the gateway answers itself, from the listing of all that a key can reach.

They are those that no single provider could answer: for the models of several, and for one by a name that only the
gateway knows.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from gen.ingate.providers.v1.provider_pb2 import (
    PROVIDER_TYPE_ANTHROPIC,
    PROVIDER_TYPE_AZURE_OPENAI,
    PROVIDER_TYPE_GEMINI,
    PROVIDER_TYPE_OLLAMA,
    PROVIDER_TYPE_OPENAI,
    PROVIDER_TYPE_OPENAI_COMPATIBLE,
)
from ingate.errors import BadRequest, ProviderFailed
from ingate.formats import Words, write_no_model
from ingate.proxy.exchange import Attempt
from ingate.proxy.grants import Grant
from ingate.proxy.listing import SPOKEN, Listing, Listings, Shown
from ingate.proxy.plan import Plan, plan, vendor
from ingate.proxy.ports import Headers, Transport, UpstreamResponse
from ingate.proxy.request_head import RequestHead
from ingate.proxy.target import Target
from ingate.proxy.upstream.response import Response

PATHS = frozenset({"/api/tags", "/models", "/v1/models", "/v1beta/models"})
OWNERS_BYTES = 4000
"""Of the header that names the providers: clients take 8 KiB and less."""

_ONE = re.compile(r"(?:/v1|/v1beta)?/models/(.+)")
_WORDS: dict[int, Words] = {
    PROVIDER_TYPE_OPENAI: Words.OPENAI,
    PROVIDER_TYPE_ANTHROPIC: Words.ANTHROPIC,
    PROVIDER_TYPE_GEMINI: Words.GEMINI,
    PROVIDER_TYPE_OLLAMA: Words.OLLAMA,
}
_OPENAIS = frozenset(
    {PROVIDER_TYPE_OPENAI, PROVIDER_TYPE_OPENAI_COMPATIBLE, PROVIDER_TYPE_AZURE_OPENAI, PROVIDER_TYPE_OLLAMA}
)
"""Types that describe a model as OpenAI does."""


class Asked(Struct, frozen=True):
    """What is asked for: all models, or the one of this name; and whose words the answer is to be in."""

    words: Words
    model: str | None = None


class Answer(Struct, frozen=True):
    """An answer, the provider that it is about if it is one, and the header that names whose models are in it."""

    response: UpstreamResponse
    target: Target | None
    served_by: Headers


def asked(head: RequestHead, targets: Sequence[Target]) -> Asked | None:
    """Returns what a request asks for if it is for models, and no provider is known to be the one to answer it.

    A vendor's own words, but for OpenAI's, mean the vendor's provider where there is exactly one.
    """
    if head.method != "GET" or head.named is not None or len(targets) < 2:
        return None
    found = None
    if head.path not in PATHS and (found := _ONE.fullmatch(head.path)) is None:
        return None
    type = vendor(head.path, head.headers)
    words = _WORDS[type]
    own = [target for target in targets if target.type == type]
    single = own[0] if len(own) == 1 and words is not Words.OPENAI else None
    if found is None:
        return Asked(words) if single is None else None
    model = unquote(found[1])
    reached = _reached(targets, words, model)
    if reached is not None:
        target = reached.target
        if target is single if reached.prefixed else target.type == type and not target.models:
            return None
    return Asked(words, model)


class Models:
    """Answers from listings."""

    def __init__(self, transports: Mapping[bool, Transport]) -> None:
        self._listings = Listings(transports)

    async def answer(self, asked: Asked, grant: Grant, attempts: list[Attempt]) -> Answer | None:
        """Returns the answer, None where a provider may know of a model that is not listed; notes what was tried.

        Raises ProviderFailed when no provider lists anything.
        """
        listing = await self._listings.listing(grant, asked.words, attempts)
        if asked.model is None:
            if not listing.owners:
                raise ProviderFailed("no provider lists its models")
            return Answer(_response(HTTPStatus.OK, listing.body), None, _served_by(_joined(listing.owners)))
        reached = _reached(grant.targets, asked.words, asked.model)
        shown = _shown(listing, asked.model, reached)
        if shown is not None:
            owner = next(target for target in grant.targets if target.name == shown.owner)
            return Answer(_response(HTTPStatus.OK, shown.entry), owner, _served_by(shown.owner.encode()))
        if reached is not None and _may_be_known(asked, reached, listing):
            return None
        return Answer(_response(HTTPStatus.NOT_FOUND, write_no_model(asked.model, asked.words)), None, [])


def _reached(targets: Sequence[Target], words: Words, model: str) -> Plan | None:
    """Returns where a call for a model goes, None where it goes nowhere."""
    try:
        return plan(targets, SPOKEN[words], "/", model, headers=[], named=None)
    except BadRequest:
        return None


def _shown(listing: Listing, model: str, reached: Plan | None) -> Shown | None:
    """Returns what a listing shows of a model, by the name that it has there or behind that of its provider."""
    shown = listing.models.get(model)
    if shown is None and reached is not None and reached.prefixed:
        shown = listing.models.get(reached.model or "")
        return shown if shown is not None and shown.owner == reached.target.name else None
    return shown


def _may_be_known(asked: Asked, reached: Plan, listing: Listing) -> bool:
    """Tells whether a provider may know of a model that is not listed, or of something that belongs to one that is."""
    target = reached.target
    if target.name not in listing.whole:
        return True
    if not reached.prefixed and asked.words is Words.OPENAI and target.type in _OPENAIS:
        return True
    above = (asked.model or "").rpartition("/")[0]
    while above and _shown(listing, above, msgspec.structs.replace(reached, model=above.partition("/")[2])) is None:
        above = above.rpartition("/")[0]
    return bool(above)


def _response(status: int, body: bytes) -> UpstreamResponse:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return Response(None, 0.0, status=status, headers=headers, named=dict(headers), pieces=[body])


def _served_by(names: bytes) -> Headers:
    return [(b"x-ingate-served-by", names)]


def _joined(names: Sequence[str]) -> bytes:
    """Returns names as a header's value, and how many more there are than fit."""
    value = ", ".join(names).encode()
    if len(value) <= OWNERS_BYTES:
        return value
    value = value[:OWNERS_BYTES].rpartition(b", ")[0]
    return value + b", and %d more" % (len(names) - value.count(b", ") - 1)
