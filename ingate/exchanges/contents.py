"""What the bodies of exchanges say: as their record states it or, where it states nothing, as read from the bodies.

Pure. Knows no table but the names of its columns.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Literal, TypeGuard, get_args

import msgspec

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.exchange_pb2 import Exchange
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate.errors import BadRequest
from ingate.exchanges.columns import PAYLOAD
from ingate.formats import (
    INCOMPLETE,
    LARGE,
    Format,
    Pace,
    Pairs,
    ResponseFacts,
    Steps,
    Usage,
    completed,
    estimating,
    read_small,
    read_small_prompt,
    reading_prompt,
    reading_response,
    with_hidden,
)
from ingate.packed import PackedRecord
from ingate.pricing import Units
from ingate.pricing.usage import UNSTATED

MAX_COUNT = 2**60
"""Tokens of one kind at most: their sum still fits a column."""
MAX_UNIT = 300
"""Characters of the name of a unit: a model and a unit of it."""

Contents = tuple[str, Usage, str | None, str | None, Pairs, Units, str | None, int]
"""Model, tokens, prompt, completion, metadata, other units, error, and source of the usage. The model may be empty."""
Record = ExchangeRecord | PackedRecord
Reported = Exchange | PackedRecord
"""An exchange as a gateway reports it."""
Kept = tuple[Any, ...]
"""The values of the columns PAYLOAD."""
Read = tuple[ResponseFacts | None, str | None, Kept]
"""The facts of a response and the prompt, both None where the bodies were not read, and the payload."""

_COUNTED, _UNCOUNTED = pb.USAGE_SOURCE_PROVIDER, pb.USAGE_SOURCE_UNSPECIFIED
_ESTIMATE = pb.USAGE_SOURCE_ESTIMATE

_FORMATS = {format.value: format for format in Format}
_OTHER = Format.OTHER  # looking a member up takes as long as two calls
_Count = Literal["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"]
_COUNTS: tuple[_Count, ...] = get_args(_Count)
"""What makes a Usage, in its order."""
_counts = attrgetter(*_COUNTS)
_rest = attrgetter("model", "prompt", "completion", "metadata", "units", "error_message")
_beside = attrgetter("model", "metadata", "error_message", "stream")
_of_message = attrgetter(
    "format", "media_type", "hidden_event", "exchange.stream", *(f"payload.{name}" for name in PAYLOAD)
)
_of_packed = attrgetter("format", "media_type", "hidden_event", "stream", *PAYLOAD)
_EMPTY: Kept = attrgetter(*PAYLOAD)(pb.Payload())
_NOTHING: Kept = tuple(None if value == b"" else value for value in _EMPTY)
_ASKED, _HEADERS, _ANSWERED = map(PAYLOAD.index, ("request_body", "response_headers", "response_body"))


def reading(records: Sequence[Record], pace: Pace) -> Steps[list[Read]]:
    """Takes payloads, and reads those of exchanges that do not state what they say, in bounded pieces of work.

    The records are all messages, or all packed.
    """
    read: list[Read] = []
    taken = map(_of_packed if is_packed(records) else _of_message, records)
    for record, (named, media_type, hidden, stream, *bodies) in zip(records, taken, strict=True):
        kept = tuple(bodies)
        # Only what is empty may be absent.
        if kept == _EMPTY and isinstance(record, ExchangeRecord) and not record.HasField("payload"):
            read.append((None, None, _NOTHING))
            continue
        if not named:
            read.append((None, None, kept))
            continue
        # A gateway that is newer than this core may know formats that it does not.
        format = _FORMATS.get(named, _OTHER)
        asked, answered = kept[_ASKED], kept[_ANSWERED]
        if hidden:
            answered = with_hidden(hidden, answered)
        # Most bodies are small and plain: a generator for each would cost a sixth more.
        facts = read_small(format, media_type, "", answered)
        if facts is None:
            facts = yield from reading_response(format, media_type, "", answered, pace)
        if len(asked) > LARGE:
            prompt = yield from reading_prompt(format, asked, pace)
        else:
            prompt = read_small_prompt(format, asked)
            if pace.spend(len(asked) + len(answered) >> 6):
                yield
        if stream:
            facts = yield from estimating(format, asked, facts, pace)
        if format in INCOMPLETE:
            it = record.exchange if isinstance(record, ExchangeRecord) else record
            facts = _completed(format, facts, it, prompt, kept[_HEADERS])
        read.append((facts, prompt, kept))
    return read


def _completed(format: Format, facts: ResponseFacts, it: Reported, prompt: str | None, headers: bytes) -> ResponseFacts:
    return completed(
        format,
        facts,
        succeeded=it.status_code < 400,
        asked=it.model or "",
        prompt=prompt,
        headers=partial(_headers, headers),
    )


def _headers(stated: bytes) -> dict[str, str]:
    """Returns the headers of an answer as they were recorded; none where they cannot be read."""
    try:
        return msgspec.json.decode(stated, type=dict[str, str])
    except msgspec.MsgspecError:
        return {}


def contents_of(its: Sequence[Reported], read: Sequence[Read], *, first: int) -> list[Contents]:
    """Returns the contents of each exchange: of its bodies where they were read, else as it states them.

    The first is number `first` of its batch. Raises BadRequest for a count that is too large for its column.
    """
    return [
        _stated(it, index) if facts is None else _learned(it, facts, prompt)
        for index, (it, (facts, prompt, _)) in enumerate(zip(its, read, strict=True), first)
    ]


def is_packed(records: Sequence[Record]) -> TypeGuard[Sequence[PackedRecord]]:
    """Tells whether these records are packed. They are all of one kind."""
    return bool(records) and isinstance(records[0], PackedRecord)


def _stated(it: Any, index: int) -> Contents:
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
        it.usage_source or _source(usage, counted=bool(units)),
    )


def _counted(units: Mapping[str, int], index: int) -> Units:
    for name, count in units.items():
        if len(name) > MAX_UNIT or not 0 <= count <= MAX_COUNT:
            raise BadRequest.field(f"records[{index}].exchange.units", "has a count out of range or a name too long")
    return tuple(units.items())


def _learned(it: Reported, facts: ResponseFacts, prompt: str | None) -> Contents:
    """Returns contents of bodies that were read. The model is the requested one where the answer names none."""
    model, stated, problem, stream = _beside(it)
    usage, units, metadata = facts.usage, facts.units, facts.metadata
    if stated:
        metadata = tuple({**stated, **dict(metadata)}.items())
    problem = problem or facts.failure(stream=stream)
    source = _ESTIMATE if facts.estimated else _source(usage, counted=bool(units))
    return facts.model or model or "", usage, prompt, facts.completion, metadata, units, problem, source


def _source(usage: Usage, *, counted: bool) -> int:
    return _UNCOUNTED if usage == UNSTATED and not counted else _COUNTED
