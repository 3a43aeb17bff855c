"""Ollama's own API: chat, generate and embed. Streams are one JSON object a line, and the default."""

from msgspec import Raw, Struct

from ingate.formats import conversation
from ingate.formats.content import Strings, size_of, size_of_strings, strings_of
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts


class _Request(conversation.Request, gc=False):
    prompt: Strings = Raw()
    input: Strings = Raw()
    system: Strings = Raw()


class _Call(Struct, gc=False):
    function: Raw = Raw()


class _Said(Struct, gc=False):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Response(Struct, gc=False):
    model: str | None = None
    message: _Said | None = None
    response: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: Count | None = None
    eval_count: Count | None = None
    error: Raw = Raw()


REQUEST = Shape(_Request)
RESPONSE = Shape(_Response)


def prompt(body: bytes) -> str | None:
    """Returns the prompt of a request; `None` when there is none, or the body is not a JSON object."""
    request = REQUEST.read(body)
    if request is None:
        return None
    said = conversation.last_of_user(request.messages or ())
    return said if said is not None else strings_of(request.prompt or request.input)


def size(body: bytes) -> int | None:
    """Returns how many bytes of UTF-8 the text of a request has, as `conversation.size` does."""
    request = REQUEST.read(body)
    if request is None:
        return None
    if request.messages:
        return conversation.around(size_of(message.content) for message in request.messages)
    prompt = size_of_strings(request.prompt)
    return None if prompt is None else prompt + (size_of_strings(request.system) or 0)


def event(tally: Tally, data: bytes) -> bool:
    """Takes a whole response or one line of a stream; tells whether it could be read."""
    response = RESPONSE.read(data)
    if response is None:
        return False
    if response.error and tally.fails(response.error):
        return True
    if tally.model is None:
        tally.name(response.model)
    said = response.message
    if said is not None and said.tool_calls:
        tally.tool_calls += len(said.tool_calls)
    text = response.response or (said and said.content)
    if text:
        tally.say(text)
    if response.done:
        tally.complete = True
        tally.finish = response.done_reason
    if response.prompt_eval_count is not None or response.eval_count is not None:
        tally.count(Counts(prompt=response.prompt_eval_count, output=response.eval_count))
    return True
