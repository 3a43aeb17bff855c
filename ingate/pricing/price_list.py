"""The bundled price list: the card of a model at a moment, remembered. Loaded when it is first asked."""

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

    `provider` is a provider id of the list, or a base URL to find it by. `slot` counts SLOTs since the epoch.
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
        made = structs.replace(made, unmet=_unmet(owner, info, context)) if context else made
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

    by_url = "://" in provider
    try:
        return get_snapshot().find_provider_model(
            model, None, None if by_url else provider, provider if by_url else None
        )
    except LookupError:
        return None
