"""OpenAI Responses: typed events, of which the terminal one repeats the whole response with its usage.

A response that is kept can be asked for any number of times, and each time states the usage again. One that was made in
the background first states it there: it has to be counted once, and is known by its id.
"""

from collections.abc import Sequence

from msgspec import Raw, Struct

from ingate.formats.content import Content, Part, cap, size_of
from ingate.formats.conversation import around, last_of_user
from ingate.formats.fault import describe_body
from ingate.formats.shape import Shape
from ingate.formats.stated_cost import Charge, take_charge
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts
from ingate.pricing.usage import ANSWER_ID, COUNTED_BY, STATED_COST

_SEARCHES = frozenset({None, "search"})
_WORDS = frozenset({"response.output_text.delta", "response.refusal.delta", "response.output_audio_transcript.delta"})
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_CALLER_RUNS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
    }
)

_XAI_RUNS = frozenset({"x_keyword_search", "x_semantic_search", "x_user_search", "x_thread_fetch"})
"""Custom tools by their names that the server runs itself."""


class _InputItem(Struct, gc=False):
    role: str | None = None
    content: Content = Raw()


class Request(Struct, gc=False):
    """A text, or items of a conversation."""

    input: str | list[_InputItem] | None = None
    instructions: str | None = None


class _InputDetails(Struct, gc=False):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None  # Perplexity


class _OutputDetails(Struct, gc=False):
    reasoning_tokens: Count | None = None


class _Invocations(Struct, gc=False):
    invocation: Count | None = None


class _Invoked(Struct, gc=False):
    """Tools that Perplexity ran."""

    search_web: _Invocations | None = None
    fetch_url: _Invocations | None = None


class _Ran(Struct, gc=False):
    """Tools that xAI ran."""

    web_search_calls: Count | None = None
    x_search_calls: Count | None = None
    code_interpreter_calls: Count | None = None
    file_search_calls: Count | None = None
    document_search_calls: Count | None = None


class _Usage(Charge, gc=False):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    tool_calls_details: _Invoked | None = None
    server_side_tool_usage_details: _Ran | None = None


class _Action(Struct, gc=False):
    type: str | None = None


class _Words(Part, gc=False):
    refusal: str | None = None
    transcript: str | None = None


class _Item(Struct, gc=False):
    type: str | None = None
    role: str | None = None
    content: list[_Words] | None = None
    action: _Action | None = None
    name: str | None = None


class _Searches(Struct, gc=False):
    num_requests: Count | None = None


class _Tools(Struct, gc=False):
    web_search: _Searches | None = None


class _Why(Struct, gc=False):
    reason: str | None = None


class _Response(Struct, gc=False):
    id: str | None = None
    background: bool | None = None
    model: str | None = None
    status: str | None = None
    output: list[_Item] | None = None
    usage: _Usage | None = None
    error: Raw = Raw()
    incomplete_details: _Why | None = None
    service_tier: str | None = None
    tool_usage: _Tools | None = None


class _Event(Struct, gc=False):
    type: str | None = None
    delta: str | None = None
    item: _Item | None = None
    response: _Response | None = None


REQUEST = Shape(Request)
RESPONSE = Shape(_Response)
EVENT = Shape(_Event)


def size(body: bytes) -> int | None:
    """Returns how many bytes of UTF-8 the text of a request has, as `conversation.size` does."""
    request = REQUEST.read(body)
    if request is None or not request.input:
        return None
    said = (
        [len(request.input.encode("utf-8", "replace"))]
        if isinstance(request.input, str)
        else map(_sized, request.input)
    )
    return around(said) + len((request.instructions or "").encode("utf-8", "replace"))


def _sized(item: _InputItem) -> int:
    return size_of(item.content)


def prompt(body: bytes) -> str | None:
    """Returns the prompt of a request; `None` when there is none, or the body is not a JSON object."""
    request = REQUEST.read(body)
    given = request and request.input
    if isinstance(given, str):
        return cap(given)
    return last_of_user(given or ())


def event(tally: Tally, data: bytes) -> bool:
    """Takes one event of a stream; tells whether it could be read."""
    parsed = EVENT.read(data)
    if parsed is None:
        return False
    if parsed.type in _WORDS:
        if parsed.delta:
            tally.say(parsed.delta)
    elif parsed.type == "response.output_item.added":
        tally.tool_calls += _calls(parsed.item)
    elif parsed.type == "error":
        tally.error = tally.error or describe_body(data) or "error"
    elif parsed.response is not None:
        tally.name(parsed.response.model)
        if parsed.type in _TERMINAL:
            tally.complete = True
            _take(tally, parsed.response)
    return True


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole response; tells whether it could be read."""
    response = RESPONSE.read(data)
    if response is None:
        return False
    tally.name(response.model)
    _take(tally, response)
    return True


def stored_event(tally: Tally, data: bytes) -> bool:
    """Takes one event of a stream of a response that is kept; tells whether it could be read."""
    known = event(tally, data)
    if tally.complete:
        _disown(tally)
    return known


def stored_whole(tally: Tally, data: bytes) -> bool:
    """Takes a response that is kept, or what became of it; tells whether it could be read."""
    known = whole(tally, data)
    _disown(tally)
    return known


def _disown(tally: Tally) -> None:
    """Leaves the usage to the call that made the response, where that could state it."""
    if ANSWER_ID in tally.terms:
        return
    charged = tally.terms.pop(STATED_COST, None)
    if tally.counts is not None or tally.units or charged is not None:
        tally.counts = None
        tally.units = {}
        tally.term(COUNTED_BY, "the call that made it")


def _take(tally: Tally, response: _Response) -> None:
    """Takes a response object. What a stream has shown of the output already is not taken again."""
    tally.fails(response.error)
    why = response.incomplete_details and response.incomplete_details.reason
    tally.finish = why or response.status
    if response.status == "incomplete":
        tally.error = tally.error or f"incomplete: {why or 'no reason is given'}"
    output = response.output or ()
    tally.tool_calls = max(tally.tool_calls, sum(map(_calls, output)))
    if not tally.texts:
        for item in output:
            # A conversation that was made shorter holds the words of the user too.
            for part in item.content or () if item.type == "message" and item.role != "user" else ():
                if words := part.text or part.refusal or part.transcript:
                    tally.say(words)
    _searched(tally, response, output)
    tally.term("service_tier", response.service_tier)
    usage = response.usage
    if usage is not None:
        if response.background:
            tally.term(ANSWER_ID, response.id)
        details = usage.input_tokens_details
        tally.count(
            Counts(
                prompt=usage.input_tokens,
                cached=details.cached_tokens if details else None,
                written=_written(details) if details else None,
                output=usage.output_tokens,
                reasoning=usage.output_tokens_details.reasoning_tokens if usage.output_tokens_details else None,
                total=usage.total_tokens,
            )
        )
        _ran(tally, usage)
        take_charge(tally, usage)


def _written(details: _InputDetails) -> int | None:
    written = details.cache_write_tokens
    return details.cache_creation_input_tokens if written is None else written


def _ran(tally: Tally, usage: _Usage) -> None:
    """Takes what the provider counts of the tools that it ran, which goes before what the output shows."""
    invoked = usage.tool_calls_details
    if invoked is not None:
        tally.unit("web_searches", invoked.search_web.invocation if invoked.search_web is not None else None)
        tally.unit("fetch_url", invoked.fetch_url.invocation if invoked.fetch_url is not None else None)
    ran = usage.server_side_tool_usage_details
    if ran is not None:
        tally.unit("web_searches", ran.web_search_calls)
        tally.unit("social_searches", ran.x_search_calls)
        tally.unit("code_executions", ran.code_interpreter_calls)
        tally.unit("storage_searches", (ran.file_search_calls or 0) + (ran.document_search_calls or 0))


def _searched(tally: Tally, response: _Response, output: Sequence[_Item]) -> None:
    """Counts the searches that are paid for: as the provider states them, else as the output shows them."""
    tools = response.tool_usage
    if tools is not None and tools.web_search is not None and tools.web_search.num_requests is not None:
        tally.unit("web_searches", tools.web_search.num_requests)
    else:
        # Opening a page that was found costs nothing.
        found = [item for item in output if item.type == "web_search_call"]
        tally.unit("web_searches", sum(item.action is None or item.action.type in _SEARCHES for item in found))
    tally.unit("storage_searches", sum(item.type == "file_search_call" for item in output))


def _calls(item: _Item | None) -> int:
    return int(item is not None and item.type in _CALLER_RUNS and item.name not in _XAI_RUNS)
