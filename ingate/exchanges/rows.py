"""Records of exchanges as rows of the table. Pure.

A row is made for every exchange. Many are made at once, column by column: fields are read in bulk, and each step is
taken for all of them before the next, which keeps its code in the processor's cache and takes two thirds of the time.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from math import isfinite
from operator import attrgetter
from typing import Any, TypeVar, cast

import msgspec
import structlog
from msgspec import UNSET, Struct, UnsetType

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.exchange_pb2 import Attempt, Exchange
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate import clock, ids
from ingate.errors import BadRequest
from ingate.exchanges.columns import (
    COLUMNS,
    FRACTIONS,
    LENGTHS,
    NULLABLE,
    NUMBERS,
    OPTIONAL,
    PAYLOAD,
    TEXTS,
    Row,
)
from ingate.exchanges.said import Noted, Read, Record, is_packed, reading, said
from ingate.exchanges.tables import MAX_NAME
from ingate.formats import Pace, Pairs, at_once
from ingate.packed import PackedRecord
from ingate.pricing import MAX_PICO, Bill, Source, bill
from ingate.remembered import Remembered

MAX_ERROR = 500
COST_REASON = "cost_reason"
"""The name in metadata of why a cost is unknown, or is not what the provider states."""
PROVIDER_ERROR = "provider_error"
SEEDED, SEED = "seeded", "demo"
"""The name and value in metadata that tell example traffic from calls."""
log = structlog.get_logger(__name__)

T = TypeVar("T")
Columns = dict[str, Sequence[Any]]
"""Values by the name of their column."""

_SOURCES = {source: pb.CostSource.Value(f"COST_SOURCE_{source.name}") for source in Source}
_TOO_DEAR = Bill(None, Source.UNKNOWN, "the cost is larger than any that is kept")
"""Stands in for a bill that no column holds."""
_MOMENTS = range(-62_135_596_800 * clock.SECOND, 253_402_300_800 * clock.SECOND)
"""The years 1 to 9999."""

_json = msgspec.json.Encoder()
_head = attrgetter("org_id", "exchange", "price_provider")
_noted = attrgetter("request_id", "key_id", "created_at", "attempts", "tags")
_numbers = attrgetter(*NUMBERS)
_texts = attrgetter(*TEXTS)
_tried = attrgetter("provider", "latency_ms", "status_code", "error")

_OWN_BY_COLUMN = {
    "id": "request_id",
    "created_at": "created_at",
    **{name: name for name in ("status_code", "level", "error_code", "latency_ms", "ttft_ms", "stream")},
}
_OWN = tuple(_OWN_BY_COLUMN)
"""Columns of a packed record's own, which differ from exchange to exchange."""
_own = attrgetter(*_OWN_BY_COLUMN.values())
_STATED = tuple(name for name in ("org_id", "key_id", "tags", *NUMBERS, *TEXTS) if name not in _OWN)
"""Columns that many packed records have alike, and state together."""
_LONGEST_CODE = LENGTHS[TEXTS.index("error_code")]


class _Tried(Struct, omit_defaults=True, gc=False):
    """An attempt as it is stored."""

    provider: str
    latency_ms: float
    status_code: int | UnsetType
    error: str | UnsetType


def rows(records: Sequence[Record], first: int, read: Sequence[Read] | None = None) -> list[Row]:
    """Returns the values of COLUMNS for each record, priced. There is at least one; it is number `first` of its batch.

    The records are all messages, or all packed. `read` is what was taken of their payloads, where they have been read
    before.
    Text that a column cannot hold is cut or cleaned. What cannot be mended is BadRequest, naming the first such record;
    so is what fails by a fault of ours, or one record would be sent again for ever, and all others wait behind it.
    """
    if read is None:
        read = at_once(reading(records, Pace()))
    try:
        return _rows(records, read, first)
    except Exception:
        # Column by column, a fault that is found first need not be of the first record that has one.
        for index, (record, its) in enumerate(zip(records, read, strict=True), first):
            try:
                _rows([record], [its], index)
            except BadRequest:
                raise
            except Exception as fault:
                it = record if isinstance(record, PackedRecord) else record.exchange
                log.exception("record_not_converted", request_id=it.request_id)
                raise BadRequest.field(
                    f"{_among(records)}[{index}]", f"cannot be converted: {type(fault).__name__}"
                ) from fault
        raise


def _rows(records: Sequence[Record], read: Sequence[Read], first: int) -> list[Row]:
    if is_packed(records):
        its: Sequence[Noted] = records
        price_providers, columns = _unpacked(records)
    else:
        its, price_providers, columns = _taken(cast("Sequence[ExchangeRecord]", records))
    moments = columns["created_at"]
    check = partial(_check, first, _among(records))
    check("org_id", columns["org_id"], _uuids.__getitem__, "must be a UUID")
    check("exchange.request_id", columns["id"], ids.is_uuid, "must be a UUID")
    check("exchange.key_id", columns["key_id"], _uuids.__getitem__, "must be a UUID")
    check("exchange.created_at", moments, _MOMENTS.__contains__, "is out of range")
    told = said(its, read, first=first)
    for name in FRACTIONS:
        check(f"exchange.{name}", [value or 0.0 for value in columns[name]], isfinite, "must be a finite number")
    columns |= zip(PAYLOAD, zip(*(kept for _, _, kept in read), strict=True), strict=True)
    named, usages, prompts, completions, metadata, units, problems, usage_sources = zip(*told, strict=True)
    models = list(map(_names.__getitem__, named))
    bills = [
        made if made.cost is None or made.cost <= MAX_PICO else _TOO_DEAR
        for made in map(bill, price_providers, models, usages, moments, units, metadata)
    ]
    columns |= {
        "model": models,
        "level": [
            pb.LEVEL_ERROR if problem is not None and level == pb.LEVEL_INFO else level
            for level, problem in zip(columns["level"], problems, strict=True)
        ],
        "error_code": [
            PROVIDER_ERROR if problem is not None and level == pb.LEVEL_INFO and code is None else code
            for level, code, problem in zip(columns["level"], columns["error_code"], problems, strict=True)
        ],
        "input_tokens": [usage.input for usage in usages],
        "output_tokens": [usage.output for usage in usages],
        "cache_read_tokens": [usage.cache_read for usage in usages],
        "cache_write_tokens": [usage.cache_write for usage in usages],
        "reasoning_tokens": [usage.reasoning for usage in usages],
        "total_tokens": [usage.total for usage in usages],
        "cost_pico": [made.cost for made in bills],
        "prompt": [_text(text) if text and "\0" in text else text for text in prompts],
        "completion": [_text(text) if text and "\0" in text else text for text in completions],
        "meta": [
            _objects[pairs if made.reason is None else (*pairs, (COST_REASON, made.reason))]
            for pairs, made in zip(metadata, bills, strict=True)
        ],
        "units": [_json.encode(dict(counts)).decode() if counts else "{}" for counts in units],
        "cost_source": [_SOURCES[made.source] for made in bills],
        "usage_source": usage_sources,
        "error_message": [text and _text(text, MAX_ERROR) for text in problems],
    }
    return list(zip(*map(columns.__getitem__, COLUMNS), strict=True))


def _taken(records: Sequence[ExchangeRecord]) -> tuple[Sequence[Exchange], Sequence[str], Columns]:
    """Returns what messages note: the exchanges, whose prices apply, and columns."""
    org_ids, its, price_providers = zip(*map(_head, records), strict=True)
    request_ids, key_ids, stamps, attempts, tags = zip(*map(_noted, its), strict=True)
    columns: Columns = dict(zip(NUMBERS, zip(*map(_numbers, its), strict=True), strict=True))
    for name in OPTIONAL:
        # Only what is zero may be absent.
        columns[name] = [
            value if value or it.HasField(name) else None for value, it in zip(columns[name], its, strict=True)
        ]
    columns |= zip(TEXTS, zip(*map(_cleaned.__getitem__, map(_texts, its)), strict=True), strict=True)
    columns |= {
        "id": request_ids,
        "org_id": org_ids,
        "key_id": key_ids,
        "created_at": list(map(clock.from_proto, stamps)),
        "attempts": _written([list(map(_tried_once, several[:])) for several in attempts]),
        "tags": [_objects[tuple(pairs.items())] if pairs else "{}" for pairs in tags],
    }
    return its, price_providers, columns


def _unpacked(records: Sequence[PackedRecord]) -> tuple[Sequence[str], Columns]:
    """Returns what packed records note: whose prices apply, and columns."""
    price_providers, *stated = zip(*[_stated[record.stated] for record in records], strict=True)
    columns: Columns = dict(zip(_STATED, stated, strict=True))
    columns |= zip(_OWN, zip(*map(_own, records), strict=True), strict=True)
    columns["error_code"] = [(code and _text(code, _LONGEST_CODE)) or None for code in columns["error_code"]]
    columns["attempts"] = _written(
        [
            [_Tried(it.provider, it.latency_ms, _given(it.status_code), _given(it.error)) for it in record.attempts]
            for record in records
        ]
    )
    return price_providers, columns


def _stated_columns(stated: bytes) -> tuple[Any, ...]:
    """Returns whose prices apply and the columns _STATED, as a part of an ExchangeRecord in wire form states them."""
    _, price_providers, columns = _taken([ExchangeRecord.FromString(stated)])
    return (*price_providers, *(columns[name][0] for name in _STATED))


def _among(records: Sequence[Record]) -> str:
    """Returns the field of a request that has these records."""
    return "packed" if is_packed(records) else "records"


def _check(  # noqa: PLR0917 -- the first two are alike in all calls
    first: int, among: str, name: str, column: Sequence[T], good: Callable[[T], bool], fault: str
) -> None:
    """Raises BadRequest for the first value that no column holds and no default may stand in for."""
    if not all(map(good, column)):
        index = next(index for index, value in enumerate(column, first) if not good(value))
        raise BadRequest.field(f"{among}[{index}].{name}", fault)


def _tried_once(it: Attempt) -> "_Tried":
    provider, latency_ms, status_code, error = _tried(it)
    return _Tried(
        provider,
        latency_ms,
        status_code if status_code or it.HasField("status_code") else UNSET,
        error if error or it.HasField("error") else UNSET,
    )


def _given(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


def _written(tries: list[list["_Tried"]]) -> list[str]:
    """Returns the attempts of each exchange as JSON. All are written at once: JSON has no line ends of its own."""
    return _json.encode_lines(tries)[:-1].decode().split("\n")


def _text(text: str, most: int | None = None) -> str:
    # PostgreSQL stores no NUL in text; the payload keeps the original.
    return (text.replace("\0", "\ufffd") if "\0" in text else text)[:most]


def _clean(texts: tuple[str, ...]) -> tuple[str | None, ...]:
    """Returns what `_texts` gave as columns hold it."""
    return tuple(
        _text(text, most) or (None if nullable else "")
        for text, most, nullable in zip(texts, LENGTHS, NULLABLE, strict=True)
    )


_cleaned: Remembered[tuple[str, ...], tuple[str | None, ...]] = Remembered(_clean, lambda texts: sum(map(len, texts)))
_names: Remembered[str, str] = Remembered(lambda name: _text(name, MAX_NAME), len)
_objects: Remembered[Pairs, str] = Remembered(
    lambda pairs: _json.encode(dict(pairs)).decode(), lambda pairs: sum(map(len, chain.from_iterable(pairs)))
)
"""Names, metadata and tags as columns hold them, remembered: they repeat from exchange to exchange."""
_uuids: Remembered[str, bool] = Remembered(ids.is_uuid, len)
"""Whether ids that many records share are some."""
_stated: Remembered[bytes, tuple[Any, ...]] = Remembered(_stated_columns, len)
"""What packed records state together."""
