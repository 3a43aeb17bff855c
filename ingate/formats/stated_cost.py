"""The cost that a provider states in its own answer, whichever of the usual ways it is written. Knows no prices."""

from decimal import Decimal, InvalidOperation

import msgspec
from msgspec import Raw, Struct

from ingate.formats.shape import BROKEN, Shape

TICKS_PER_USD = 10**10
"""xAI counts in ten-billionths of a dollar."""
_MAX_DIGITS = 40


class _Cost(Struct, gc=False):
    total_cost: Raw = Raw()


_COST = Shape(_Cost)


def stated_cost(cost: Raw, ticks: int | None) -> str | None:
    """Returns dollars in plain digits, None when nothing usable is stated.

    `cost` is a number of dollars (OpenRouter) or an object with a total (Perplexity).
    """
    if ticks is not None:
        return f"{Decimal(ticks) / TICKS_PER_USD:f}"
    if bytes(cost[:1]) == b"{":
        parts = _COST.read(cost)
        cost = parts.total_cost if parts is not None else Raw()
    try:
        amount = Decimal(str(msgspec.json.decode(cost, type=Decimal | str))) if 0 < len(cost) <= _MAX_DIGITS else None
    except (*BROKEN, InvalidOperation):
        return None
    return f"{amount:f}" if amount is not None and amount.is_finite() and amount >= 0 else None
