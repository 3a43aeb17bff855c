"""Undoing a content-encoding as the bytes pass by.

Output comes in pieces of bounded size, each of which is made when it is asked for, and is limited in total and in
proportion to the input: a small body cannot unpack into a large one. Knows nothing of what the bytes mean.
"""

import zlib
from collections.abc import Iterator
from typing import IO, Protocol, cast

import brotli  # type: ignore[import-untyped]  # ships no types
import zstandard

from ingate.formats.malformed import Broken, TooLarge, Unreadable
from ingate.formats.pace import Pace, Steps

MAX_DECODED = 64 * 1024 * 1024
"""Bytes that one body may unpack to."""
MAX_RATIO = 200
"""Bytes that a byte may unpack to, once a body has unpacked to more than 1 MiB."""

PIECE_COST = 16
"""Units of work that a piece costs, beside one for each 256 bytes."""

_UNJUDGED = 1024 * 1024
_PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_MAX_MEMBERS = 1000
_BITE = 2048
_CORRUPT = "the compressed body is corrupt"
# RFC 9659: the window a zstd content-encoding may ask a receiver to hold.
_ZSTD_WINDOW = 8 * 1024 * 1024
# What one byte of zstd unpacks to has no bound worth the name, and one call unpacks all that it is given.
_ZSTD_BITE = 512
# A window of 8 or 16 MiB, which one call would fill whatever it is asked for.
_BROTLI_WIDE = 0b1101


class _Unpacker(Protocol):
    """Undoes one coding."""

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Takes the next bytes and yields what they unpack to. Raises `Unreadable`."""


class Decoder:
    """Unpacks one body, piece by piece, within its limits."""

    __slots__ = ("_packed", "_unpacked", "_unpacker")

    def __init__(self, unpacker: _Unpacker) -> None:
        self._unpacker = unpacker
        self._packed = 0
        self._unpacked = 0

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Takes the next bytes and yields what they unpack to, 1 MiB at most at a time. Raises `Unreadable`."""
        # In small bites, so that the ratio is that of what was taken in for the output.
        for start in range(0, len(data), _BITE):
            some = data[start : start + _BITE]
            self._packed += len(some)
            for piece in self._unpacker.unpack(some):
                self._unpacked += len(piece)
                if self._unpacked > min(MAX_DECODED, max(_UNJUDGED, self._packed * MAX_RATIO)):
                    raise TooLarge
                yield piece


def decoder_for(content_encoding: str) -> Decoder | None:
    """Returns the decoder a header asks for, `None` when the bytes are plain. Raises `Unreadable` for another."""
    codings = [name for part in content_encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    match codings:
        case []:
            return None
        case ["gzip" | "x-gzip"]:
            return Decoder(_Gzip())
        case ["deflate"]:
            return Decoder(_Deflate())
        case ["br"]:
            return Decoder(_Brotli())
        case ["zstd"]:
            return Decoder(_Zstd())
    raise Unreadable(f"content-encoding {content_encoding[:40]!r} is not supported")


def unpacking(data: bytes, content_encoding: str, limit: int, pace: Pace) -> Steps[bytes]:
    """Returns the first `limit` bytes that a body, or its beginning, unpacks to; the data if it cannot be."""
    pieces: list[bytes] = []
    room = limit
    try:
        decoder = decoder_for(content_encoding)
        if decoder is None:
            return data[:limit]
        for piece in decoder.unpack(data):
            pieces.append(piece[:room])
            room -= len(piece)
            if room <= 0:
                break
            if pace.spend(PIECE_COST + (len(piece) >> 8)):
                yield
    except TooLarge:
        pass
    except Unreadable:
        return data[:limit]
    return b"".join(pieces) or data[:limit]


class _Gzip:
    """One or more gzip members; what follows the last one and is none is padding."""

    __slots__ = ("_members", "_zlib")

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP)
        self._members = 0

    def unpack(self, data: bytes) -> Iterator[bytes]:
        while data and self._members < _MAX_MEMBERS:
            try:
                yield from _inflate(self._zlib, data)
            except zlib.error:
                if not self._members:
                    raise Broken(_CORRUPT) from None
                self._members = _MAX_MEMBERS
            if not self._zlib.eof:
                return
            data = self._zlib.unused_data
            self._zlib = zlib.decompressobj(_GZIP)
            self._members += 1


class _Deflate:
    """Deflate in the zlib wrapping the RFC asks for, or bare, as some servers send it."""

    __slots__ = ("_head", "_zlib")

    def __init__(self) -> None:
        self._head = b""  # the first bytes, until they tell which it is
        self._zlib: zlib._Decompress | None = None

    def unpack(self, data: bytes) -> Iterator[bytes]:
        if self._zlib is None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            wrapped = data[0] & 0x0F == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0
            self._zlib = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        if not self._zlib.eof:
            try:
                yield from _inflate(self._zlib, data)
            except zlib.error:
                raise Broken(_CORRUPT) from None


def _inflate(unpack: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    while True:
        piece = unpack.decompress(data, _PIECE)
        yield piece
        data = unpack.unconsumed_tail
        # A full piece may leave output behind even when all input is taken.
        if unpack.eof or (not data and len(piece) < _PIECE):
            return


class _Brotli:
    __slots__ = ("_begun", "_brotli")

    def __init__(self) -> None:
        self._begun = False
        self._brotli = brotli.Decompressor()

    def unpack(self, data: bytes) -> Iterator[bytes]:
        unpack = self._brotli
        if not data or unpack.is_finished():
            return
        if not self._begun:
            self._begun = True
            if data[0] & _BROTLI_WIDE == _BROTLI_WIDE:
                raise TooLarge
        try:
            piece = unpack.process(data, output_buffer_limit=_PIECE)
            # Output may be left behind although more input would be accepted.
            while piece:
                yield piece
                piece = b"" if unpack.is_finished() else unpack.process(b"", output_buffer_limit=_PIECE)
        except brotli.error:
            raise Broken(_CORRUPT) from None


class _Zstd:
    __slots__ = ("_bite", "_zstd")

    def __init__(self) -> None:
        self._bite = _Bite()
        unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._zstd = unpacker.stream_writer(cast("IO[bytes]", self._bite))

    def unpack(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_BITE):
            try:
                self._zstd.write(data[start : start + _ZSTD_BITE])
            except zstandard.ZstdError:
                raise Broken(_CORRUPT) from None
            except TooLarge:
                yield from self._bite.take()
                raise
            yield from self._bite.take()


class _Bite:
    """What a bite unpacks to. It has the shape of a file, which is what zstandard writes to."""

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, piece: bytes) -> int:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _UNJUDGED:
            raise TooLarge  # no honest kibibyte does that
        return len(piece)

    def take(self) -> list[bytes]:
        taken, self._pieces, self._size = self._pieces, [], 0
        return taken
