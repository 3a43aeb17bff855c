"""OpenAI Chat Completions, and the Completions and Embeddings that share its response envelope.

Compatible providers differ in where usage goes (last choice chunk, a chunk without choices,
`x_groq`) and in how they name cached tokens; all of that is read here.
"""

from msgspec import Raw, Struct

from ingate.formats.content import Content, Part, Strings, strings_of, text_of
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts


class _Message(Struct, gc=False):
    role: str  # required: a large body of empty objects must not become as many structs
    content: Content = Raw()


class _ChatRequest(Struct, gc=False):
    messages: list[_Message] | None = None


class _TextRequest(Struct, gc=False):
    prompt: Strings = Raw()
    input: Strings = Raw()


class _Call(Struct, gc=False):
    index: int | None = None
    id: str | None = None


class _Said(Struct, gc=False):
    content: str | list[Part] | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct, gc=False):
    index: int = 0
    delta: _Said | None = None
    message: _Said | None = None
    text: str | None = None
    finish_reason: str | None = None


class _PromptDetails(Struct, gc=False):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class _OutputDetails(Struct, gc=False):
    reasoning_tokens: Count | None = None


class _Usage(Struct, gc=False):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: Count | None = None


class _Groq(Struct, gc=False):
    usage: _Usage | None = None


class _Response(Struct, gc=False):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Raw = Raw()
    x_groq: _Groq | None = None


CHAT_REQUEST = Shape(_ChatRequest)
TEXT_REQUEST = Shape(_TextRequest)
RESPONSE = Shape(_Response)
_NO_DETAILS = _PromptDetails()
_DONE = b"[DONE]"
_LONGER_THAN_DONE = 20


def chat_prompt(body: bytes) -> str | None:
    """Returns the prompt of a chat request; `None` when there is none, or the body is not a JSON object."""
    request = CHAT_REQUEST.read(body)
    for message in reversed((request and request.messages) or ()):
        if message.role == "user":
            return text_of(message.content)
    return None


def text_prompt(body: bytes) -> str | None:
    """Returns the prompt of a completions or embeddings request; `None` as `chat_prompt` does."""
    request = TEXT_REQUEST.read(body)
    return None if request is None else strings_of(request.prompt or request.input)


def event(tally: Tally, data: bytes) -> bool:
    """Takes one event of a stream; tells whether it could be read."""
    if len(data) < _LONGER_THAN_DONE and data.strip() == _DONE:
        tally.complete = True
        return True
    return whole(tally, data)


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole response or one chunk of a stream; tells whether it could be read."""
    response = RESPONSE.read(data)
    if response is None:
        return False
    if response.error and tally.fails(response.error):
        return True
    if tally.model is None:
        tally.name(response.model)
    for choice in response.choices or ():
        said = choice.delta or choice.message
        content = choice.text if said is None else said.content
        if content and choice.index == 0:
            tally.say(content if isinstance(content, str) else "".join(part.text or "" for part in content))
        if said is not None and said.tool_calls:
            _calls(tally, choice.index, said.tool_calls)
        if choice.finish_reason:
            tally.end(choice.finish_reason)
    usage = response.usage or (response.x_groq and response.x_groq.usage)
    if usage:
        _usage(tally, usage)
    return True


def _calls(tally: Tally, choice: int, calls: list[_Call]) -> None:
    for at, call in enumerate(calls):
        tally.call((choice, at if call.index is None else call.index), call.id)


def _usage(tally: Tally, usage: _Usage) -> None:
    details = usage.prompt_tokens_details or _NO_DETAILS
    cached = details.cached_tokens if details.cached_tokens is not None else usage.prompt_cache_hit_tokens
    inside = usage.completion_tokens_details
    tally.count(
        Counts(
            prompt=usage.prompt_tokens,
            cached=cached,
            written=details.cache_write_tokens,
            output=usage.completion_tokens,
            reasoning=inside.reasoning_tokens if inside else None,
            total=usage.total_tokens,
        )
    )
