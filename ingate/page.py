"""Pages of lists: the defaults of limit and offset, how much a page holds, and cursors."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from ingate import ids
from ingate.errors import BadRequest

DEFAULT_LIMIT = 50
PAGE_BYTES = 3 * 1024 * 1024
"""What the items of a page may hold: gRPC clients take 4 MiB in a message unless they say otherwise."""
MAX_TIME = 2**63 - 1


M = TypeVar("M", bound=Message)


class PageRequest(Protocol):
    """A list request with optional `limit` and `offset`, whose bounds its own rules state."""

    @property
    def limit(self) -> int: ...  # noqa: D102 -- see the class
    @property
    def offset(self) -> int: ...  # noqa: D102 -- see the class


def page(request: PageRequest) -> tuple[int, int]:
    """Returns limit and offset of a list request, with the defaults where unset."""
    return request.limit or DEFAULT_LIMIT, request.offset


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


def fitted(items: Sequence[M], limit: int) -> tuple[list[M], int]:
    """Returns the items that fit on a page of up to `limit`, and the limit in force: their number, if not all fit."""
    page = fitting(items)
    return page, limit if len(page) == len(items) else len(page)


def encode_cursor(time: int, row_id: str) -> str:
    """Returns the opaque cursor for the place after a row in an order by time and id."""
    return base64.urlsafe_b64encode(f"{time} {row_id}".encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> tuple[int, str]:
    """Returns the time and id in a cursor. Raises BadRequest when it is none of ours."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        time, _, row_id = text.partition(" ")
        if ids.is_uuid(row_id) and time.isdecimal() and int(time) <= MAX_TIME:
            return int(time), row_id
    except (binascii.Error, ValueError):
        pass
    raise BadRequest.field("cursor", "is not one that this API gave out")
