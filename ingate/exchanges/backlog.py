"""Reads from the database what was stored after a place, for readers that resume and for those that fall behind."""

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from ingate import clock
from ingate.db import Database
from ingate.exchanges import arrivals
from ingate.exchanges.arrivals import KEPT, Note, Place
from ingate.exchanges.filters import conditions, facts
from ingate.exchanges.listing import LISTED
from ingate.exchanges.messages import listed
from ingate.exchanges.recent import Entry
from ingate.exchanges.tables import Exchange

AT_ONCE = 200
"""Exchanges and notes that are read at once."""
_READERS = 2
"""Readers that query at the same time: after a restart, all of them come back at once."""
_HEAD_START = clock.MINUTE
"""A reader that has missed something resumes so much later than the oldest notes, which are about to be deleted."""
_ROWS = select(*LISTED).where(Exchange.id.in_(bindparam("ids", expanding=True)))
_id = attrgetter("id")


class Backlog:
    """The stored exchanges of a database in the order of their notes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(_READERS)

    async def behind(
        self, request: pb.TailExchangesRequest, org_id: str, place: Place, end: int
    ) -> tuple[list[pb.TailExchangesResponse], Place]:
        """Returns some of what was stored after a place, up to number `end`, and the place up to which that is."""
        async with self._turns:
            if (resumed := await self.after_gap(place, org_id, end)) is not None:
                return [gap(place, resumed, org_id)], resumed
            told: list[pb.TailExchangesResponse] = []
            left = AT_ONCE
            async with self._database.read() as db:
                notes = await arrivals.between(db, place.number, end, AT_ONCE, [org_id])
                for note in notes:
                    some = [it for it in note.ids if (note.number, it) > place[:2]][:left]
                    if some:
                        told += [it.answer for it in await entries(db, note, some, conditions(request))]
                        place = Place(note.number, some[-1], note.at)
                        left -= len(some)
                    if not left:
                        return told, place
        if len(notes) < AT_ONCE:
            place = Place(end + 1, "", clock.now())
        return told, place

    async def after_gap(self, place: Place, org_id: str, end: int) -> Place | None:
        """Returns where to resume if the notes after a place are deleted, or numbers have restarted; else None.

        `end` is the number up to which readers have been told.
        """
        now = clock.now()
        if place.at < now - KEPT:
            until = now - KEPT + _HEAD_START
            async with self._database.read() as db:
                first = await arrivals.since(db, org_id, until)
            return Place(end + 1 if first is None else first, "", until)
        if place.number > end + 1:
            # Another process may have read further; if none has, numbers have begun anew, as after a restore.
            async with self._database.read() as db:
                last = await arrivals.last(db)
            if place.number > last + 1:
                return Place(last + 1, "", now)
        return None


async def entries(
    db: AsyncSession, note: Note, ids: Sequence[str], asked: Sequence[ColumnElement[bool]] = ()
) -> list[Entry]:
    """Returns what a note says was stored, without what has been deleted meanwhile or is not asked for."""
    found = (await db.execute(_ROWS.where(*asked), {"ids": list(ids)})).all()
    return [_entry(row, note) for row in sorted(found, key=_id)]


def _entry(row: Any, note: Note) -> Entry:
    place = Place(note.number, row.id, note.at)
    told = answer(place, note.org_id, exchange=listed(row))
    return Entry(place, facts(row), told, told.ByteSize())


def gap(place: Place, resumed: Place, org_id: str) -> pb.TailExchangesResponse:
    """Returns the answer that says what is not told between two places."""
    missed = pb.TailGap(since=clock.to_proto(place.at), until=clock.to_proto(resumed.at))
    return answer(resumed, org_id, gap=missed)


def answer(place: Place, org_id: str, **event: Any) -> pb.TailExchangesResponse:
    """Returns an answer that leads to a place."""
    return pb.TailExchangesResponse(cursor=arrivals.encode(place, org_id), **event)
