"""Records of exchanges as rows of the table. Pure.

A row is made for every exchange. Many are made at once, column by column: fields are read in bulk, and each step is
taken for all of them before the next, which keeps its code in the processor's cache and takes two thirds of the time.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import TypeVar, cast

import msgspec
import structlog

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate import clock, ids
from ingate.errors import BadRequest
from ingate.exchanges.columns import (
    COLUMNS,
    FRACTIONS,
    PAYLOAD,
    Row,
)
from ingate.exchanges.contents import Read, Record, Reported, contents_of, is_packed, reading
from ingate.exchanges.reported import cleaned, objects, of_messages, of_packed
from ingate.exchanges.tables import MAX_NAME
from ingate.formats import Pace, at_once
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

_SOURCES = {source: pb.CostSource.Value(f"COST_SOURCE_{source.name}") for source in Source}
_TOO_DEAR = Bill(None, Source.UNKNOWN, "the cost is larger than any that is kept")
"""Stands in for a bill that no column holds."""
_MOMENTS = range(-62_135_596_800 * clock.SECOND, 253_402_300_800 * clock.SECOND)
"""The years 1 to 9999."""

_json = msgspec.json.Encoder()


def rows(records: Sequence[Record], first: int, read: Sequence[Read] | None = None) -> list[Row]:
    """Returns the values of COLUMNS for each record, priced. There is at least one; it is number `first` of its batch.

    The records are all messages, or all packed. `read` is what was taken of their payloads, where they have been read
    before.
    Text that does not fit its column is cut or cleaned. Raises BadRequest naming the first record that cannot be
    converted, also where the converter itself is at fault: otherwise the gateway would send that record again for ever,
    and all others would wait behind it.
    """
    if read is None:
        read = at_once(reading(records, Pace()))
    try:
        return _rows(records, read, first)
    except Exception:
        # Since conversion goes column by column, the first error need not be that of the first faulty record.
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
        its: Sequence[Reported] = records
        price_providers, columns = of_packed(records)
    else:
        its, price_providers, columns = of_messages(cast("Sequence[ExchangeRecord]", records))
    moments = columns["created_at"]
    check = partial(_check, first, _among(records))
    check("org_id", columns["org_id"], _uuids.__getitem__, "must be a UUID")
    check("exchange.request_id", columns["id"], ids.is_uuid, "must be a UUID")
    check("exchange.key_id", columns["key_id"], _uuids.__getitem__, "must be a UUID")
    check("exchange.created_at", moments, _MOMENTS.__contains__, "is out of range")
    contents = contents_of(its, read, first=first)
    for name in FRACTIONS:
        check(f"exchange.{name}", [value or 0.0 for value in columns[name]], isfinite, "must be a finite number")
    columns |= zip(PAYLOAD, zip(*(kept for _, _, kept in read), strict=True), strict=True)
    named, usages, prompts, completions, metadata, units, problems, usage_sources = zip(*contents, strict=True)
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
        "prompt": [cleaned(text) if text and "\0" in text else text for text in prompts],
        "completion": [cleaned(text) if text and "\0" in text else text for text in completions],
        "meta": [
            objects[pairs if made.reason is None else (*pairs, (COST_REASON, made.reason))]
            for pairs, made in zip(metadata, bills, strict=True)
        ],
        "units": [_json.encode(dict(counts)).decode() if counts else "{}" for counts in units],
        "cost_source": [_SOURCES[made.source] for made in bills],
        "usage_source": usage_sources,
        "error_message": [text and cleaned(text, MAX_ERROR) for text in problems],
    }
    return list(zip(*map(columns.__getitem__, COLUMNS), strict=True))


def _among(records: Sequence[Record]) -> str:
    """Returns the name of the request field that has these records."""
    return "packed" if is_packed(records) else "records"


def _check(  # noqa: PLR0917 -- the first two are alike in all calls
    first: int, among: str, name: str, column: Sequence[T], good: Callable[[T], bool], fault: str
) -> None:
    """Raises BadRequest for the first value that is not `good`."""
    if not all(map(good, column)):
        index = next(index for index, value in enumerate(column, first) if not good(value))
        raise BadRequest.field(f"{among}[{index}].{name}", fault)


_names: Remembered[str, str] = Remembered(lambda name: cleaned(name, MAX_NAME), len)
"""Names of models as the column holds them, remembered: they repeat from exchange to exchange."""
_uuids: Remembered[str, bool] = Remembered(ids.is_uuid, len)
"""Whether ids that many records share are some."""
