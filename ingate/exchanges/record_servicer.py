"""RecordService: stores what gateways report."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import bindparam, select

from gen.ingate.exchanges.v1 import record_service_pb2 as pb
from gen.ingate.exchanges.v1 import record_service_pb2_grpc
from ingate.db import Database
from ingate.errors import BadRequest
from ingate.exchanges import arrivals
from ingate.exchanges.call_lines import CallLines
from ingate.exchanges.columns import COLUMNS, Row, value
from ingate.exchanges.contents import Record, reading
from ingate.exchanges.counting import counted_once
from ingate.exchanges.rows import rows
from ingate.exchanges.tables import Exchange
from ingate.formats import Pace
from ingate.identity.tables import Org
from ingate.pacing import paced
from ingate.packed import UNREADABLE, PackedRecord, unpack
from ingate.pricing import price_list

MOST = 10_000
"""Records of a batch. A check by the proto would copy all of their payloads."""
CONVERTED_AT_ONCE = 50
"""Records that become rows before other tasks have their turn: about a millisecond, besides reading their bodies."""
INSERTED_AT_ONCE = (240, 24, 6, 1)
"""Rows of a statement: a driver in a thread of its own has to take the interpreter away from the event loop for each
statement. The values of the largest stay below 32,766, which databases take, and are bound within a millisecond."""
KNOWN = select(Org.id).where(Org.id.in_(bindparam("owners", expanding=True))).with_for_update(read=True, key_share=True)
"""Which organisations there are, of some; none of them is deleted before the transaction ends."""

_id, _org_id, _key_id = value("id"), value("org_id"), value("key_id")


class RecordServicer(record_service_pb2_grpc.RecordServiceServicer):
    """Puts exchanges into the database. `touch` hears of each key that was used, `lines` of each exchange.

    `stored` is set whenever some were stored.
    """

    def __init__(self, database: Database, touch: Callable[[str], None], lines: CallLines) -> None:
        self._database = database
        self._touch = touch
        self._lines = lines
        self._inserts: dict[int, str] = {}
        self.stored = asyncio.Event()

    async def prepare(self) -> None:
        """Loads what the first batch needs, in a thread. Left to that batch, on a busy process it takes seconds."""
        if not self._inserts:
            await asyncio.to_thread(price_list.load)
            self._inserts = await asyncio.to_thread(_inserts_new, self._database)

    async def Record(self, request: pb.RecordRequest, context: Any) -> pb.RecordResponse:
        """Inserts a batch in one transaction; ids that are stored already stay as they are.

        A record that cannot be stored refuses its batch with BadRequest, which names it.
        """
        if not (request.records or request.packed):
            return pb.RecordResponse()
        if len(request.records) + len(request.packed) > MOST:
            raise BadRequest.field("records", f"must have at most {MOST} items")
        several = (request.records[:], _unpacked(request.packed))
        if self._inserts:
            made = [row for records in several for row in await _made(records)]
        else:
            # The first batch loads the price list and SQLAlchemy's compiler, long enough to be felt by open streams.
            made = [row for records in several if records for row in await asyncio.to_thread(rows, records, 0)]
            self._inserts = await asyncio.to_thread(_inserts_new, self._database)
        # In one order, so that two batches that overlap wait for each other instead of deadlocking.
        made.sort(key=_id)
        owners = set(map(_org_id, made))
        async with self._database.write() as db:
            connection = await db.connection()
            # What an organisation did in the moment it was deleted is not kept.
            known = set((await connection.scalars(KNOWN, {"owners": list(owners)})).all())
            if known != owners:
                made = [row for row in made if _org_id(row) in known]
            made = await counted_once(connection, made)
            for size, values in _grouped(made):
                # As the driver takes them: what SQLAlchemy does for each row costs as much as storing it.
                await connection.exec_driver_sql(self._inserts[size], values)
            await arrivals.note(connection, made)
        self.stored.set()
        for key_id in set(map(_key_id, made)):
            self._touch(key_id)
        await self._lines.write(made)
        return pb.RecordResponse()


def _unpacked(packed: Iterable[bytes]) -> list[PackedRecord]:
    """Returns packed records. Raises BadRequest, naming the first that is none."""
    records: list[PackedRecord] = []
    for record in packed:
        try:
            records.append(unpack(record))
        except UNREADABLE as error:
            raise BadRequest.field(f"packed[{len(records)}]", f"is no packed record: {error}") from None
    return records


async def _made(records: Sequence[Record]) -> list[Row]:
    """Returns the rows of a batch, letting others run in between: open streams must not wait for all of it."""
    made: list[Row] = []
    pace = Pace()
    for start in range(0, len(records), CONVERTED_AT_ONCE):
        if start:
            await asyncio.sleep(0)
        some = records[start : start + CONVERTED_AT_ONCE]
        made += rows(some, start, await paced(reading(some, pace)))
    return made


def _grouped(made: list[Row]) -> Iterator[tuple[int, list[Row]]]:
    """Yields, for each number of rows that a statement takes, the values of as many statements as are filled."""
    start = 0
    for size in INSERTED_AT_ONCE:
        end = len(made) - (len(made) - start) % size
        if start < end:
            yield size, [tuple(chain.from_iterable(made[at : at + size])) for at in range(start, end, size)]
        start = end


def _inserts_new(database: Database) -> dict[int, str]:
    """Returns the statements that insert rows whose id is new, by how many each takes.

    The dialects spell them alike, and only one is loaded.
    """
    if database.embedded:
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415 -- see above
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]  # noqa: PLC0415 -- see above
    blank = dict.fromkeys(COLUMNS)
    return {
        size: str(
            insert(Exchange)
            # A batch fails as a whole. Told so, SQLite need not be able to undo one statement alone, and does not copy
            # every page that it changes.
            .prefix_with("OR ROLLBACK", dialect="sqlite")
            .values([blank] * size)
            .on_conflict_do_nothing(index_elements=["id"])
            .compile(dialect=database.engine.dialect)
        )
        for size in INSERTED_AT_ONCE
    }
