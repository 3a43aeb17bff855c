"""One log line for each call that is recorded, as far as they are few: written when its record is stored.

By then tokens and cost are known, and nobody waits.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from gen.ingate.exchanges.v1.exchange_pb2 import LEVEL_ERROR, LEVEL_INFO
from ingate import clock
from ingate.db import Database
from ingate.errors import DomainError
from ingate.exchanges.columns import Row, value, values
from ingate.exchanges.rows import SEED, SEEDED
from ingate.identity.tables import Key
from ingate.pricing.money import to_usd
from ingate.sampling import Sampler

_log = structlog.get_logger(__name__)

FIELDS = (
    *("id", "org_id", "key_id", "created_at", "level", "status_code", "provider", "model", "stream", "latency_ms"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("cost_pico", "error_code", "error_message"),
)
NAMES_SECONDS = 10.0
"""How long a line may state a name that its key no longer has. It bounds how many are known: a few for each line."""
_fields, _level, _meta = values(FIELDS), value("level"), value("meta")
_EXAMPLE = f'"{SEEDED}":"{SEED}"'


class CallLines:
    """Writes up to `per_second` lines in a second about calls that went well, and as many about others.

    The next line says how many were left out. Example traffic has none, for nobody called.
    Key names are asked of the database, for what is written alone, and known for `NAMES_SECONDS`.
    """

    def __init__(self, database: Database, per_second: int, now: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._samplers = {True: Sampler(per_second, 1.0), False: Sampler(per_second, 1.0)}
        self._now = now
        self._names: dict[str, str] = {}
        self._forget_at = float("-inf")

    async def write(self, stored: Iterable[Row]) -> None:
        """Writes lines about rows that have been stored. Raises nothing."""
        if not _log.is_enabled_for(logging.INFO):
            return
        chosen = [
            (dict(zip(FIELDS, _fields(row), strict=True)), left_out)
            for row in stored
            if _EXAMPLE not in _meta(row) and (left_out := self._samplers[_level(row) == LEVEL_INFO].take()) is not None
        ]
        if not chosen:
            return
        names = await self._named({call["key_id"] for call, _ in chosen})
        for call, left_out in sorted(chosen, key=lambda one: one[0]["created_at"]):
            write = _log.error if call["level"] == LEVEL_ERROR and call["status_code"] >= 500 else _log.info
            write("call", **described(call, names), **({"left_out": left_out} if left_out else {}))

    async def _named(self, key_ids: set[str]) -> Mapping[str, str]:
        """Returns the names of keys by id. A transaction for each batch would cost a fifth of storing a small one."""
        now = self._now()
        if now >= self._forget_at:
            self._names.clear()
            self._forget_at = now + NAMES_SECONDS
        if unknown := key_ids - self._names.keys():
            self._names |= await key_names(self._database, unknown)
        return self._names


def described(call: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Returns what a line says of a call, given the values of FIELDS and the names of keys."""
    bad = {"error": call["error_message"] or call["error_code"]} if call["level"] != LEVEL_INFO else {}
    return {
        "request_id": call["id"],
        "org_id": call["org_id"],
        "key_id": call["key_id"],
        "key": names.get(call["key_id"], ""),
        "at": call["created_at"] / clock.SECOND,
        "status": call["status_code"],
        "provider": call["provider"],
        "model": call["model"],
        "stream": call["stream"],
        "input_tokens": call["input_tokens"],
        "output_tokens": call["output_tokens"],
        "cache_read_tokens": call["cache_read_tokens"],
        "cache_write_tokens": call["cache_write_tokens"],
        "reasoning_tokens": call["reasoning_tokens"],
        "cost_usd": to_usd(call["cost_pico"]),
        "ms": round(call["latency_ms"], 3),
        **bad,
    }


async def key_names(database: Database, key_ids: Collection[str]) -> dict[str, str]:
    """Returns the names of keys by id, none where the database does not answer."""
    try:
        async with database.read() as db:
            found = await db.execute(select(Key.id, Key.name).where(Key.id.in_(key_ids)))
            return {key_id: name for key_id, name in found}  # noqa: C416 -- rows are no pairs to the type checker
    except (DomainError, SQLAlchemyError):
        return {}
