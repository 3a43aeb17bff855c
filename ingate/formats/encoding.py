"""Undoing a content-encoding as the bytes pass by.

Output is handed on in pieces of bounded size and limited in total, so that a small body
cannot unpack into a large one. Knows nothing of what the bytes mean.
"""

import zlib
from collections.abc import Callable
from typing import IO, Protocol, cast

import brotli  # type: ignore[import-untyped]  # ships no types
import zstandard

MAX_DECODED = 64 * 1024 * 1024
"""Bytes that one body may unpack to."""

_PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_MAX_MEMBERS = 1000
_CORRUPT = "the compressed body is corrupt"
# RFC 9659: the window a zstd content-encoding may ask a receiver to hold.
_ZSTD_WINDOW = 8 * 1024 * 1024

Emit = Callable[[bytes], object]


class Unreadable(Exception):
    """The bytes are not what they claim to be, or more than is read. The message says which, for people."""


class Decoder(Protocol):
    """Unpacks one body, piece by piece."""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes and emits what they unpack to. Raises `Unreadable`."""


def decoder_for(content_encoding: str, emit: Emit) -> Decoder | None:
    """Returns the decoder a header asks for, `None` when the bytes are plain. Raises `Unreadable` for another."""
    codings = [name for part in content_encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if not codings:
        return None
    limited = _Limited(emit)
    match codings:
        case ["gzip" | "x-gzip"]:
            return _Gzip(limited.emit)
        case ["deflate"]:
            return _Deflate(limited.emit)
        case ["br"]:
            return _Brotli(limited.emit)
        case ["zstd"]:
            return _Zstd(limited)
    raise Unreadable(f"content-encoding {content_encoding[:40]!r} is not supported")


def unpacked(data: bytes, content_encoding: str, limit: int) -> bytes:
    """Returns the first `limit` bytes that a body, or its beginning, unpacks to; the data if it cannot be."""
    pieces: list[bytes] = []
    room = limit

    def keep(piece: bytes) -> None:
        nonlocal room
        pieces.append(piece[:room])
        room -= len(piece)
        if room <= 0:
            raise _Enough

    try:
        decoder = decoder_for(content_encoding, keep)
        if decoder is None:
            return data[:limit]
        decoder.feed(data)
    except _Enough:
        pass
    except Unreadable:
        return data[:limit]
    return b"".join(pieces) or data[:limit]


class _Enough(Exception):
    """Ends an unpacking whose output is long enough."""


class _Limited:
    """Passes pieces on until the limit. It has the shape of a file, which is what zstandard writes to."""

    __slots__ = ("_emit", "_room")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._room = MAX_DECODED

    def emit(self, piece: bytes) -> None:
        self._room -= len(piece)
        if self._room < 0:
            raise Unreadable(f"the body unpacks to more than {MAX_DECODED >> 20} MiB")
        if piece:
            self._emit(piece)

    def write(self, piece: bytes) -> int:
        self.emit(piece)
        return len(piece)


class _Gzip:
    """One or more gzip members; what follows the last one and is none is padding."""

    __slots__ = ("_emit", "_members", "_zlib")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._zlib = zlib.decompressobj(_GZIP)
        self._members = 0

    def feed(self, data: bytes) -> None:
        while data and self._members < _MAX_MEMBERS:
            try:
                _inflate(self._zlib, data, self._emit)
            except zlib.error:
                if not self._members:
                    raise Unreadable(_CORRUPT) from None
                self._members = _MAX_MEMBERS
            if not self._zlib.eof:
                return
            data = self._zlib.unused_data
            self._zlib = zlib.decompressobj(_GZIP)
            self._members += 1


class _Deflate:
    """Deflate in the zlib wrapping the RFC asks for, or bare, as some servers send it."""

    __slots__ = ("_emit", "_head", "_zlib")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._head = b""  # the first bytes, until they tell which it is
        self._zlib: zlib._Decompress | None = None

    def feed(self, data: bytes) -> None:
        if self._zlib is None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            wrapped = data[0] & 0x0F == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0
            self._zlib = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        if not self._zlib.eof:
            try:
                _inflate(self._zlib, data, self._emit)
            except zlib.error:
                raise Unreadable(_CORRUPT) from None


def _inflate(unpack: "zlib._Decompress", data: bytes, emit: Emit) -> None:
    while True:
        piece = unpack.decompress(data, _PIECE)
        emit(piece)
        data = unpack.unconsumed_tail
        # A full piece may leave output behind even when all input is taken.
        if unpack.eof or (not data and len(piece) < _PIECE):
            return


class _Brotli:
    __slots__ = ("_brotli", "_emit")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._brotli = brotli.Decompressor()

    def feed(self, data: bytes) -> None:
        unpack = self._brotli
        if unpack.is_finished():
            return
        try:
            piece = unpack.process(data, output_buffer_limit=_PIECE)
            # Output may be left behind although more input would be accepted.
            while piece:
                self._emit(piece)
                piece = b"" if unpack.is_finished() else unpack.process(b"", output_buffer_limit=_PIECE)
        except brotli.error:
            raise Unreadable(_CORRUPT) from None


class _Zstd:
    __slots__ = ("_zstd",)

    def __init__(self, limited: _Limited) -> None:
        self._zstd = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_writer(cast("IO[bytes]", limited))

    def feed(self, data: bytes) -> None:
        try:
            self._zstd.write(data)
        except zstandard.ZstdError:
            raise Unreadable(_CORRUPT) from None
