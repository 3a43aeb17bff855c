"""What has been learned so far about one response. The format modules write it; it knows no format."""

from collections.abc import Callable

from msgspec import Raw, Struct

from ingate.formats.facts import BROKEN, MAX_TEXT, UNREADABLE, ResponseFacts
from ingate.formats.fault import describe
from ingate.formats.usage import Counts
from ingate.pricing.usage import COMPACTION, USUAL_TERMS, Units, Usage, passes

MAX_NAME = 256
"""Characters of a name that are kept."""
_MAX_CALLS = 256
_LOOSE = 512


class Tally(Struct, gc=False):
    """Facts under way. Bounded: the text by `MAX_TEXT`, the open calls by a constant.

    `begun` tells that some content has come, of whatever kind.
    """

    model: str | None = None
    counts: Counts | None = None
    finish: str | None = None
    complete: bool = False
    error: str | None = None
    tool_calls: int = 0
    texts: list[str] = []
    room: int = MAX_TEXT
    calls: dict[tuple[int, int], str] = {}
    units: dict[str, int] = {}
    others: Units = ()
    terms: dict[str, str] = {}
    begun: bool = False
    unkept: int = 0

    def name(self, model: str | None) -> None:
        """Takes the first model that is named."""
        if model and self.model is None:
            self.model = model[:MAX_NAME]

    def say(self, text: str) -> None:
        """Takes a piece of the completion."""
        room = self.room
        if len(text) > room:
            self.unkept += len(text) - room
            text = text[:room]
        if text:
            texts = self.texts
            texts.append(text)
            self.room = room - len(text)
            if len(texts) == _LOOSE:  # a word takes ten times its length where it is kept alone
                texts[:] = ["".join(texts)]

    def count(self, counts: Counts) -> None:
        """Takes a usage report."""
        if self.counts is None:
            self.counts = counts
        else:
            self.counts.update(counts)

    def unit(self, name: str, count: int | None) -> None:
        """Takes the count of a unit that has no bucket. Reports are cumulative: the last one stays."""
        if count:
            self.units[name] = count

    def term(self, name: str, value: str | None) -> None:
        """Takes a term on which the call was made, or another fact that its price depends on; not the usual ones."""
        if value and value not in USUAL_TERMS:
            self.terms[name] = value[:MAX_NAME]

    def end(self, reason: str | None) -> None:
        """Takes the reason the answer ended for, if there is one, as its terminal marker."""
        if reason:
            self.finish = reason[:MAX_NAME]
            self.complete = True

    def call(self, place: tuple[int, int], call_id: str | None) -> None:
        """Counts a streamed tool call once: it goes on until its place shows another id."""
        known = self.calls.get(place)
        if known is not None and (not call_id or call_id == known):
            return
        self.tool_calls += 1
        if known is not None or len(self.calls) < _MAX_CALLS:
            self.calls[place] = (call_id or "")[:MAX_NAME]

    def fails(self, error: Raw) -> bool:
        """Takes an `error` value; tells whether it was one. The first error stays."""
        said = describe(error)
        if said is None:
            return False
        self.error = self.error or said
        return True

    def unreadable(self, why: str) -> None:
        """Takes why the rest of the body could not be read. What the provider said of an error stays."""
        self.error = self.error or f"{UNREADABLE}{why}"

    def broken(self, why: str) -> None:
        """Takes why nobody can read the rest of the body."""
        self.error = self.error or f"{BROKEN}{why}"

    def facts(self, usage: Callable[[Counts], Usage]) -> ResponseFacts:
        """Returns the facts, the provider's numbers read by the rule of its format."""
        used = usage(self.counts or _NO_COUNTS)
        for label, (part, _) in passes(self.others).items() if self.others else ():
            if label.partition("#")[0] == COMPACTION:
                used = used.plus(part)
        return ResponseFacts(
            model=self.model,
            usage=used,
            units=(*self.units.items(), *self.others) if self.units or self.others else (),
            terms=tuple(self.terms.items()) if self.terms else (),
            completion="".join(self.texts) or None,
            finish_reason=self.finish,
            complete=self.complete,
            error=self.error,
            tool_calls=self.tool_calls,
            unkept=self.unkept,
        )

    def is_blank(self) -> bool:
        """Tells whether nothing at all has been learned."""
        return self == _BLANK


_BLANK = Tally()
_NO_COUNTS = Counts()
