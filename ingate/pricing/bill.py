"""The cost of an exchange: every unit that its answer states, at the price list's prices or the provider's own word."""

from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from ingate.pricing import demo
from ingate.pricing.card import TOKENS, Card, inclusive
from ingate.pricing.money import PICO_PER_USD, to_pico, to_usd
from ingate.pricing.price_list import SLOT, Terms, card_of
from ingate.pricing.usage import (
    COMPACTION,
    COUNTED_TOKENS,
    NO_UNITS,
    SENSELESS,
    STATED_COST,
    UNCHARGED,
    UNSTATED,
    USUAL_TERMS,
    Pairs,
    Units,
    Usage,
    passes,
)

TERMS = ("service_tier", "processing", "speed", "search_type")
"""Names in an exchange's metadata that say on what terms the call was made."""
SHORTEST_SECONDS = 10
"""What Groq bills of a transcription at least."""

_FORGIVING = ("anthropic", "https://api.anthropic.com")
"""Those whose own API charges nothing for an answer that was refused before it began; clouds that resell it may."""


class Source(StrEnum):
    """Whose price a cost is."""

    LIST = "list"
    PROVIDER = "provider"
    UNKNOWN = "unknown"
    DEMO = "demo"


class Bill(Struct, frozen=True, gc=False):
    """A cost in picodollars and whose price it is. None is a cost that is unknown; `reason` says why usage has none.

    Beside a cost of the list, `reason` says what may be wrong with it: the provider states another one, or the list has
    no price for the terms of the call.
    """

    cost: int | None
    source: Source
    reason: str | None = None


UNPRICED = Bill(None, Source.UNKNOWN)
_LIST = Source.LIST  # looking a member up takes as long as two calls
_NOTHING = Bill(0, _LIST)


def bill(  # noqa: PLR0917 -- mapped over columns
    provider: str, model: str, usage: Usage, at: int, units: Units = NO_UNITS, metadata: Pairs = ()
) -> Bill:
    """Returns what an exchange costs.

    `provider` is a price list's provider id, a base URL to find it by, or both (see `card_of`). `at` is in
    microseconds, for dated prices.
    A price of the list goes before the cost that the provider states; where the two differ, the reason says why.
    """
    terms, stated, uncharged, senseless = _said(metadata)
    if uncharged is not None and provider.startswith(_FORGIVING):
        return Bill(0, Source.LIST, uncharged)
    if senseless is not None or (usage == UNSTATED and not units):
        return _unused(metadata, senseless) if stated is None else Bill(stated, Source.PROVIDER)
    if provider == demo.PROVIDER:
        return Bill(demo.cost(usage), Source.DEMO)
    slot = at // SLOT
    if units:
        cost, problem = _listed(_Tariff(provider, slot, terms), model, usage, units)
    else:
        cost, problem = _one(card_of(provider, model, slot, terms), model, usage)
    if cost is not None:
        return Bill(cost, _LIST, problem if stated is None or stated == cost else _differs(cost, stated))
    if stated is not None:
        return Bill(stated, Source.PROVIDER)
    return Bill(None, Source.UNKNOWN, problem)


def _unused(metadata: Pairs, senseless: str | None) -> Bill:
    """Returns what an answer costs whose counts are no bill, or that states none: nothing, where it counted instead."""
    if senseless is not None:
        return Bill(None, Source.UNKNOWN, senseless)
    return _NOTHING if any(name == COUNTED_TOKENS for name, _ in metadata) else UNPRICED


@lru_cache(1024)
def _said(metadata: Pairs) -> tuple[Terms, int | None, str | None, str | None]:
    """Returns what metadata state: terms, the provider's own cost, why it charges nothing, what is wrong with counts.

    Cached: most end alike.
    """
    terms = tuple(
        (name, value.lower())
        for name, value in metadata
        if name in TERMS and value and value.lower() not in USUAL_TERMS
    )
    named = dict(metadata)
    stated = to_pico(named[STATED_COST]) if STATED_COST in named else None
    return terms, stated, named.get(UNCHARGED), named.get(SENSELESS)


def _differs(cost: int, stated: int) -> str:
    """Returns why a cost is not the stated one, both in picodollars."""
    dollars = to_usd(stated) or ""
    digits = len(dollars.partition(".")[2])
    rounded = stated and abs(cost - stated) * 2 <= PICO_PER_USD // 10**digits
    return f"the provider states {dollars} USD" + (
        ", rounded" if rounded else ": it charges by other rates than the price list"
    )


class _Tariff(Struct, frozen=True, gc=False):
    """Whose prices apply, when and on what terms."""

    provider: str
    slot: int
    terms: Terms

    def card(self, model: str) -> Card | None:
        """Returns the prices of a model."""
        return card_of(self.provider, model, self.slot, self.terms)


def _listed(tariff: _Tariff, model: str, usage: Usage, units: Units) -> tuple[int | None, str | None]:
    """Returns the cost of all passes by the list and what may be wrong with it, or None and why there is none."""
    several = passes(units)
    own = usage
    total = 0
    for label, (part, kinds) in several.items():
        if not label:
            continue
        name = label.partition("#")[0]
        if name == COMPACTION:
            own = _less(own, part)
        priced = model if name == COMPACTION else name
        cost, problem = _one(tariff.card(priced), priced, part, kinds)
        if cost is None:
            return None, problem
        total += cost
    cost, problem = _one(tariff.card(model), model, own, several.get("", (UNSTATED, NO_UNITS))[1])
    return (None if cost is None else cost + total), problem


def _less(usage: Usage, part: Usage) -> Usage:
    return Usage(
        *(
            whole if whole is None else max(0, whole - (getattr(part, name) or 0))
            for name in usage.__struct_fields__
            for whole in (getattr(usage, name),)
        )
    )


def _one(card: Card | None, model: str, usage: Usage, units: Units = NO_UNITS) -> tuple[int | None, str | None]:
    """Returns the cost of one pass by the prices of its model, and what may be wrong with it, or None and why."""
    if card is None:
        return None, f"no price is known for {model or 'an unnamed model'}"
    if card.flat is not None and not units:
        rates = card.flat
        return (
            rates[0] * (usage.input or 0)
            + rates[1] * (usage.cache_read or 0)
            + rates[2] * (usage.cache_write or 0)
            + rates[3] * (usage.output or 0)
            + rates[4] * (usage.reasoning or 0)
        ), card.unmet
    counts = inclusive(usage)
    counts.update(units)
    if "audio_seconds" in counts:
        _heard(card, counts)
    missing = _missing(card, counts)
    if missing is not None:
        return None, f"no price is known for {missing} of {model}"
    cost = card.cost(counts)
    return cost, card.unmet if cost is not None else "the answer's counts contradict one another"


def _missing(card: Card, counts: dict[str, int]) -> str | None:
    """Returns a unit that was used and has no price."""
    return next((name for name, count in counts.items() if count and name not in card.priced), None)


def _heard(card: Card, counts: dict[str, int]) -> None:
    """Completes the seconds of a recording: some models price them as audio, some as input audio.

    A model that is paid by the second gives its tokens away.
    """
    if "audio_seconds" in card.priced and "input_tokens" not in card.priced:
        for name in TOKENS:
            counts.pop(name, None)
    if card.owner == "groq" and counts["audio_seconds"]:
        counts["audio_seconds"] = max(counts["audio_seconds"], SHORTEST_SECONDS)
    if any(line.unit == "input_audio_seconds" for line in card.lines):
        counts["input_audio_seconds"] = counts["audio_seconds"]
