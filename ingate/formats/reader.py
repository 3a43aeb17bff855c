"""Learning from a response: from a body that is at hand, or while its bytes pass by to the caller.

Nobody asks for the facts before the end, so bytes are gathered and read in batches: a chunk
costs one append. Nothing a provider sends makes it raise. Knows no status codes and no network.
"""

from ingate.formats.body import MAX_BODY, Body
from ingate.formats.encoding import Unreadable, decoder_for
from ingate.formats.facts import ResponseFacts
from ingate.formats.fault import describe_body
from ingate.formats.paths import Format
from ingate.formats.scan import items
from ingate.formats.splitter import Splitter
from ingate.formats.sse import MAX_EVENT, Event, SSEParser
from ingate.formats.tally import Tally
from ingate.formats.wires import Wire, wire_of

_BATCH = 64 * 1024
_OBJECT = 48  # bytes that a chunk takes beside its content
_SSE_STARTS = (b"data:", b"event:", b":")


def read_response(format: Format, content_type: str, content_encoding: str, body: bytes) -> ResponseFacts:
    """Returns what was learned of a body that is at hand, all of it or as much as came. Never raises."""
    wire = wire_of(format, content_type)
    if wire.framing == "whole" and not content_encoding and len(body) <= MAX_BODY:
        tally = Tally()
        _take_whole(wire, tally, body)
        return tally.facts(wire.usage)
    reader = ResponseReader(format, content_type, content_encoding)
    reader.feed(body)
    return reader.finish()


class ResponseReader:
    """Reads one response: a whole JSON body, server-sent events, JSON lines, or a streamed JSON array.

    The media type decides which, not the request: an error to a streamed request is a whole body.
    Memory is bounded whatever arrives.
    """

    __slots__ = ("_body", "_chunks", "_decoder", "_lines", "_passive", "_size", "_sse", "_tally", "_wire")

    def __init__(self, format: Format, content_type: str, content_encoding: str) -> None:
        self._wire = wire = wire_of(format, content_type)
        self._tally = Tally()
        self._chunks: list[bytes] = []
        self._size = 0
        self._passive = wire.framing == "unread"
        self._sse = SSEParser() if wire.framing == "events" else None
        self._lines = Splitter(b"\n", MAX_EVENT) if wire.framing == "lines" else None
        self._body = Body()
        self._decoder = None
        if content_encoding:
            try:
                self._decoder = decoder_for(content_encoding, self._read)
            except Unreadable as problem:
                self._give_up(problem)

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the body as they came from the provider. Never raises."""
        if self._passive:
            return
        self._chunks.append(chunk)
        self._size += len(chunk) + _OBJECT
        if self._size >= _BATCH:
            self._drain()

    def finish(self) -> ResponseFacts:
        """Returns what was learned, also of a body that was cut off. Never raises; may be called again."""
        if not self._passive:
            self._drain()
        if not self._passive:
            self._passive = True
            if self._sse is not None:
                _take_events(self._wire, self._tally, self._sse.close())
            elif self._lines is not None:
                _take_events(self._wire, self._tally, [(b"", line) for line in self._lines.close()])
            else:
                _take_whole(self._wire, self._tally, self._body.close())
        return self._tally.facts(self._wire.usage)

    def _drain(self) -> None:
        chunks = self._chunks
        if not chunks:
            return
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        self._size = 0
        try:
            if self._decoder is None:
                self._read(data)
            else:
                self._decoder.feed(data)
        except Unreadable as problem:
            self._give_up(problem)

    def _read(self, data: bytes) -> None:
        if self._sse is not None:
            _take_events(self._wire, self._tally, self._sse.feed(data))
        elif self._lines is not None:
            _take_events(self._wire, self._tally, [(b"", line) for line in self._lines.feed(data) if line])
        else:
            self._body.feed(data)

    def _give_up(self, problem: Unreadable) -> None:
        self._passive = True
        self._chunks = []
        self._tally.unreadable(str(problem))


def _take_events(wire: Wire, tally: Tally, events: list[Event]) -> None:
    take = wire.event
    for name, data in events:
        if name == b"error":
            tally.error = tally.error or describe_body(data) or "error"
        else:
            take(tally, data)


def _take_whole(wire: Wire, tally: Tally, body: bytes | bytearray) -> None:
    if not body:
        return
    if wire.whole(tally, body):
        if tally.model is None and tally.is_blank():
            tally.error = describe_body(body)
        tally.complete = True
    elif wire.framing == "unknown" and body.startswith(_SSE_STARTS):
        parser = SSEParser()
        _take_events(wire, tally, parser.feed(bytes(body)) + parser.close())
    elif not sum(wire.event(tally, item) for item in items(body)):
        tally.unreadable("the body holds no JSON object")
