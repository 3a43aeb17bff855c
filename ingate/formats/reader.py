"""Learning from a response: from a body that is at hand, or while its bytes pass by to the caller.

Nobody asks for the facts before the end, so bytes are gathered and read in batches: a chunk
costs one append. What is large is scanned and made small first. All work comes in bounded pieces and is limited in
total. Nothing a provider sends makes it raise. Knows no status codes and no network.
"""

from collections.abc import Iterator

from ingate.formats.condenser import Condenser
from ingate.formats.encoding import PIECE_COST, Decoder, decoder_for
from ingate.formats.event_stream import EventStreamParser
from ingate.formats.facts import MAX_TEXT, ResponseFacts
from ingate.formats.fault import describe_body
from ingate.formats.malformed import Broken, Unreadable
from ingate.formats.oddities import BOM
from ingate.formats.pace import LARGE, MOST, SLICE, Budget, Pace, Steps, at_once
from ingate.formats.paths import Format
from ingate.formats.scan import items
from ingate.formats.shape import COUNTS
from ingate.formats.splitter import Splitter
from ingate.formats.sse import Event, SSEParser
from ingate.formats.tally import Tally
from ingate.formats.wires import Wire, wire_of
from ingate.pricing.usage import SENSELESS

_BATCH = 64 * 1024
_OBJECT = 48  # bytes that a chunk takes beside its content
_SSE_STARTS = (b"data:", b"event:", b":")
_TELLING = len(BOM) + max(map(len, _SSE_STARTS))
_EVENTS = 128  # that are taken in one piece of work
_EVENT_COST = 3
_FRAMES = 4096  # bytes of messages that are taken apart in one piece of work
_TEXT_BYTES = 4 * MAX_TEXT
_FAULT = "a fault of the gateway, {}"
_SENSELESS = "the answer states a count that makes no sense"


def read_response(format: Format, content_type: str, content_encoding: str, body: bytes) -> ResponseFacts:
    """Returns what was learned of a body that is at hand, all of it or as much as came. Never raises."""
    facts = read_small(format, content_type, content_encoding, body)
    return (
        facts if facts is not None else at_once(reading_response(format, content_type, content_encoding, body, Pace()))
    )


def read_small(format: Format, content_type: str, content_encoding: str, body: bytes) -> ResponseFacts | None:
    """Returns what was learned of the usual answer, a plain object of modest size; `None` of another."""
    wire = wire_of(format, content_type)
    if wire.framing != "whole" or content_encoding or len(body) > LARGE or not body.startswith(b"{"):
        return None
    tally = Tally()
    return tally.facts(wire.usage) if _take_object(wire, tally, body) else None


def reading_response(
    format: Format, content_type: str, content_encoding: str, body: bytes, pace: Pace, *, most: int = MOST
) -> Steps[ResponseFacts]:
    """Returns the same in bounded pieces of work, `most` units of it."""
    facts = read_small(format, content_type, content_encoding, body)
    if facts is not None:
        if pace.spend(len(body) >> 6):
            yield
        return facts
    wire = wire_of(format, content_type)
    if wire.framing == "events" and not content_encoding and len(body) <= SLICE:
        tally, sse = Tally(), SSEParser()
        events = sse.feed(body) + sse.close()
        for start in range(0, len(events), _EVENTS):
            if pace.spend(_take(wire, tally, events[start : start + _EVENTS])):
                yield
        return tally.facts(wire.usage)
    reader = ResponseReader(format, content_type, content_encoding, Budget(pace, most))
    yield from reader.reading(body)
    return (yield from reader.finishing())


class ResponseReader:
    """Reads one response: a whole JSON body, server-sent events, JSON lines, a streamed JSON array, frames, plain text.

    The media type decides which, not the request: an error to a streamed request is a whole body.
    Memory is bounded whatever arrives.
    """

    __slots__ = (
        "_budget",
        "_chunks",
        "_condenser",
        "_decoder",
        "_frames",
        "_held",
        "_lines",
        "_passive",
        "_size",
        "_sse",
        "_tally",
        "_wire",
    )

    def __init__(self, format: Format, content_type: str, content_encoding: str, budget: Budget | None = None) -> None:
        self._wire = wire = wire_of(format, content_type)
        self._tally = Tally()
        self._budget = budget or Budget(Pace())
        self._chunks: list[bytes] = []
        self._size = 0
        self._passive = wire.framing == "unread"
        self._sse = SSEParser() if wire.framing == "events" else None
        self._lines = Splitter(b"\n", LARGE) if wire.framing == "lines" else None
        self._frames = EventStreamParser() if wire.framing == "frames" else None
        self._held = b""  # a whole body, as long as it is small
        self._condenser: Condenser | None = None  # of what is large
        self._decoder: Decoder | None = None
        if content_encoding:
            try:
                self._decoder = decoder_for(content_encoding)
            except Unreadable as problem:
                self._give_up(problem)

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the body as they came from the provider. Never raises."""
        if self.gather(chunk):
            at_once(self.reading())

    def finish(self) -> ResponseFacts:
        """Returns what was learned, also of a body that was cut off. Never raises; may be called again."""
        return at_once(self.finishing())

    def gather(self, chunk: bytes) -> bool:
        """Takes the next bytes to be read later; tells whether there are so many that it is time."""
        if self._passive:
            return False
        self._chunks.append(chunk)
        self._size += len(chunk) + _OBJECT
        return self._size >= _BATCH

    def reading(self, chunk: bytes = b"") -> Steps[None]:
        """Reads what was gathered, and a chunk, in bounded pieces of work."""
        if self._passive:
            return
        chunks = self._chunks
        data = chunk if not chunks else chunks[0] if len(chunks) == 1 and not chunk else b"".join([*chunks, chunk])
        self._chunks = []
        self._size = 0
        try:
            if self._decoder is None:
                yield from self._read(data)
            else:
                for piece in self._decoder.unpack(data):
                    if self._budget.spend(PIECE_COST + (len(piece) >> 8)):
                        yield
                    yield from self._read(piece)
        except Unreadable as problem:
            self._give_up(problem)
        except GeneratorExit:
            # What follows would be read as if it followed what has been read.
            self._give_up(Unreadable("reading it was stopped"))
            raise

    def finishing(self) -> Steps[ResponseFacts]:
        """Reads the rest in bounded pieces of work; returns what `finish` does."""
        yield from self.reading()
        if not self._passive:
            try:
                yield from self._end()
            except Unreadable as problem:
                self._give_up(problem)
            self._passive = True
        return self._tally.facts(self._wire.usage)

    def _read(self, data: bytes) -> Iterator[None]:
        for start in range(0, len(data), SLICE):
            some = data[start : start + SLICE] if len(data) > SLICE else data
            if self._budget.spend(len(some) >> 9):
                yield
            if self._sse is not None:
                yield from self._read_events(self._sse, self._sse.feed(some))
            elif self._lines is not None:
                yield from self._read_lines(self._lines, self._lines.feed(some))
            elif self._frames is not None:
                yield from self._read_frames(self._frames, some)
            elif self._wire.framing == "text":
                self._held = (self._held + some)[:_TEXT_BYTES]
            else:
                yield from self._read_whole(some)

    def _end(self) -> Iterator[None]:
        if self._sse is not None:
            yield from self._read_events(self._sse, self._sse.close())
        elif self._lines is not None:
            yield from self._read_lines(self._lines, self._lines.close())
        elif self._frames is not None:
            # What is broken off has not ended, whatever came before.
            if self._frames.within:
                self._tally.complete = False
        elif self._condenser is not None:
            yield from self._take_condensed(self._condenser)
        elif self._wire.framing == "text":
            self._wire.whole(self._tally, self._held.removeprefix(BOM))
        elif self._is_stream(self._held):
            self._sse = SSEParser()
            yield from self._read(self._held)
            yield from self._end()
        elif self._held:
            yield from self._take_whole(self._held.removeprefix(BOM))

    def _read_events(self, sse: SSEParser, events: list[Event]) -> Iterator[None]:
        if sse.long:
            yield from self._condense(sse.ending)
            if sse.over:
                self._take_long(sse.name)
        yield from self._take_events(events)
        if sse.long:
            yield from self._condense(sse.beginning)

    def _read_lines(self, lines: Splitter, blocks: list[bytes]) -> Iterator[None]:
        if lines.long:
            yield from self._condense(lines.ending)
            if lines.over:
                self._take_long(b"")
        yield from self._take_events([(b"", block.removeprefix(BOM)) for block in blocks if block])
        if lines.long:
            yield from self._condense(lines.beginning)

    def _read_frames(self, frames: EventStreamParser, data: bytes) -> Iterator[None]:
        # A message may have 16 bytes, and taking it apart costs as much as an event does.
        for start in range(0, len(data), _FRAMES):
            yield from self._take_events(frames.feed(data[start : start + _FRAMES]))
        if frames.problem is not None:
            raise Broken(frames.problem)

    def _read_whole(self, data: bytes) -> Iterator[None]:
        """Reads a body that is no stream, or is not known to be one before its first bytes tell."""
        if self._condenser is not None:
            yield from self._condense(data)
            return
        held = self._held + data if self._held else data
        if len(held) >= _TELLING:
            if self._is_stream(held):
                self._held = b""
                self._sse = SSEParser()
                yield from self._read(held)
                return
            if len(held) > LARGE:
                self._held = b""
                self._condenser = Condenser(self._wire.body, self._budget)
                yield from self._condense(held.removeprefix(BOM))
                return
        self._held = held

    def _is_stream(self, start: bytes) -> bool:
        """Tells whether a body without an honest label begins as events do."""
        return self._wire.framing == "unknown" and start.removeprefix(BOM).startswith(_SSE_STARTS)

    def _condense(self, data: bytes) -> Iterator[None]:
        if not data:
            return
        if self._condenser is None:
            self._condenser = Condenser(self._wire.item, self._budget)
            data = data.removeprefix(BOM)
        for start in range(0, len(data), SLICE):
            yield from self._condenser.feed(data[start : start + SLICE])

    def _take_long(self, name: bytes) -> None:
        """Takes an event that was made small."""
        condenser, self._condenser = self._condenser, None
        if condenser is not None:
            _take(self._wire, self._tally, [(name, condenser.close())])

    def _take_condensed(self, condenser: Condenser) -> Iterator[None]:
        """Takes a whole body that was made small."""
        small = condenser.close()
        yield from self._take_whole(small)
        if condenser.broken or not condenser.ended:
            self._tally.complete = False
            if small.startswith(b"{"):
                self._tally.unreadable("the body is broken off")

    def _take_whole(self, body: bytes) -> Iterator[None]:
        """Takes an object, or an array of what else would be events."""
        if _take_object(self._wire, self._tally, body):
            return
        found = 0
        for item in items(body):
            COUNTS.taken()
            found += self._wire.event(self._tally, item)
            _judge_counts(self._tally)
            if self._budget.spend(_EVENT_COST + (len(item) >> 6)):
                yield
        if not found:
            self._tally.broken("the body holds no JSON object")

    def _take_events(self, events: list[Event]) -> Iterator[None]:
        for start in range(0, len(events), _EVENTS):
            if self._budget.spend(_take(self._wire, self._tally, events[start : start + _EVENTS])):
                yield

    def _give_up(self, problem: Unreadable) -> None:
        """Keeps what was learned until now."""
        condenser, self._condenser = self._condenser, None
        if condenser is not None:
            small = condenser.close()
            if self._sse is None and self._lines is None:
                self._wire.whole(self._tally, small)
            self._tally.complete = False
        self._passive = True
        self._chunks = []
        self._held = b""
        if isinstance(problem, Broken):
            self._tally.broken(str(problem))
        else:
            self._tally.unreadable(str(problem))


def _take(wire: Wire, tally: Tally, events: list[Event]) -> int:
    """Takes events; returns the units of work that they cost."""
    take = wire.event
    COUNTS.taken()  # those of other readers are not this answer's
    try:
        for name, data in events:
            if name == b"error":
                tally.error = tally.error or describe_body(data) or "error"
            else:
                take(tally, data)
    except Exception as fault:  # noqa: BLE001 -- it costs what one answer says, not the answer or the records of others
        tally.unreadable(_FAULT.format(type(fault).__name__))
    _judge_counts(tally)
    return _EVENT_COST * len(events)


def _take_object(wire: Wire, tally: Tally, body: bytes) -> bool:
    COUNTS.taken()
    try:
        if not wire.whole(tally, body):
            return False
    except Exception as fault:  # noqa: BLE001 -- see above
        tally.unreadable(_FAULT.format(type(fault).__name__))
        return True
    if tally.model is None and tally.is_blank():
        tally.error = describe_body(body)
    tally.complete = True
    _judge_counts(tally)
    return True


def _judge_counts(tally: Tally) -> None:
    """Takes note of counts that were stated and make no sense: the others are no whole bill."""
    if COUNTS.taken():
        tally.term(SENSELESS, _SENSELESS)
