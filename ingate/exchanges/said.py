"""What the bodies of recorded exchanges say: as the record states it or, where it leaves that, as they say themselves.

Pure. Knows no table.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Literal, get_args

from gen.ingate.exchanges.v1.exchange_pb2 import Exchange
from ingate.errors import BadRequest
from ingate.formats import Format, Pairs, ResponseFacts, Usage, read_prompt, read_response
from ingate.pricing import Units

MAX_COUNT = 2**60
"""Tokens of one kind at most: their sum still fits a column."""
MAX_UNIT = 300
"""Characters of the name of a unit: a model and a unit of it."""

Said = tuple[str, Usage, str | None, str | None, Pairs, Units, str | None]
"""Model, tokens, prompt, completion, metadata, other units, what failed. An empty model was not named."""

_FORMATS = {format.value: format for format in Format}
_OTHER = Format.OTHER  # looking a member up takes as long as two calls
_Count = Literal["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"]
_COUNTS: tuple[_Count, ...] = get_args(_Count)
"""What makes a Usage, in its order."""
_counts = attrgetter(*_COUNTS)
_rest = attrgetter("model", "prompt", "completion", "metadata", "units", "error_message")


def said(
    its: Sequence[Exchange],
    formats: Sequence[str],
    media_types: Sequence[str],
    asked: Sequence[bytes | None],
    answered: Sequence[bytes | None],
    *,
    first: int,
) -> list[Said]:
    """Returns what the bodies of each exchange say; the first is number `first` of its batch.

    An exchange without a format, or without bodies, states it itself. Raises BadRequest for a count that no column
    holds.
    """
    # A gateway that is newer than this core may know formats that it does not.
    known = [_FORMATS.get(format, _OTHER) if format else None for format in formats]
    facts = [
        None if format is None or body is None else read_response(format, media_type, "", body)
        for format, media_type, body in zip(known, media_types, answered, strict=True)
    ]
    prompts = [
        None if format is None or body is None else read_prompt(format, body)
        for format, body in zip(known, asked, strict=True)
    ]
    return [
        _stated(it, index) if learned is None else _learned(it, learned, prompt)
        for index, (it, learned, prompt) in enumerate(zip(its, facts, prompts, strict=True), first)
    ]


def _stated(it: Exchange, index: int) -> Said:
    counts = _counts(it)
    if min(counts) < 0 or max(counts) > MAX_COUNT:
        name = next(name for name, count in zip(_COUNTS, counts, strict=True) if not 0 <= count <= MAX_COUNT)
        raise BadRequest.field(f"records[{index}].exchange.{name}", "is out of range")
    model, prompt, completion, metadata, units, error_message = _rest(it)
    has = it.HasField
    # Only what is empty may be absent.
    usage = Usage(*[count if count or has(name) else None for name, count in zip(_COUNTS, counts, strict=True)])
    return (
        model,
        usage,
        prompt if prompt or has("prompt") else None,
        completion if completion or has("completion") else None,
        tuple(metadata.items()),
        _counted(units, index) if units else (),
        error_message or None,
    )


def _counted(units: Mapping[str, int], index: int) -> Units:
    for name, count in units.items():
        if len(name) > MAX_UNIT or not 0 <= count <= MAX_COUNT:
            raise BadRequest.field(f"records[{index}].exchange.units", "has a count out of range or a name too long")
    return tuple(units.items())


def _learned(it: Exchange, facts: ResponseFacts, prompt: str | None) -> Said:
    """Takes the model that was asked for where the answer names none."""
    stated, metadata = it.metadata, facts.metadata
    if stated:
        metadata = tuple({**stated, **dict(metadata)}.items())
    problem = facts.failure(stream=it.stream)
    return facts.model or it.model, facts.usage, prompt, facts.completion, metadata, facts.units, problem
