"""What an exchange costs: the units that are priced, the price list, the sum. Pure."""

from ingate.pricing.bill import Bill, Source, bill
from ingate.pricing.money import MAX_PICO, to_pico, to_usd
from ingate.pricing.usage import COMPACTION, NO_UNITS, Units, Usage, passed

__all__ = [
    "COMPACTION",
    "MAX_PICO",
    "NO_UNITS",
    "Bill",
    "Source",
    "Units",
    "Usage",
    "bill",
    "passed",
    "to_pico",
    "to_usd",
]
