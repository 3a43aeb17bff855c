"""Pages of lists: the one way in which a list request becomes a query, and what was found an answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from sqlalchemy import ColumnElement, Row, Select, func, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from ingate import cursors
from ingate.errors import BadRequest

DEFAULT_LIMIT = 50
PAGE_BYTES = 3 * 1024 * 1024
"""What the items of a page may hold: gRPC clients take 4 MiB in a message unless they say otherwise."""

M = TypeVar("M", bound=Message)


class PageRequest(Protocol):
    """A list request, whose bounds its own rules state; most have an `offset` as well."""

    DESCRIPTOR: Descriptor

    @property
    def limit(self) -> int: ...  # noqa: D102 -- see the class
    @property
    def cursor(self) -> str: ...  # noqa: D102 -- see the class


@dataclass(frozen=True, slots=True)
class Page:
    """What was found for a page: its rows, and in `total` how many there are in all, None where nobody counted."""

    rows: Sequence[Row[*tuple[Any, ...]]]
    total: int | None
    limit: int
    offset: int | None
    more: bool
    columns: int
    fingerprint: bytes

    def answer(self, items: Iterable[M]) -> dict[str, Any]:
        """Returns the fields of the answer, given each row's message: as many as fit, and where the next begins."""
        kept = fitting(items)
        fields: dict[str, Any] = {"items": kept, "total": self.total}
        fields["limit"] = self.limit if len(kept) == len(self.rows) else len(kept)
        if self.offset is not None:
            fields["offset"] = self.offset
        if self.more or len(kept) < len(self.rows):
            place = tuple(self.rows[len(kept) - 1])[-self.columns :]
            fields["next_cursor"] = cursors.encode(place, self.fingerprint)
        return fields


class Order:
    """The order of a list: by columns whose values are unique together, all ascending or all descending.

    A page begins after a place, not after a number of rows, so one that is added or deleted meanwhile moves no other.
    """

    def __init__(self, *columns: InstrumentedAttribute[Any], descending: bool = False) -> None:
        self._columns = columns
        self._descending = descending
        self._kinds = [column.type.python_type for column in columns]

    async def page(
        self, db: AsyncSession, query: Select[*tuple[Any, ...]], request: PageRequest, owner: str, *, count: bool = True
    ) -> Page:
        """Returns the page of a query that a request asks for. `owner` is the id of whose list it is.

        Each row has the columns of the order behind its own. Raises BadRequest for a cursor that is not of this list.
        """
        limit, offset = request.limit or DEFAULT_LIMIT, getattr(request, "offset", None)
        fingerprint = cursors.list_fingerprint(request, owner)
        here = query.add_columns(*self._columns).order_by(
            *(column.desc() if self._descending else column for column in self._columns)
        )
        if request.cursor:
            if offset:
                raise BadRequest.field("offset", "must not be stated beside cursor")
            here = here.where(self._after(cursors.decode(request.cursor, self._kinds, fingerprint)))
        found = (await db.execute(here.limit(limit + 1).offset(offset or None))).all()
        total = await db.scalar(query.with_only_columns(func.count(), maintain_column_froms=True)) if count else None
        return Page(found[:limit], total, limit, offset, len(found) > limit, len(self._columns), fingerprint)

    def _after(self, place: tuple[int | str, ...]) -> ColumnElement[bool]:
        own, other = (self._columns[0], place[0]) if len(place) == 1 else (tuple_(*self._columns), tuple_(*place))
        return own < other if self._descending else own > other


def fitting(items: Iterable[M]) -> list[M]:
    """Returns as many of the items, from the first, as fit into `PAGE_BYTES`: one at least, where there is one.

    Items after the first that does not fit are not asked for.
    """
    page: list[M] = []
    size = 0
    for item in items:
        size += item.ByteSize()
        if page and size > PAGE_BYTES:
            break
        page.append(item)
    return page
