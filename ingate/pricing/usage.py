"""What an answer says it used: tokens in buckets that never overlap, and every other unit that has a price.

Knows no price and no wire format.
"""

from collections.abc import Iterable

from msgspec import Struct

Pairs = tuple[tuple[str, str], ...]
"""Names and values."""
Units = tuple[tuple[str, int], ...]
"""Counts by name, beyond the buckets of `Usage`. Names are the price list's own, such as `web_searches`.

`cache_write_1h_tokens`, `input_audio_tokens` and the like say of what kind some tokens of a bucket are. A name that
begins with a label and a colon belongs to another pass of the same turn: `claude-opus-4-8:input_tokens` is paid at the
prices of that model and is in no bucket; a pass labelled `compaction` has the prices of the answer's own model and is
in the buckets. Passes with one label are told apart by `#2`, `#3` and so on behind it.
"""

NO_UNITS: Units = ()
COMPACTION = "compaction"
COUNTED_TOKENS = "counted_tokens"
"""The name in metadata of how many tokens an answer counted without using any. A count costs nothing."""
ANSWER_ID = "answer_id"
"""The name in metadata of the id of an answer that states its usage whenever it is asked for."""
COUNTED_BY = "usage_counted_by"
"""The name in metadata of who counts the usage that an answer states, where that is another call."""
STATED_COST = "provider_cost_usd"
"""The name in an exchange's metadata of the cost that the provider itself states."""
SENSELESS = "usage_problem"
"""The name in metadata of what is wrong with the counts of an answer, of which no cost can be made then."""
USUAL_TERMS = frozenset({"auto", "default", "standard", "on_demand"})
"""What vendors call the terms of a call that has the usual price."""
UNCHARGED = "uncharged"
"""The name in an exchange's metadata of why the provider charges nothing for it, where it is one that says so."""


class Usage(Struct, frozen=True, gc=False):
    """Tokens by bucket, disjoint; `None` means the provider did not say, which is not zero.

    `input` excludes both cache buckets, `output` excludes `reasoning`. A struct, as one is made for every answer and a
    frozen dataclass takes eight times as long to make.
    """

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None

    @property
    def total(self) -> int | None:
        """The sum of the buckets the provider stated, `None` when it stated none."""
        if self == UNSTATED:
            return None
        return (
            (self.input or 0)
            + (self.cache_read or 0)
            + (self.cache_write or 0)
            + (self.output or 0)
            + (self.reasoning or 0)
        )

    def plus(self, other: "Usage") -> "Usage":
        """Returns the sum of two, bucket by bucket; a bucket that neither states stays unstated."""
        return Usage(
            *(
                one if two is None else (one or 0) + two
                for one, two in ((getattr(self, name), getattr(other, name)) for name in self.__struct_fields__)
            )
        )


UNSTATED = Usage()
"""What an answer used that does not say."""


def passed(label: str, usage: Usage, units: Units, taken: Iterable[str] = ()) -> Units:
    """Returns the units of another pass under its label, or under the label's next number if it is `taken` already."""
    used = {name.rpartition(":")[0] for name in taken}
    number, name = 1, label
    while name in used:
        number += 1
        name = f"{label}#{number}"
    counted = [(f"{name}:{unit}", count) for unit, count in _named(usage) if count]
    return (*counted, *((f"{name}:{unit}", count) for unit, count in units))


def _named(usage: Usage) -> Iterable[tuple[str, int | None]]:
    """Yields the buckets by the names that units have; they stay disjoint."""
    yield "input_tokens", usage.input
    yield "cache_read_tokens", usage.cache_read
    yield "cache_write_tokens", usage.cache_write
    yield "output_tokens", usage.output
    yield "output_reasoning_tokens", usage.reasoning


def passes(units: Units) -> dict[str, tuple[Usage, Units]]:
    """Returns the passes that units hold, by label; the answer's own units are under the empty label."""
    found: dict[str, dict[str, int]] = {}
    for name, count in units:
        label, _, unit = name.rpartition(":")
        found.setdefault(label, {})[unit] = count
    return {label: _split(counts) if label else (UNSTATED, tuple(counts.items())) for label, counts in found.items()}


def _split(counts: dict[str, int]) -> tuple[Usage, Units]:
    buckets = [counts.pop(name, None) for name, _ in _named(UNSTATED)]
    return Usage(*buckets), tuple(counts.items())
