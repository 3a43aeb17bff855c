"""What an exchange costs, exactly, from the bundled price list. Knows no database.

Amounts are integer picodollars (1e-12 USD): a price of one millionth of a dollar per million tokens is still whole.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

import structlog

from ingate import clock
from ingate.formats import Usage

if TYPE_CHECKING:
    from genai_prices import types

PICO_PER_USD = 10**12
FREE_PROVIDER = "demo"
PROBE = 1_000_000
SLOT = 15 * clock.MINUTE
"""Prices change on the quarter hour at most, so what was found once holds for the rest of it."""
TOKEN_PRICES = frozenset({"input_mtok", "output_mtok"})
CACHED_PRICES = 4096
UNSTATED = Usage()

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rates:
    """Picodollars per token of each disjoint bucket."""

    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int


def cost(provider: str, model: str, usage: Usage, at: int) -> int | None:
    """Returns the cost in picodollars, or None when the tokens or their price are unknown.

    `provider` is a price list's provider id, or a base URL to find it by. `at` is in microseconds, for dated prices.
    """
    if usage == UNSTATED:
        return None
    if provider == FREE_PROVIDER:
        return 0
    rates = _rates(provider, model, at // SLOT)
    if rates is None:
        return None
    if isinstance(rates, Rates):
        return (
            rates.input * (usage.input or 0)
            + rates.cache_read * (usage.cache_read or 0)
            + rates.cache_write * (usage.cache_write or 0)
            + rates.output * (usage.output or 0)
            + rates.reasoning * (usage.reasoning or 0)
        )
    return _listed(provider, model, usage, at // SLOT)


def to_usd(pico: int | None) -> str | None:
    """Returns an amount as plain decimal digits in dollars."""
    if pico is None:
        return None
    return f"{Decimal(pico).scaleb(-12).normalize():f}"


def load() -> None:
    """Loads the price list, which takes half a second once in a process."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 -- see _rates

    get_snapshot()


@lru_cache(CACHED_PRICES)
def _rates(provider: str, model: str, slot: int) -> Rates | bool | None:
    """Returns the rates in force, True where tokens alone do not make the price, None where tokens have none."""
    from genai_prices.types import TieredPrices  # noqa: PLC0415 -- the list takes half a second to load

    found = _find(provider, model)
    prices = {} if found is None else vars(found[1].get_prices(_moment(slot)))
    prices = {name: price for name, price in prices.items() if price is not None}
    if not prices.keys() & TOKEN_PRICES:
        # Once a slot for each model, since the answer is remembered; callers see a cost of null.
        log.warning("price_unknown", provider=provider, model=model)
        return None
    # A price that grows with the prompt, or a fee for each request.
    if any(isinstance(price, TieredPrices) for price in prices.values()) or _listed(provider, model, UNSTATED, slot):
        return True
    probes = [Usage(**{name: PROBE}) for name in Rates.__slots__]
    amounts = [_listed(provider, model, probe, slot) for probe in probes]
    if any(amount is None or amount % PROBE for amount in amounts):
        return True
    return Rates(*(amount // PROBE for amount in amounts if amount is not None))


def _listed(provider: str, model: str, usage: Usage, slot: int) -> int | None:
    """Returns what the price list itself computes."""
    from genai_prices import Usage as Counts  # noqa: PLC0415 -- see _rates

    found = _find(provider, model)
    if found is None:
        return None
    owner, info = found
    cached = (usage.cache_read or 0) + (usage.cache_write or 0)
    counts = Counts(
        input_tokens=(usage.input or 0) + cached,
        cache_read_tokens=usage.cache_read or 0,
        cache_write_tokens=usage.cache_write or 0,
        output_tokens=(usage.output or 0) + (usage.reasoning or 0),
        output_reasoning_tokens=usage.reasoning or 0,
    )
    price = info.calc_price(counts, owner, genai_request_timestamp=_moment(slot))
    return int((price.total_price * PICO_PER_USD).to_integral_value())


def _find(provider: str, model: str) -> "tuple[types.Provider, types.ModelInfo] | None":
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 -- see _rates

    by_url = "://" in provider
    try:
        return get_snapshot().find_provider_model(
            model, None, None if by_url else provider, provider if by_url else None
        )
    except LookupError:
        return None


def _moment(slot: int) -> datetime:
    return datetime.fromtimestamp(slot * SLOT // clock.SECOND, UTC)
