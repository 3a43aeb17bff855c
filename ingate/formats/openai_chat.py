"""OpenAI Chat Completions, and the Completions and Embeddings that share its response envelope.

Compatible providers differ in where usage goes (last choice chunk, a chunk without choices, `x_groq`); all of that is
read here.
"""

from msgspec import Raw, Struct

from ingate.formats.chat_usage import ChatUsage, take_usage
from ingate.formats.content import Part, Strings, size_of_strings, strings_of
from ingate.formats.shape import Shape
from ingate.formats.sse import is_done
from ingate.formats.tally import Tally


class _TextRequest(Struct, gc=False):
    prompt: Strings = Raw()
    input: Strings = Raw()


class _Function(Struct, gc=False):
    arguments: str | None = None


class _Call(Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Spoken(Struct, gc=False):
    transcript: str | None = None


class _Said(Struct, gc=False):
    content: str | list[Part] | None = None
    tool_calls: list[_Call] | None = None
    refusal: str | None = None
    audio: _Spoken | None = None


class _Choice(Struct, gc=False):
    index: int = 0
    delta: _Said | None = None
    message: _Said | None = None
    text: str | None = None
    finish_reason: str | None = None
    usage: ChatUsage | None = None  # Moonshot
    error: Raw = Raw()  # OpenRouter


class _Groq(Struct, gc=False):
    usage: ChatUsage | None = None


class _Outcome(Struct, gc=False):
    status_code: int | None = None
    status_msg: str | None = None


class _Response(Struct, gc=False):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: ChatUsage | None = None
    error: Raw = Raw()
    x_groq: _Groq | None = None
    service_tier: str | None = None
    base_resp: _Outcome | None = None  # MiniMax


TEXT_REQUEST = Shape(_TextRequest)
RESPONSE = Shape(_Response)


def text_prompt(body: bytes) -> str | None:
    """Returns the prompt of a completions or embeddings request; `None` when it is no text."""
    request = TEXT_REQUEST.read(body)
    return None if request is None else strings_of(request.prompt or request.input)


def text_size(body: bytes) -> int | None:
    """Returns how many bytes of UTF-8 the prompt of a completions request has; `None` when it is no text."""
    request = TEXT_REQUEST.read(body)
    return None if request is None else size_of_strings(request.prompt)


def event(tally: Tally, data: bytes) -> bool:
    """Takes one event of a stream; tells whether it could be read."""
    if is_done(data):
        tally.complete = True
        return True
    return whole(tally, data)


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole response or one chunk of a stream; tells whether it could be read."""
    response = RESPONSE.read(data)
    if response is None:
        return False
    if tally.model is None:
        tally.name(response.model)
    failed = bool(response.error) and tally.fails(response.error)
    usage = response.usage or (response.x_groq and response.x_groq.usage)
    if response.choices and not failed:
        for choice in response.choices:
            _take(tally, choice)
            usage = usage or choice.usage
    if usage:
        take_usage(tally, usage)
    if response.service_tier:
        tally.term("service_tier", response.service_tier)
    if response.base_resp is not None:
        _outcome(tally, response.base_resp)
    return True


def _take(tally: Tally, choice: _Choice) -> None:
    delta, message = choice.delta, choice.message
    if delta is not None:
        content, calls = delta.content or _otherwise(delta), delta.tool_calls
    else:
        content, calls = choice.text, None
    if message is not None:
        # It holds the whole text, which some streams repeat: Perplexity's in each event, MiniMax's in the last.
        if not content and not tally.texts:
            content = message.content or _otherwise(message)
        calls = calls or message.tool_calls
    if content:
        text = content if isinstance(content, str) else "".join([part.text or "" for part in content])
        if choice.index == 0:
            tally.say(text)
        else:
            tally.unkept += len(text)
    if calls:
        _calls(tally, choice.index, calls)
    if choice.finish_reason or choice.error:
        _end(tally, choice)


def _end(tally: Tally, choice: _Choice) -> None:
    """Takes why a choice ended. Of several, the first is the completion."""
    if choice.index == 0 or tally.finish is None:
        tally.end(choice.finish_reason)
    if choice.finish_reason == "function_call":
        tally.call((choice.index, 0), None)
    if choice.error:
        tally.fails(choice.error)


def _outcome(tally: Tally, outcome: _Outcome) -> None:
    if outcome.status_code:
        tally.error = tally.error or f"{outcome.status_code}: {outcome.status_msg or 'error'}"


def _otherwise(said: _Said) -> str | None:
    """Returns what was answered where it is not in the content: a refusal, or what was spoken."""
    return said.refusal or (said.audio.transcript if said.audio is not None else None)


def _calls(tally: Tally, choice: int, calls: list[_Call]) -> None:
    for at, call in enumerate(calls):
        tally.call((choice, at if call.index is None else call.index), call.id)
        if call.function is not None and call.function.arguments:
            tally.unkept += len(call.function.arguments)
