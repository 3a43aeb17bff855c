"""Bodies of which some places are changed. A large one is not copied: it is put together of views of the old one."""

from collections.abc import Iterable, Iterator, Sequence

from ingate.formats.pace import LARGE, Pace, Steps

Span = tuple[int, int]
"""A place in a body: its first byte, and the byte behind its last."""

_VIEWED = 64 * 1024  # a piece of more bytes is not copied


class Spliced:
    """A large body in pieces, in order. None of them is empty."""

    __slots__ = ("_pieces", "_size")

    def __init__(self, pieces: Sequence[bytes | memoryview]) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self._size = sum(map(len, self._pieces))

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self._pieces)

    def __iter__(self) -> Iterator[memoryview]:
        return map(memoryview, self._pieces)


Whole = bytes | bytearray
"""A body in one piece."""
Body = Whole | Spliced


def views(body: Body) -> Iterator[memoryview]:
    """Returns the pieces of a body, the first of which has all that stands before the first change."""
    return iter(body) if isinstance(body, Spliced) else iter((memoryview(body),))


def splicing(body: Whole, changes: Iterable[tuple[Span, bytes]]) -> Steps[Body]:
    """Returns the body with other bytes in these places, which come in order."""
    pace = Pace()
    pieces: list[bytes | memoryview] = []
    small: list[bytes | memoryview] = []
    size = 0
    for part in _parts(body, changes):
        if len(part) + size > _VIEWED:
            pieces.append(b"".join(small))
            small, size = [], 0
        if len(part) > _VIEWED:
            pieces.append(part)
        else:
            small.append(part)
            size += len(part)
        if pace.spend(2):
            yield
    pieces.append(b"".join(small))
    return Spliced(pieces) if len(body) > LARGE else b"".join(pieces)


def _parts(body: Whole, changes: Iterable[tuple[Span, bytes]]) -> Iterator[bytes | memoryview]:
    view = memoryview(body)
    kept = 0
    for (start, end), value in changes:
        yield view[kept:start]
        yield value
        kept = end
    yield view[kept:]
