"""Answers of classifiers: documents ranked by a query, and texts judged by a moderation.

Providers share the paths and differ in how they count: Cohere in searches, Jina, Voyage and Together in tokens.
"""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from ingate.formats.content import Part, cap, strings_of, text_of
from ingate.formats.media_usage import MediaUsage, take_usage
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count, Counts


class _RankRequest(Struct, gc=False):
    query: str | None = None


class _ModerationRequest(Struct, gc=False):
    input: Annotated[Raw, Meta(extra={"of": str | list[str | Part]})] = Raw()


class _Billed(Struct, gc=False):
    search_units: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None


class _Notes(Struct, gc=False):
    billed_units: _Billed | None = None


class _Judged(Struct, gc=False):
    flagged: bool | None = None


class _Answer(Struct, gc=False):
    model: str | None = None
    usage: MediaUsage | None = None
    meta: _Notes | None = None
    error: Raw = Raw()


class _Moderation(_Answer, gc=False):
    results: list[_Judged] | None = None


RANK_REQUEST = Shape(_RankRequest)
MODERATION_REQUEST = Shape(_ModerationRequest)
RANKING = Shape(_Answer)
MODERATION = Shape(_Moderation)


def rank_prompt(body: bytes) -> str | None:
    """Returns the query of a request; `None` when there is none, or the body is not a JSON object."""
    request = RANK_REQUEST.read(body)
    return None if request is None else cap(request.query)


def moderation_prompt(body: bytes) -> str | None:
    """Returns the text that is to be judged; `None` when there is none, or the body is not a JSON object."""
    request = MODERATION_REQUEST.read(body)
    return None if request is None else strings_of(request.input) or text_of(request.input)


def ranking(tally: Tally, data: bytes) -> bool:
    """Takes a whole response; tells whether it could be read."""
    answer = RANKING.read(data)
    if answer is None:
        return False
    _take(tally, answer)
    return True


def moderation(tally: Tally, data: bytes) -> bool:
    """Takes a whole response; tells whether it could be read."""
    answer = MODERATION.read(data)
    if answer is None:
        return False
    if _take(tally, answer):
        flags = [result.flagged for result in answer.results or () if result.flagged is not None]
        if flags:
            tally.term("flagged", "true" if any(flags) else "false")
    return True


def _take(tally: Tally, answer: _Answer) -> bool:
    """Takes what both kinds say; tells whether it is no error."""
    if answer.error and tally.fails(answer.error):
        return False
    tally.name(answer.model)
    if answer.usage is not None:
        take_usage(tally, answer.usage)
    billed = answer.meta.billed_units if answer.meta is not None else None
    if billed is not None:
        tally.unit("rerank_searches", billed.search_units)
        if billed.input_tokens is not None or billed.output_tokens is not None:
            tally.count(Counts(prompt=billed.input_tokens, output=billed.output_tokens))
    return True
