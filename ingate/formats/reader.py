"""Learning from a response while its bytes pass by to the caller.

Nobody asks for the facts before the end, so bytes are gathered and read in batches: a chunk
costs one append. Nothing a provider sends makes it raise. Knows no status codes and no network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from ingate.formats import anthropic_messages, gemini, ollama, openai_chat, openai_responses
from ingate.formats.body import Body
from ingate.formats.encoding import Unreadable, decoder_for
from ingate.formats.facts import ResponseFacts
from ingate.formats.fault import describe_body
from ingate.formats.paths import Format
from ingate.formats.scan import items
from ingate.formats.splitter import Splitter
from ingate.formats.sse import MAX_EVENT, Event, SSEParser
from ingate.formats.tally import Tally
from ingate.formats.usage import Counts, Usage, anthropic_usage, gemini_usage, ollama_usage, openai_usage

_BATCH = 64 * 1024
_OBJECT = 48  # bytes that a chunk takes beside its content
_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq"})
_SSE_STARTS = (b"data:", b"event:", b":")


@dataclass(frozen=True, slots=True)
class _Wire:
    """How one format is read; both functions tell whether the data was an object."""

    event: Callable[[Tally, bytes], bool]
    whole: Callable[[Tally, bytes | bytearray], bool]
    usage: Callable[[Counts], Usage]


_CHAT = _Wire(openai_chat.event, openai_chat.whole, openai_usage)
_WIRES = {
    Format.OPENAI_CHAT: _CHAT,
    Format.OPENAI_COMPLETIONS: _CHAT,
    Format.OPENAI_EMBEDDINGS: _CHAT,
    Format.OPENAI_RESPONSES: _Wire(openai_responses.event, openai_responses.whole, openai_usage),
    Format.ANTHROPIC_MESSAGES: _Wire(anthropic_messages.event, anthropic_messages.whole, anthropic_usage),
    Format.GEMINI: _Wire(gemini.event, gemini.event, gemini_usage),
    Format.OLLAMA: _Wire(ollama.event, ollama.event, ollama_usage),
}
_NOTHING = _Wire(lambda _tally, _data: True, lambda _tally, _data: True, openai_usage)


class _Framing(Enum):
    """How a body is divided."""

    EVENTS = 1
    LINES = 2
    JSON = 3
    UNKNOWN = 4


@lru_cache(maxsize=64)
def _framing(content_type: str, wire: Format) -> _Framing:
    media = content_type.partition(";")[0].strip().lower()
    if media == "text/event-stream":
        return _Framing.EVENTS
    if media in _LINES or (wire is Format.OLLAMA and not media):
        return _Framing.LINES
    return _Framing.JSON if media.endswith("json") else _Framing.UNKNOWN


class ResponseReader:
    """Reads one response: a whole JSON body, server-sent events, JSON lines, or a streamed JSON array.

    The media type decides which, not the request: an error to a streamed request is a whole body.
    Memory is bounded whatever arrives.
    """

    __slots__ = ("_body", "_chunks", "_decoder", "_framing", "_lines", "_passive", "_size", "_sse", "_tally", "_wire")

    def __init__(self, wire: Format, content_type: str, content_encoding: str) -> None:
        self._wire = _WIRES.get(wire, _NOTHING)
        self._tally = Tally()
        self._chunks: list[bytes] = []
        self._size = 0
        self._passive = self._wire is _NOTHING
        self._framing = framing = _framing(content_type, wire)
        self._sse = SSEParser() if framing is _Framing.EVENTS else None
        self._lines = Splitter(b"\n", MAX_EVENT) if framing is _Framing.LINES else None
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
                self._events(self._sse.close())
            elif self._lines is not None:
                self._events([("", line) for line in self._lines.close()])
            else:
                self._whole(self._body.close())
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
            self._events(self._sse.feed(data))
        elif self._lines is not None:
            self._events([("", line) for line in self._lines.feed(data) if line])
        else:
            self._body.feed(data)

    def _events(self, events: list[Event]) -> None:
        tally = self._tally
        take = self._wire.event
        for name, data in events:
            if name == "error":
                tally.error = tally.error or describe_body(data) or "error"
            else:
                take(tally, data)

    def _whole(self, body: bytes | bytearray) -> None:
        if not body:
            return
        tally = self._tally
        if self._framing is _Framing.UNKNOWN and body.startswith(_SSE_STARTS):
            parser = SSEParser()
            self._events(parser.feed(bytes(body)) + parser.close())
        elif self._wire.whole(tally, body):
            if tally.is_blank():
                tally.error = describe_body(body)
            tally.complete = True
        elif not sum(self._wire.event(tally, item) for item in items(body)):
            self._give_up(Unreadable("the body holds no JSON object"))

    def _give_up(self, problem: Unreadable) -> None:
        self._passive = True
        self._chunks = []
        self._tally.error = self._tally.error or f"unreadable: {problem}"
