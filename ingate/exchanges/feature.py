"""What the record of calls adds to a process."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ingate.exchanges.call_lines import CallLines
from ingate.exchanges.purge import purge
from ingate.exchanges.record_servicer import RecordServicer
from ingate.exchanges.servicer import ExchangeServicer
from ingate.exchanges.tables import Arrival, CountedAnswer, Exchange
from ingate.feature import Feature, Job, Parts

PREPARE_SECONDS = 5.0
"""After the start: what the first batch needs is loaded while there is mostly nothing else to do yet."""
EXCHANGES = "ingate.exchanges.v1.ExchangeService"
RECORDS = "ingate.exchanges.v1.RecordService"


def _records(parts: Parts) -> RecordServicer:
    lines = CallLines(parts.database, parts.settings.log_calls)
    return RecordServicer(parts.database, parts.last_used.touch, lines)


async def _prepare(_parts: Parts, servicers: Mapping[str, Any]) -> None:
    await asyncio.sleep(PREPARE_SECONDS)
    await servicers[RECORDS].prepare()


async def _follow(_parts: Parts, servicers: Mapping[str, Any]) -> None:
    await servicers[EXCHANGES].tail.follow(servicers[RECORDS].stored)


async def _forget(_parts: Parts, servicers: Mapping[str, Any]) -> None:
    await servicers[EXCHANGES].tail.forget()


FEATURE = Feature(
    servicers={
        EXCHANGES: lambda parts: ExchangeServicer(parts.database),
        RECORDS: _records,
    },
    jobs=(
        Job("records.prepare", _prepare, may_end=True),
        Job("tail.follow", _follow),
        Job("tail.forget", _forget),
    ),
    purge=purge,
    tables=(Exchange, CountedAnswer, Arrival),
    settings=frozenset({"log_calls"}),
)
