"""Gemini content generation and embedding: model and streaming are in the path, usage comes in every chunk."""

from msgspec import Raw, Struct

from ingate.formats.content import Content, joined, size_of, text_of
from ingate.formats.conversation import around
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts


class _Content(Struct, gc=False):
    parts: Content  # required: a large body of empty objects must not become as many structs
    role: str | None = None


class _Embedding(Struct, gc=False):
    content: _Content


class Request(Struct, gc=False, rename={"system": "systemInstruction"}):
    """Contents to answer, or texts to embed."""

    system: _Content | None = None
    contents: list[_Content] | None = None
    content: _Content | None = None
    requests: list[_Embedding] | None = None


class _Piece(Struct, gc=False, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    function_call: Raw = Raw()


class _Said(Struct, gc=False):
    parts: list[_Piece] | None = None


class _Grounding(Struct, gc=False, rename="camel"):
    web_search_queries: list[str] | None = None


class _Candidate(Struct, gc=False, rename="camel"):
    index: int | None = None
    content: _Said | None = None
    finish_reason: str | None = None
    grounding_metadata: _Grounding | None = None


class _Kind(Struct, gc=False, rename="camel"):
    modality: str | None = None
    token_count: Count | None = None


class _Usage(Struct, gc=False, rename="camel"):
    prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    total_token_count: Count | None = None
    prompt_tokens_details: list[_Kind] | None = None
    cache_tokens_details: list[_Kind] | None = None
    candidates_tokens_details: list[_Kind] | None = None
    tool_use_prompt_tokens_details: list[_Kind] | None = None
    traffic_type: str | None = None
    service_tier: str | None = None


class _Feedback(Struct, gc=False, rename="camel"):
    block_reason: str | None = None


class _Response(Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    prompt_feedback: _Feedback | None = None
    error: Raw = Raw()


_KINDS = {"AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image", "VIDEO": "video"}
_PAID_BY_PROMPT = ("gemini-1", "gemini-2")

REQUEST = Shape(Request)
RESPONSE = Shape(_Response)


def prompt(body: bytes) -> str | None:
    """Returns the prompt of a request; `None` when there is none, or the body is not a JSON object."""
    request = REQUEST.read(body)
    if request is None:
        return None
    if request.requests:
        return joined(text_of(embedding.content.parts) for embedding in request.requests)
    for content in reversed(request.contents or (request.content and [request.content]) or ()):
        if content.role in (None, "", "user") and (said := text_of(content.parts)) is not None:
            return said
    return None


def size(body: bytes) -> int | None:
    """Returns how many bytes of UTF-8 the text of a request has, as `conversation.size` does."""
    request = REQUEST.read(body)
    if request is None or not request.contents:
        return None
    before = size_of(request.system.parts) if request.system else 0
    return around(size_of(content.parts) for content in request.contents) + before


def event(tally: Tally, data: bytes) -> bool:
    """Takes a whole response or one chunk of a stream; tells whether it could be read."""
    response = RESPONSE.read(data)
    if response is None:
        return False
    failed = bool(response.error) and tally.fails(response.error)
    if tally.model is None:
        tally.name(response.model_version)
    for candidate in () if failed else response.candidates or ():
        _candidate(tally, candidate)
    if response.prompt_feedback is not None:
        tally.end(response.prompt_feedback.block_reason)
    usage = response.usage_metadata
    if usage is not None:
        tally.count(
            Counts(
                prompt=usage.prompt_token_count,
                cached=usage.cached_content_token_count,
                tools=usage.tool_use_prompt_token_count,
                output=usage.candidates_token_count,
                reasoning=usage.thoughts_token_count,
                total=usage.total_token_count,
            )
        )
        _kinds(tally, usage)
        tally.term("service_tier", (usage.service_tier or usage.traffic_type or "").lower().removeprefix("on_demand_"))
    return True


def _candidate(tally: Tally, candidate: _Candidate) -> None:
    pieces = candidate.content.parts if candidate.content is not None else None
    for piece in pieces or ():
        if piece.function_call:
            tally.tool_calls += 1
        elif piece.text and not piece.thought and not candidate.index:
            tally.say(piece.text)
    if not candidate.index or tally.finish is None:  # of several candidates the first is the completion
        tally.end(candidate.finish_reason)
    grounding = candidate.grounding_metadata
    queries = sum(map(bool, (grounding and grounding.web_search_queries) or ()))
    if queries:
        # Before version 3, a prompt that was grounded is paid once, however many queries it took.
        tally.unit("web_searches", 1 if (tally.model or "").startswith(_PAID_BY_PROMPT) else queries)


def _kinds(tally: Tally, usage: _Usage) -> None:
    """Takes what kinds of tokens are among the counts; text has the price of the whole."""
    for name, kinds in (
        ("input_{}_tokens", (*(usage.prompt_tokens_details or ()), *(usage.tool_use_prompt_tokens_details or ()))),
        ("cache_{}_read_tokens", usage.cache_tokens_details or ()),
        ("output_{}_tokens", usage.candidates_tokens_details or ()),
    ):
        found: dict[str, int] = {}
        for kind in kinds:
            word = _KINDS.get(kind.modality or "")
            if word is not None:
                found[word] = found.get(word, 0) + (kind.token_count or 0)
        for word, count in found.items():
            tally.unit(name.format(word), count)
