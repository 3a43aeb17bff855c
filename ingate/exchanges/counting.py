"""Answers whose usage is stated whenever they are asked for, counted once.

The first exchange that is stored with such an answer counts it. The transaction that stores the exchange says so, in a
row that no other can have: it does not matter how often, or at how many gateways at once, the answer is asked for.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from ingate import clock
from ingate.exchanges.columns import COLUMNS, Row, place_of
from ingate.exchanges.rows import COST_REASON
from ingate.exchanges.tables import MAX_NAME, CountedAnswer
from ingate.pricing.usage import ANSWER_ID, COUNTED_BY

KEPT = 90 * clock.DAY
"""How long it is known that an answer was counted. Providers keep answers for 30 days."""
_ID, _ORG, _META, _UNITS = map(place_of, ("id", "org_id", "meta", "units"))
_TOTAL, _COST = place_of("total_tokens"), place_of("cost_pico")
_PROVIDER, _SERVED_BY = place_of("provider"), place_of("served_by")
_UNCOUNTED = {
    **{place_of(name): None for name in COLUMNS if name.endswith("_tokens") or name == "cost_pico"},
    _UNITS: "{}",
    place_of("cost_source"): pb.COST_SOURCE_UNKNOWN,
    place_of("usage_source"): pb.USAGE_SOURCE_UNSPECIFIED,
}
_MARK = f'"{ANSWER_ID}"'
_KEY = (CountedAnswer.org_id, CountedAnswer.provider, CountedAnswer.answer_id)

Key = tuple[str, str, str]
"""Organisation, provider, and the provider's id of the answer."""


async def counted_once(connection: AsyncConnection, made: Sequence[Row]) -> list[Row]:
    """Returns the rows, without tokens and cost those whose answer another exchange has counted.

    Waits for other transactions that count one of the same answers. Exchanges that are stored already count what they
    counted before.
    """
    keys = {place: key for place, row in enumerate(made) if (key := _key(row)) is not None}
    if not keys:
        return list(made)
    # In one order, so that two batches that overlap wait for each other instead of deadlocking.
    claims = sorted((key, made[place][_ID]) for place, key in keys.items())
    now = clock.now()
    await connection.execute(delete(CountedAnswer).where(CountedAnswer.stored_at < now - KEPT))
    await connection.execute(
        _claiming(connection),
        [
            {
                "org_id": org_id,
                "provider": provider,
                "answer_id": answer_id,
                "exchange_id": exchange_id,
                "stored_at": now,
            }
            for (org_id, provider, answer_id), exchange_id in claims
        ],
    )
    query = select(*_KEY, CountedAnswer.exchange_id).where(tuple_(*_KEY).in_(set(keys.values())))
    counted_by: dict[Key, str] = {(row[0], row[1], row[2]): row[3] for row in await connection.execute(query)}
    settled = list(made)
    for place, key in keys.items():
        row = made[place]
        # One that is forgotten in this moment is not known to be counted.
        counting = counted_by.get(key)
        if counting is not None and counting != row[_ID]:
            settled[place] = _without(row, counting)
    return settled


def _claiming(connection: AsyncConnection) -> Any:
    """Returns the statement that says who counts an answer, unless somebody does. The dialects spell it alike."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415 -- only one dialect is loaded
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]  # noqa: PLC0415 -- see above
    return insert(CountedAnswer).on_conflict_do_nothing(index_elements=_KEY)


def _key(row: Row) -> Key | None:
    """Returns what tells the answer of a row from others, None where it is counted without asking."""
    if _MARK not in row[_META] or (row[_TOTAL] is None and row[_COST] is None and row[_UNITS] == "{}"):
        return None
    answer_id = msgspec.json.decode(row[_META]).get(ANSWER_ID)
    if answer_id and (len(answer_id) > MAX_NAME or "\0" in answer_id):
        # No column holds it as it is.
        answer_id = sha256(answer_id.encode()).hexdigest()
    return (row[_ORG], row[_SERVED_BY] or row[_PROVIDER], answer_id) if answer_id else None


def _without(row: Row, counted_by: str) -> Row:
    metadata = msgspec.json.decode(row[_META])
    metadata.pop(COST_REASON, None)
    metadata[COUNTED_BY] = counted_by
    blank = {**_UNCOUNTED, _META: msgspec.json.encode(metadata).decode()}
    return tuple(blank.get(place, value) for place, value in enumerate(row))
