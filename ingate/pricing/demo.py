"""What the demo model would cost: a price like a small vendor model's, so that records show what records show.

Nobody pays it, and no real price is near it: whoever adds costs up tells them apart by their source.
"""

from ingate.pricing.usage import Usage

PROVIDER = "demo"
"""The demo model's name where others have the name of a price list's provider."""

INPUT, CACHE_READ, CACHE_WRITE, OUTPUT = 1_000_000, 100_000, 1_250_000, 4_000_000
"""Picodollars of a token: 1, 0.10, 1.25 and 4 dollars a million. Thoughts are output."""


def cost(usage: Usage) -> int:
    """Returns picodollars."""
    return (
        INPUT * (usage.input or 0)
        + CACHE_READ * (usage.cache_read or 0)
        + CACHE_WRITE * (usage.cache_write or 0)
        + OUTPUT * ((usage.output or 0) + (usage.reasoning or 0))
    )
