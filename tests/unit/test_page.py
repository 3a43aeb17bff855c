"""Pages that are cut so that they fit into a message, whatever their items are."""

import asyncio
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gen.ingate.exchanges.v1.exchange_pb2 import Payload
from gen.ingate.orgs.v1.team_service_pb2 import ListTeamsRequest
from ingate import page

BOUND = 1000
"""Bytes that items may hold here: small ones try the same as large ones would."""


class _Base(DeclarativeBase):
    pass


class Item(_Base):
    """A row, and how many bytes its message holds."""

    __tablename__ = "item"
    rank: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]


def _request(**fields):
    return ListTeamsRequest(org_id="o", **fields)


async def _ask(db, order, **asked):
    """Returns the answer to a list request, and the ids on its page."""
    found = await order.page(db, select(Item.id, Item.size), _request(**asked), "owner")
    fields = {"next_cursor": None} | found.answer(_message(row) for row in found.rows)
    answer = SimpleNamespace(**fields)
    held = sum(item.ByteSize() for item in answer.items)
    assert held <= BOUND or len(answer.items) == 1
    assert answer.limit == len(answer.items) or (answer.limit == asked["limit"] and len(answer.items) < answer.limit)
    return answer, [item.request_headers.decode() for item in answer.items]


def _message(row):
    return Payload(request_headers=row.id.encode(), request_body=b"x" * row.size)


async def _by_cursor(db, order, limits):
    seen, cursor = [], ""
    while True:
        answer, ids = await _ask(db, order, limit=limits[len(seen) % len(limits)], cursor=cursor)
        seen += ids
        yield answer, seen
        if answer.next_cursor is None:
            return
        assert ids
        cursor = answer.next_cursor


async def _by_offset(db, order, limit):
    seen = []
    while True:
        answer, ids = await _ask(db, order, limit=limit, offset=len(seen))
        assert answer.offset == len(seen)
        seen += ids
        yield answer, seen
        if answer.next_cursor is None:
            return
        # What a caller does who knows nothing of pages that are cut: the next begins where this one says it ends.
        assert answer.offset + answer.limit == len(seen)


async def _walks(rows, limits, *, descending):
    engine = create_async_engine("sqlite+aiosqlite://")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_Base.metadata.create_all)
            if rows:
                await connection.execute(insert(Item), rows)
        order = page.Order(Item.rank, Item.id, descending=descending)
        whole = sorted(rows, key=lambda row: (row["rank"], row["id"]), reverse=descending)
        async with AsyncSession(engine) as db:
            for walk in (_by_cursor(db, order, limits), *(_by_offset(db, order, limit) for limit in set(limits))):
                walked = [(answer.total, seen) async for answer, seen in walk]
                assert {total for total, _ in walked} == {len(rows)}
                assert walked[-1][1] == [row["id"] for row in whole]
    finally:
        await engine.dispose()


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 300, 499, 500, 997, 1000, 1001, 5000])), max_size=12),
    st.lists(st.integers(1, 15), min_size=1, max_size=3),
    st.booleans(),
)
def test_pages_hold_everything_once(sizes, limits, descending):
    """By cursors and by offsets, with any limits: in order, never more than fits, and truthful in their numbers."""
    rows = [{"rank": rank, "id": f"{number:02}", "size": size} for number, (rank, size) in enumerate(sizes)]
    patched, page.PAGE_BYTES = page.PAGE_BYTES, BOUND
    try:
        asyncio.run(_walks(rows, limits, descending=descending))
    finally:
        page.PAGE_BYTES = patched


def test_the_bound_leaves_room():
    """Clients take 4 MiB: what stands beside the items of the longest page is less than the rest."""
    framing = 200 * 6 + 4096
    assert page.PAGE_BYTES + framing < 4 * 1024 * 1024
