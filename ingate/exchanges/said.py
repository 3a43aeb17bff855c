"""What the bodies of recorded exchanges say: as the record states it or, where it leaves that, as they say themselves.

Pure. Knows no table.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Literal, get_args

from msgspec import Struct

from gen.ingate.exchanges.v1.exchange_pb2 import Exchange, Payload
from gen.ingate.exchanges.v1.exchange_service_pb2 import ExchangeRecord
from ingate.errors import BadRequest
from ingate.formats import Format, ResponseFacts, Usage, read_prompt, read_response

MAX_COUNT = 2**60
"""Tokens of one kind at most: their sum still fits a column."""

_FORMATS = {format.value: format for format in Format}
_Count = Literal["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"]
_COUNTS: tuple[_Count, ...] = get_args(_Count)
"""What makes a Usage, in its order."""
_counts = attrgetter(*_COUNTS)
_rest = attrgetter("model", "prompt", "completion", "metadata")
_left = attrgetter("exchange", "format", "media_type")


class Said(Struct):
    """What the bodies of an exchange say. An empty model was not named."""

    model: str
    usage: Usage
    prompt: str | None
    completion: str | None
    metadata: Mapping[str, str]


def said(records: Sequence[ExchangeRecord], payloads: Sequence[Payload | None], first: int) -> list[Said]:
    """Returns what the bodies of each record say; the first record is number `first` of its batch.

    Raises BadRequest for a count that no column holds.
    """
    its, names, media_types = zip(*map(_left, records), strict=True)
    left = [
        # A gateway that is newer than this core may know formats that it does not.
        None if payload is None or not name else (_FORMATS.get(name, Format.OTHER), payload)
        for name, payload in zip(names, payloads, strict=True)
    ]
    facts = [
        None if bodies is None else read_response(bodies[0], media_type, "", bodies[1].response_body)
        for bodies, media_type in zip(left, media_types, strict=True)
    ]
    prompts = [None if bodies is None else read_prompt(bodies[0], bodies[1].request_body) for bodies in left]
    return [
        _stated(it, index) if learned is None else _learned(it, learned, prompt)
        for index, (it, learned, prompt) in enumerate(zip(its, facts, prompts, strict=True), first)
    ]


def _stated(it: Exchange, index: int) -> Said:
    counts = _counts(it)
    if min(counts) < 0 or max(counts) > MAX_COUNT:
        name = next(name for name, count in zip(_COUNTS, counts, strict=True) if not 0 <= count <= MAX_COUNT)
        raise BadRequest.field(f"records[{index}].exchange.{name}", "is out of range")
    model, prompt, completion, metadata = _rest(it)
    has = it.HasField
    # Only what is empty may be absent.
    usage = Usage(*[count if count or has(name) else None for name, count in zip(_COUNTS, counts, strict=True)])
    return Said(
        model,
        usage,
        prompt if prompt or has("prompt") else None,
        completion if completion or has("completion") else None,
        metadata,
    )


def _learned(it: Exchange, facts: ResponseFacts, prompt: str | None) -> Said:
    """Takes the model that was asked for where the answer names none."""
    metadata = dict(facts.metadata)
    if it.metadata:
        metadata = {**it.metadata, **metadata}
    return Said(facts.model or it.model, facts.usage, prompt, facts.completion, metadata)
