"""The bundled price list: the card of a model at a moment, remembered. Loaded when it is first asked."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import structlog
from msgspec import structs

from ingate import clock
from ingate.pricing.card import Card, card

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

SLOT = 15 * clock.MINUTE
"""Prices change on the quarter hour at most, so what was found once holds for the rest of it."""
REMEMBERED = 4096

Terms = tuple[tuple[str, str], ...]
"""On what terms a call was made, such as `service_tier` and `flex`: names and values of the list's own."""

log = structlog.get_logger(__name__)


@lru_cache(REMEMBERED)
def card_of(provider: str, model: str, slot: int, terms: Terms = ()) -> Card | None:
    """Returns the prices in force, None for a model that has none.

    `provider` is a provider id of the list, a base URL to find it by, or both with a blank between: then the id counts
    where the list knows no provider at the URL. `slot` counts SLOTs since the epoch.
    """
    from genai_prices.units import _get_registry  # noqa: PLC0415 -- the list takes half a second to load

    found = _find(provider, model)
    made = None
    if found is not None:
        owner, info = found
        # As the list has it: a model that is sold by another provider has that provider's terms, which are not known.
        context = dict(terms) if any(info is own for own in owner.models) else None
        made = card(
            info.get_prices(datetime.fromtimestamp(slot * SLOT // clock.SECOND, UTC), context), _get_registry().units
        )
        made = structs.replace(made, owner=owner.id, unmet=_unmet(owner, info, context) if context else None)
    if made is None or not (made.lines or made.fee):
        # Once a slot for each model, since the answer is remembered; callers see a cost of null.
        log.warning("price_unknown", provider=provider, model=model)
        return None
    return made


def _unmet(owner: "Provider", info: "ModelInfo", context: Mapping[str, str]) -> str | None:
    """Returns a term for which other models of the provider have a price of their own, and this one has none."""
    own = {term for variant in info.price_variants or () for term in variant.when.items()}
    others = {term for model in owner.models for variant in model.price_variants or () for term in variant.when.items()}
    unmet = sorted((others - own) & context.items())
    return f"no price of this model is known for {unmet[0][0]} {unmet[0][1]}: the usual one is taken" if unmet else None


def load() -> None:
    """Loads the price list, which takes half a second once in a process."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 -- see card_of

    get_snapshot()


def _find(provider: str, model: str) -> "tuple[Provider, ModelInfo] | None":
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 -- see card_of

    owner = _owner(provider)
    # Not by the list's own search, which remembers every name that callers make up.
    found = owner.find_model(model.lower(), all_providers=get_snapshot().providers) if owner is not None else None
    return None if owner is None or found is None else (owner, found)


@lru_cache(REMEMBERED)
def _owner(provider: str) -> "Provider | None":
    """Returns whose prices apply: the first that is found of a base URL, and of an id before it."""
    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot  # noqa: PLC0415 -- see card_of

    listed = get_snapshot().providers
    for name in reversed(provider.split(" ")):
        if "://" in name:
            found = next((each for each in listed if re.match(each.api_pattern, name)), None)
        else:
            found = find_provider_by_id(listed, name)
        if found is not None:
            return found
    return None
