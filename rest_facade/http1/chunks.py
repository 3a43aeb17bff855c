"""The chunked transfer coding, decoded as it arrives and strictly. Knows neither requests nor responses."""

import re

from ingate.remembered import Remembered

LINE_LIMIT = 16 * 1024  # bytes of a size with its extensions, or of a trailer
TRAILERS_LIMIT = 64 * 1024  # bytes of all trailers

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = rb'"(?:[\t\x20!\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+"'
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;%b(?:=(?:%b|%b))?+)*+" % (_TOKEN, _TOKEN, _QUOTED))
_TRAILER = re.compile(rb"(?!(?i:content-length|transfer-encoding):)[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")
_AT_SIZE, _AT_CHUNK_END, _AT_TRAILER = 0, -1, -2  # beside the bytes left of a chunk, which are more than none


class BadChunk(Exception):
    """What arrived is not the chunked coding, or breaks a limit. `pieces` came before the fault."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.pieces: list[bytes] = []


class ChunkDecoder:
    """Decodes one body.

    Extensions are ignored and trailers discarded, both within bounds, and both refused where they break the grammar or
    speak of framing: readers differ in what they make of such.
    """

    __slots__ = ("_held", "_left", "_trailers")

    def __init__(self) -> None:
        self._held = b""  # the beginning of a line
        self._left = _AT_SIZE
        self._trailers = 0  # bytes

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        """Returns the pieces of the body in `data`, and what follows the body when it is complete, None before.

        Raises BadChunk. Not to be fed after that, nor after the end.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        try:
            return pieces, self._decode(data, pieces)
        except BadChunk as bad:
            bad.pieces = pieces
            raise

    def _decode(self, data: bytes, pieces: list[bytes]) -> bytes | None:
        left, at, size = self._left, 0, len(data)
        while at < size:
            if left > 0:
                end = at + left
                pieces.append(data[at:end])
                left = end - size if end > size else _AT_CHUNK_END
                at = end
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._held = _beginning(data[at:], left)
                break
            start = end + 2
            if left == _AT_SIZE:
                left = _sizes[data[at:end]] or _AT_TRAILER
                end = start + left
                if left > 0 and data.startswith(b"\r\n", end):
                    pieces.append(data[start:end])  # all of it is here, as is usual
                    left, start = _AT_SIZE, end + 2
            elif left == _AT_CHUNK_END:
                if end > at:
                    raise BadChunk("a chunk does not end where its size says")
                left = _AT_SIZE
            elif end > at:
                self._discard(data[at:end])
            else:
                return data[start:]
            at = start
        self._left = left
        return None

    def _discard(self, trailer: bytes) -> None:
        self._trailers += len(trailer)
        if self._trailers > TRAILERS_LIMIT:
            raise BadChunk("the trailers are too large")
        if not _TRAILER.fullmatch(trailer):
            raise BadChunk("a trailer is not a header line")


def _beginning(line: bytes, place: int) -> bytes:
    """Returns the beginning of a line if it may become one."""
    if len(line) > LINE_LIMIT or b"\n" in line or (place == _AT_CHUNK_END and line != b"\r"):
        raise BadChunk("a line that does not end")
    return line


def _size(line: bytes) -> int:
    found = _SIZE_LINE.fullmatch(line)
    if found is None or len(line) > LINE_LIMIT:
        raise BadChunk("a chunk has no size")
    return int(found[1], 16)


_sizes = Remembered(_size, len)
