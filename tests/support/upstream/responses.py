"""HTTP/1.1 responses as bytes: heads, chunks, events, content codings, and cuts. Knows no sockets.

A cut is a function that takes bytes and returns them in pieces.
"""

import json
import random
import re
import zlib
from http import HTTPStatus
from itertools import pairwise

import brotli
import zstandard

LAST_CHUNK = b"0\r\n\r\n"


def encode_head(status, headers=(), reason=None, version="HTTP/1.1"):
    """Returns a response head with the header pairs (text or bytes) as given; framing headers are the caller's."""
    if reason is None:
        reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    lines = [f"{version} {status} {reason}".encode("latin-1")]
    lines += [_octets(name) + b": " + _octets(value) for name, value in headers]
    return b"\r\n".join([*lines, b"", b""])


def chunk(data, extension=b""):
    """Returns one frame of the chunked coding."""
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


def event(data, name=None, newline=b"\n"):
    """Returns one server-sent event: `data` is text, bytes or JSON; each of its lines gets a `data:` field."""
    if not isinstance(data, (str, bytes)):
        data = json.dumps(data, separators=(",", ":"))
    fields = [b"event: " + _octets(name)] if name is not None else []
    fields += [b"data: " + line for line in _octets(data).split(b"\n")]
    return newline.join([*fields, b"", b""])


def encode_content(coding, pieces):
    """Returns the pieces compressed as one stream, flushed after each, so that each can be decoded when it arrives."""
    if coding in ("gzip", "deflate"):
        packer = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
        packed = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
        return [*packed, packer.flush(zlib.Z_FINISH)]
    if coding == "br":
        packer = brotli.Compressor(quality=4)
        return [*(packer.process(piece) + packer.flush() for piece in pieces), packer.finish()]
    if coding == "zstd":
        packer = zstandard.ZstdCompressor().compressobj()
        packed = [packer.compress(piece) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for piece in pieces]
        return [*packed, packer.flush()]
    raise ValueError(f"unknown content coding {coding!r}")


def sized(count):
    """Returns a cut: pieces of `count` bytes."""
    return lambda data: [data[start : start + count] for start in range(0, len(data), count)]


def at(*offsets):
    """Returns a cut at these offsets, negative ones from the end."""

    def cut(data):
        places = sorted({offset % len(data) for offset in offsets} | {0, len(data)}) if data else [0, 0]
        return [data[start:end] for start, end in pairwise(places)]

    return cut


def random_cuts(seed, longest=64):
    """Returns a cut into pieces of 1 to `longest` bytes, the same for the same seed."""

    def cut(data):
        choose = random.Random(seed)
        pieces = []
        while data:
            size = choose.randint(1, longest)
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    return cut


byte_by_byte = sized(1)


def inside_crlf(data):
    """A cut between the CR and the LF of every line end."""
    return re.split(rb"(?<=\r)(?=\n)", data)


def _octets(value):
    return value.encode() if isinstance(value, str) else value
