"""Amounts of money: integer picodollars (1e-12 USD), for a millionth of a dollar per million tokens is still whole."""

from decimal import Decimal, InvalidOperation

PICO_PER_USD = 10**12
MAX_PICO = 2**63 - 1
"""The largest amount that a column holds."""


def to_usd(pico: int | None) -> str | None:
    """Returns an amount as plain decimal digits in dollars."""
    if pico is None:
        return None
    return f"{Decimal(pico).scaleb(-12).normalize():f}"


def to_pico(usd: str) -> int | None:
    """Returns an amount that somebody states in dollars, None when it is none, is negative or fits no column."""
    try:
        amount = Decimal(usd)
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= MAX_PICO // PICO_PER_USD:
        return None
    return int(amount.scaleb(12).to_integral_value())
