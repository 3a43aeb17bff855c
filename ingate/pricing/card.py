"""One model's prices, compiled: what each unit costs, and which units are part of which.

Units form a hierarchy by their dimensions: `cache_audio_read_tokens` are part of `cache_read_tokens`, of
`input_audio_tokens` and of `input_tokens`. A unit with a price of its own is taken out of what it is part of; the rest
has the price of the whole. The list's own arithmetic says the same and takes a quarter of a millisecond an answer.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from ingate.pricing.money import PICO_PER_USD
from ingate.pricing.usage import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices
    from genai_prices.units import UnitDef

REQUESTS = "requests"
INPUT = "input_tokens"

Rate = int | Fraction
"""Picodollars of one unit."""


class Line(Struct, frozen=True, gc=False):
    """A priced unit. `inside` are the places of the lines that are part of it, all of them before its own.

    `tiers` are thresholds, ascending, with the rate of every unit once the whole prompt has more tokens than that.
    """

    unit: str
    inside: tuple[int, ...]
    rate: Rate
    tiers: tuple[tuple[int, Rate], ...]

    def at(self, prompt: int) -> Rate:
        """Returns the rate for a prompt of so many tokens."""
        rate = self.rate
        for start, higher in self.tiers:
            if prompt > start:
                rate = higher
        return rate


class Card(Struct, frozen=True, gc=False):
    """The prices of a model: lines, the most specific first, and picodollars of each request.

    `priced` are all units that have a price, by themselves or as part of another. `flat` are the rates of the five
    buckets of a `Usage`, where nothing but these makes the price: neither a fee, nor the length of the prompt. `owner`
    is the provider of the list that they are prices of. `unmet` says of which term of the call, if any, the model has
    no price, so that these are the usual ones.
    """

    lines: tuple[Line, ...]
    fee: int
    priced: frozenset[str]
    flat: tuple[int, int, int, int, int] | None = None
    unmet: str | None = None
    owner: str = ""

    def cost(self, counts: Mapping[str, int]) -> int | None:
        """Returns picodollars, None where the counts contradict one another: a part that is more than the whole.

        `counts` are inclusive: `input_tokens` has every token of the prompt.
        """
        own: list[int] = []
        total: Rate = self.fee
        prompt = counts.get(INPUT, 0)
        for line in self.lines:
            count = counts.get(line.unit, 0)
            for place in line.inside:
                count -= own[place]
            if count < 0:
                return None
            own.append(count)
            if count:
                total += count * line.at(prompt)
        return total if isinstance(total, int) else round(total)


def card(prices: "ModelPrice", units: Mapping[str, "UnitDef"]) -> Card:
    """Returns the card of a model's prices; `units` are those of the list, by name."""
    by_key = {unit.price_key: unit for unit in units.values()}
    stated = [(by_key[key], price) for key, price in vars(prices).items() if price is not None and key in by_key]
    fee = next((price for unit, price in stated if unit.usage_key == REQUESTS), None)
    listed = sorted(
        ((unit, price) for unit, price in stated if unit.usage_key != REQUESTS),
        key=lambda pair: (-len(pair[0].dimensions), pair[0].usage_key),
    )
    lines: list[Line] = []
    for unit, price in listed:
        inside = tuple(place for place, (part, _) in enumerate(listed[: len(lines)]) if _part_of(part, unit))
        lines.append(Line(unit.usage_key, inside, *_rates(price, unit.per)))
    priced = {name for name, unit in units.items() if any(_part_of(unit, whole) for whole, _ in listed)}
    if priced & TOKENS:
        # A model that is paid by its input alone gives its output away.
        priced |= TOKENS
    made = Card(tuple(lines), int(_rates(fee, units[REQUESTS].per)[0]) if fee is not None else 0, frozenset(priced))
    return msgspec.structs.replace(made, flat=_flat(made))


def inclusive(usage: Usage) -> dict[str, int]:
    """Returns counts as the list has them: the whole prompt, the whole output, and parts of both."""
    read, written, reasoning = usage.cache_read or 0, usage.cache_write or 0, usage.reasoning or 0
    return {
        "input_tokens": (usage.input or 0) + read + written,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": (usage.output or 0) + reasoning,
        "output_reasoning_tokens": reasoning,
    }


TOKENS = frozenset(inclusive(Usage()))
"""The counts that the buckets of a `Usage` make."""


def _flat(card: Card) -> tuple[int, int, int, int, int] | None:
    if card.fee or not card.priced.issuperset(inclusive(Usage())):
        return None
    if any(line.tiers or not isinstance(line.rate, int) for line in card.lines):
        return None
    rates = [card.cost(inclusive(Usage(**{name: 1}))) for name in Usage.__struct_fields__]
    return (rates[0] or 0, rates[1] or 0, rates[2] or 0, rates[3] or 0, rates[4] or 0)


def _part_of(part: "UnitDef", whole: "UnitDef") -> bool:
    return whole.dimensions.items() <= part.dimensions.items()


def _rates(price: "Decimal | TieredPrices", per: int) -> tuple[Rate, tuple[tuple[int, Rate], ...]]:
    if isinstance(price, Decimal):
        return _rate(price, per), ()
    return _rate(price.base, per), tuple((tier.start, _rate(tier.price, per)) for tier in price.tiers)


def _rate(price: Decimal, per: int) -> Rate:
    exact = Fraction(price) * PICO_PER_USD / per
    return exact.numerator if exact.denominator == 1 else exact
