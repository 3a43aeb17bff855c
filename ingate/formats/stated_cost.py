"""The cost that a provider states in its own answer, whichever of the usual ways it is written. Knows no prices."""

from decimal import Decimal

import msgspec
from msgspec import Raw, Struct

from ingate.formats.shape import BROKEN, Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count
from ingate.pricing.usage import STATED_COST

TICKS_PER_USD = 10**10
"""xAI counts in ten-billionths of a dollar."""
_MAX_DIGITS = 40


class _Cost(Struct, gc=False):
    total_cost: Raw = Raw()


class _Parts(Struct, gc=False):
    upstream_inference_cost: Raw = Raw()


class Charge(Struct, gc=False):
    """What a usage report says of the cost, in the formats that several vendors speak."""

    cost: Raw = Raw()
    estimated_cost: Raw = Raw()  # DeepInfra
    cost_in_usd_ticks: Count | None = None  # xAI
    is_byok: bool | None = None  # OpenRouter
    cost_details: _Parts | None = None


_COST = Shape(_Cost)
_AMOUNT = msgspec.json.Decoder(Decimal)


def take_charge(tally: Tally, charge: Charge) -> None:
    """Takes the cost that is stated, if one is."""
    if charge.cost_in_usd_ticks is None and not charge.cost and not charge.estimated_cost:
        return
    stated = stated_cost(charge.cost or charge.estimated_cost, charge.cost_in_usd_ticks)
    if stated is not None and charge.is_byok and charge.cost_details is not None:
        # With a key of one's own, the cost is OpenRouter's fee alone: the provider of the model charges beside.
        beside = stated_cost(charge.cost_details.upstream_inference_cost, None)
        stated = f"{Decimal(stated) + Decimal(beside or 0):f}"
    tally.term(STATED_COST, stated)


def stated_cost(cost: Raw, ticks: int | None) -> str | None:
    """Returns dollars in plain digits, None when nothing usable is stated.

    `cost` is a number of dollars (OpenRouter) or an object with a total (Perplexity).
    """
    if ticks is not None:
        return f"{Decimal(ticks) / TICKS_PER_USD:f}"
    if bytes(cost).startswith(b"{"):
        parts = _COST.read(cost)
        cost = parts.total_cost if parts is not None else Raw()
    try:
        amount = _AMOUNT.decode(cost) if 0 < len(cost) <= _MAX_DIGITS else None
    except BROKEN:
        return None
    # Of an exponent, the digits are written out.
    return f"{amount:f}" if amount is not None and _fits(amount) else None


def _fits(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and amount >= 0 and abs(exponent) <= _MAX_DIGITS
