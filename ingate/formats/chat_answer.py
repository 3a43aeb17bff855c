"""The answer to an OpenAI chat completion as events of `ingate.chat.v1`, from bytes that arrive in any pieces.

An answer that comes whole yields the events that a stream of it would. Knows no status and no connection.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from gen.ingate.chat.v1 import answer_pb2 as answers
from gen.ingate.chat.v1.chat_service_pb2 import StreamCompleteResponse as Event
from ingate.errors import DomainError, ProviderFailed, ProviderTimedOut, TooLarge
from ingate.formats.chat_usage import ChatUsage, take_usage
from ingate.formats.encoding import decoder_for
from ingate.formats.facts import FAILED_REASONS
from ingate.formats.fault import is_null, stated
from ingate.formats.malformed import Unreadable
from ingate.formats.oddities import BOM
from ingate.formats.shape import BROKEN, COUNTS, Buffer, Shape
from ingate.formats.sse import SSEParser, is_done
from ingate.formats.tally import MAX_NAME, Tally
from ingate.formats.usage import openai_usage
from ingate.pricing.usage import UNSTATED

LONGEST = 4 * 1024 * 1024
"""Bytes of the longest event, and of the longest answer that comes whole."""
MAX_CALLS = 256
"""Tool calls that one answer may ask for."""
_REASONS = {
    "": answers.FINISH_REASON_UNSPECIFIED,
    "stop": answers.FINISH_REASON_STOP,
    "length": answers.FINISH_REASON_LENGTH,
    "max_tokens": answers.FINISH_REASON_LENGTH,
    "model_length": answers.FINISH_REASON_LENGTH,  # Mistral
    "tool_calls": answers.FINISH_REASON_TOOL_CALLS,
    "function_call": answers.FINISH_REASON_TOOL_CALLS,
    "content_filter": answers.FINISH_REASON_CONTENT_FILTER,
    **dict.fromkeys(FAILED_REASONS, answers.FINISH_REASON_ERROR),
}
_OWN = {
    "provider_error": (ProviderFailed, "broke off its answer"),
    "provider_timeout": (ProviderTimedOut, "stopped answering"),
}
"""The codes with which the gateway ends a stream that broke, and what they mean."""


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: Raw = Raw()


class _Call(Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Text(Struct, gc=False):
    text: str | None = None


class _Said(Struct, gc=False):
    content: str | list[_Text] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct, gc=False):
    index: int = 0
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None
    usage: ChatUsage | None = None  # Moonshot
    error: Raw = Raw()  # OpenRouter


class _Groq(Struct, gc=False):
    usage: ChatUsage | None = None


class _Answer(Struct, gc=False):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: ChatUsage | None = None
    error: Raw = Raw()
    x_groq: _Groq | None = None


class _Begun(Struct, gc=False):
    """What is known of a tool call that goes on."""

    index: int
    id: str = ""
    name: str = ""


_ANSWER = Shape(_Answer)
_TEXT = msgspec.json.Decoder(str)


class ChatReader:
    """Reads one answer of a `provider`, by its name, that said that all is well.

    Methods raise ProviderFailed or ProviderTimedOut for what the provider reports as an error or what is no answer, and
    TooLarge; the answer is over then. Where they quote the provider, it is in the metadata `provider_code` and
    `provider_message`, never in the message. Holds an unfinished event, or a whole answer, of `LONGEST` bytes at most.
    """

    def __init__(self, provider: str, media_type: str, encoding: str) -> None:
        self._provider = f"the provider {provider}"
        self._sse = SSEParser(LONGEST) if media_type.lower().startswith("text/event-stream") else None
        self._whole = bytearray()
        self._tally = Tally()
        self._begun = False  # a choice has come
        self._spoken = False  # something was said in it
        self._calls: dict[int, _Begun] = {}  # by the provider's number
        self._asked = 0  # calls
        self._finished = False
        try:
            self._decoder = decoder_for(encoding)
        except Unreadable as problem:
            raise self._unreadable(problem) from None

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yields the events that the next bytes of the body complete."""
        if self._decoder is None:
            yield from self._plain(chunk)
            return
        try:
            for piece in self._decoder.unpack(chunk):
                yield from self._plain(piece)
        except Unreadable as problem:
            raise self._unreadable(problem) from None

    def cut(self) -> Iterator[Event]:
        """Takes the end of a body of which not all came; it may hold the whole answer all the same."""
        if not self._finished:
            raise ProviderFailed(f"{self._provider} broke off its answer")
        return iter(())

    def finish(self) -> Iterator[Event]:
        """Yields the events at the end of the body."""
        if self._finished:
            return
        if self._sse is None:
            body = bytes(self._whole).removeprefix(BOM)
            self._whole.clear()
            if not body.strip():
                raise ProviderFailed(f"{self._provider} sent an empty answer")
            yield from self._take(body)
            if not self._begun:
                raise ProviderFailed(f"{self._provider} sent an answer in which the model says nothing")
            yield self._end()
            return
        yield from self._take_events(self._sse.close())
        if self._finished:
            return
        if not self._tally.complete:
            raise ProviderFailed(f"{self._provider} ended its stream before the end of the answer")
        yield self._end()

    def _plain(self, data: bytes) -> Iterator[Event]:
        if self._finished:
            return
        if self._sse is None:
            self._whole += data
            if len(self._whole) > LONGEST:
                raise self._too_long("an answer")
            return
        events = self._sse.feed(data)
        if self._sse.long:
            raise self._too_long("an event")
        yield from self._take_events(events)

    def _take_events(self, events: list[tuple[bytes, bytes]]) -> Iterator[Event]:
        for name, data in events:
            if is_done(data):
                if not self._begun:
                    raise ProviderFailed(f"{self._provider} sent a stream without an answer")
                yield self._end()
                return
            if name == b"error":
                raise self._failed(data)
            yield from self._take(data)

    def _take(self, data: bytes) -> Iterator[Event]:
        """Takes a whole answer or an event."""
        if not data.isascii():
            data = data.decode("utf-8", "replace").encode()  # one broken character is not to cost the text around it
        answer = _ANSWER.read(data)
        COUNTS.taken()  # what makes no sense among the counts is left out
        if answer is None:
            raise ProviderFailed(f"{self._provider} sent what is no chat completion")
        if answer.error and not is_null(answer.error):
            raise self._failed(answer.error)
        tally = self._tally
        tally.name(answer.model)
        usage = answer.usage or (answer.x_groq and answer.x_groq.usage)
        for choice in answer.choices or ():
            usage = usage or choice.usage
            if choice.index == 0:
                yield from self._take_choice(choice)
        if usage:
            take_usage(tally, usage)

    def _take_choice(self, choice: _Choice) -> Iterator[Event]:
        self._begun = True
        if choice.error and not is_null(choice.error):
            raise self._failed(choice.error)
        # Some streams repeat the whole text as a message.
        said = choice.delta if choice.delta is not None or self._spoken else choice.message
        if said is not None:
            yield from self._take_said(said)
        self._tally.end(choice.finish_reason)

    def _take_said(self, said: _Said) -> Iterator[Event]:
        content = said.content
        text = content if isinstance(content, str) else "".join([part.text or "" for part in content or ()])
        if text:
            self._spoken = True
            yield Event(text_delta=text)
        if said.refusal:
            self._spoken = True
            yield Event(refusal_delta=said.refusal)
        for at, call in enumerate(said.tool_calls or ()):
            self._spoken = True
            yield Event(tool_call_delta=self._call(at, call))

    def _call(self, at: int, call: _Call) -> answers.ToolCallDelta:
        """Returns a piece of a call. A call goes on until its number shows another id."""
        number, function = at if call.index is None else call.index, call.function or _Function()
        begun = self._calls.get(number)
        if begun is None or (call.id and begun.id and call.id != begun.id):
            if self._asked == MAX_CALLS:
                raise ProviderFailed(f"{self._provider} asked for more than {MAX_CALLS} tool calls")
            begun = self._calls[number] = _Begun(self._asked)
            self._asked += 1
        delta = answers.ToolCallDelta(index=begun.index, arguments=_arguments(function.arguments))
        if call.id and not begun.id:
            delta.id = begun.id = call.id
        if function.name and not begun.name:
            delta.name = begun.name = function.name
        return delta

    def _end(self) -> Event:
        self._finished = True
        tally = self._tally
        facts = tally.facts(openai_usage)
        said = facts.finish_reason or ""
        finished = answers.Finished(
            finish_reason=_REASONS.get(said, answers.FINISH_REASON_OTHER),
            provider_finish_reason=said[:MAX_NAME],
            model=facts.model or "",
        )
        usage = facts.usage
        if usage != UNSTATED:
            finished.usage.CopyFrom(
                answers.Usage(
                    input_tokens=usage.input,
                    output_tokens=usage.output,
                    cache_read_tokens=usage.cache_read,
                    cache_write_tokens=usage.cache_write,
                    reasoning_tokens=usage.reasoning,
                    total_tokens=usage.total,
                )
            )
        return Event(finished=finished)

    def _failed(self, error: Buffer) -> DomainError:
        """Returns the error that stands in an answer; the gateway's own end of a stream that broke is one too."""
        code, message = stated(error)
        if code in _OWN:
            kind, what = _OWN[code]
            return kind(f"{self._provider} {what}")
        said = {"provider_code": code, "provider_message": message}
        return ProviderFailed(
            f"{self._provider} reported an error in its answer",
            metadata={name: words for name, words in said.items() if words},
        )

    def _unreadable(self, problem: Unreadable) -> ProviderFailed:
        return ProviderFailed(f"{self._provider} sent an answer that cannot be read: {problem}")

    def _too_long(self, what: str) -> TooLarge:
        return TooLarge(f"{self._provider} sent {what} of more than {LONGEST} bytes")


def _arguments(raw: Raw) -> str:
    """Returns arguments as text; a few providers write them as the object that they are."""
    if not raw or is_null(raw):
        return ""
    try:
        return _TEXT.decode(raw)
    except BROKEN:
        return bytes(raw).decode("utf-8", "replace")
