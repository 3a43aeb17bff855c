"""Gemini content generation and embedding: model and streaming are in the path, usage comes in every chunk."""

from msgspec import Raw, Struct

from ingate.formats.content import Content, joined, text_of
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts


class _Content(Struct, gc=False):
    parts: Content  # required: a large body of empty objects must not become as many structs
    role: str | None = None


class _Embedding(Struct, gc=False):
    content: _Content


class _Request(Struct, gc=False):
    contents: list[_Content] | None = None
    content: _Content | None = None
    requests: list[_Embedding] | None = None


class _Piece(Struct, gc=False, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    function_call: Raw = Raw()


class _Said(Struct, gc=False):
    parts: list[_Piece] | None = None


class _Candidate(Struct, gc=False, rename="camel"):
    index: int | None = None
    content: _Said | None = None
    finish_reason: str | None = None


class _Usage(Struct, gc=False, rename="camel"):
    prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None


class _Feedback(Struct, gc=False, rename="camel"):
    block_reason: str | None = None


class _Response(Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    prompt_feedback: _Feedback | None = None
    error: Raw = Raw()


REQUEST = Shape(_Request)
RESPONSE = Shape(_Response)


def prompt(body: bytes) -> str | None:
    """Returns the prompt of a request; `None` when there is none, or the body is not a JSON object."""
    request = REQUEST.read(body)
    if request is None:
        return None
    if request.requests:
        return joined(text_of(embedding.content.parts) for embedding in request.requests)
    for content in reversed(request.contents or (request.content and [request.content]) or ()):
        if content.role in (None, "", "user"):
            return text_of(content.parts)
    return None


def event(tally: Tally, data: bytes) -> bool:
    """Takes a whole response or one chunk of a stream; tells whether it could be read."""
    response = RESPONSE.read(data)
    if response is None:
        return False
    if response.error and tally.fails(response.error):
        return True
    if tally.model is None:
        tally.name(response.model_version)
    for candidate in response.candidates or ():
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
            )
        )
    return True


def _candidate(tally: Tally, candidate: _Candidate) -> None:
    pieces = candidate.content.parts if candidate.content is not None else None
    for piece in pieces or ():
        if piece.function_call:
            tally.tool_calls += 1
        elif piece.text and not piece.thought and not candidate.index:
            tally.say(piece.text)
    tally.end(candidate.finish_reason)
