import gzip
import random
import zlib

import brotli
import pytest
import zstandard

from ingate.formats import encoding, unpacking
from ingate.formats.encoding import MAX_DECODED, MAX_RATIO, decoder_for
from ingate.formats.malformed import TooLarge, Unreadable
from ingate.formats.pace import Pace, at_once


def bare(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACK = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip ": gzip.compress,
    "identity, gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate, identity": bare,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def beginning(data, coding, limit):
    return at_once(unpacking(data, coding, limit, Pace()))


DATA = bytes(range(256)) * 2000 + b"the end"


def unpack(coding, pieces):
    decoder = decoder_for(coding)
    out = [unpacked for piece in pieces for unpacked in decoder.unpack(piece)]
    return b"".join(out), max(map(len, out), default=0)


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize("size", [1, 3, 1000, 10**9])
def test_unpacks_in_any_pieces(coding, size):
    """What comes out does not depend on how it came in, and comes in pieces of bounded size."""
    packed = PACK[coding](DATA)
    data, longest = unpack(coding, [packed[at : at + size] for at in range(0, len(packed), size)])
    assert data == DATA
    assert longest <= 256 * 1024


@pytest.mark.parametrize("header", ["", "identity", " , ", "Identity"])
def test_plain_bytes_need_no_decoder(header):
    """No coding, no decoder."""
    assert decoder_for(header) is None


@pytest.mark.parametrize("header", ["compress", "gzip, br", "x" * 10_000])
def test_unknown_codings_are_said_to_be(header):
    """A coding that is not undone is named, in a bounded message."""
    with pytest.raises(Unreadable, match="not supported") as caught:
        decoder_for(header)
    assert len(str(caught.value)) < 100


def unpack_all(coding, packed, lengths):
    """Notes how long the pieces are that come out."""
    decoder = decoder_for(coding)
    for some in packed:
        lengths.extend(map(len, decoder.unpack(some)))


def noise(size):
    """Returns bytes that hardly any coding makes smaller."""
    return random.Random(size).randbytes(size)


def many_frames(data):
    return b"".join(zstandard.ZstdCompressor().compress(data[at : at + 2**20]) for at in range(0, len(data), 2**20))


def in_members(data):
    return b"".join(gzip.compress(data[at : at + 2**20]) for at in range(0, len(data), 2**20))


ZEROS = bytes(32 * 1024 * 1024)
BOMBS = {
    "gzip": ("gzip", gzip.compress(ZEROS)),
    "gzip-members": ("gzip", in_members(ZEROS)),
    "gzip-in-gzip": ("gzip", gzip.compress(gzip.compress(ZEROS) * 100)),
    "deflate": ("deflate", zlib.compress(ZEROS)),
    "bare-deflate": ("deflate", bare(ZEROS)),
    "brotli": ("br", brotli.compress(ZEROS, quality=1)),
    "brotli-wide": ("br", brotli.compress(ZEROS, quality=9, lgwin=24)),
    "zstd": ("zstd", zstandard.ZstdCompressor(level=19).compress(ZEROS)),
    "zstd-frames": ("zstd", many_frames(ZEROS)),
    "zstd-after-text": ("zstd", zstandard.ZstdCompressor().compress(noise(2000) + ZEROS)),
}


@pytest.mark.parametrize("size", [1, 1000, 10**9])
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_stopped_early(bomb, size):
    """A body that unpacks to very much more than it is long is given up after 1 MiB, in small pieces."""
    coding, packed = BOMBS[bomb]
    pieces = [0]
    with pytest.raises(TooLarge, match=r"^too large$"):
        unpack_all(coding, [packed[at : at + size] for at in range(0, len(packed), size)], pieces)
    assert max(pieces) <= 128 * 1024
    assert sum(pieces) <= 2**20 + MAX_RATIO * 2048


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_large_in_earnest_has_a_limit(coding, monkeypatch):
    """A body that packs badly is unpacked up to the limit of all bodies."""
    monkeypatch.setattr(encoding, "MAX_DECODED", 3 * 2**20)
    data = noise(4 * 2**20)
    packed = brotli.compress(data, quality=1) if coding == "br" else PACK[coding](data)
    pieces = []
    with pytest.raises(TooLarge):
        unpack_all(coding, [packed], pieces)
    assert 2 * 2**20 < sum(pieces) <= 3 * 2**20
    assert MAX_DECODED == 64 * 2**20


def test_unpacking_is_done_when_it_is_asked_for():
    """Of a body that nobody asks more of, no more is unpacked."""
    pieces = decoder_for("gzip").unpack(gzip.compress(noise(2**20)))
    assert 0 < len(next(pieces)) <= 64 * 1024


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("garbage", [b"not compressed at all", b"\xff" * 100])
def test_garbage_is_unreadable(coding, garbage):
    """Bytes of another kind are said to be corrupt, or what they seem to announce is too large."""
    with pytest.raises(Unreadable, match=r"corrupt|^too large$"):
        unpack(coding, [garbage])


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_gzip_may_have_members_and_padding(size):
    """Members follow one another; padding behind the last one is left alone."""
    packed = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0" * 20
    assert unpack("gzip", [packed[at : at + size] for at in range(0, len(packed), size)])[0] == b"one two"


def test_gzip_with_very_many_members_ends():
    """Members that hold nothing do not cost without end."""
    data, _ = unpack("gzip", [gzip.compress(b"x") * 5000])
    assert data == b"x" * 1000


@pytest.mark.parametrize("coding", ["deflate", "br"])
def test_what_follows_the_end_is_ignored(coding):
    """Bytes after the end of the body change nothing."""
    assert unpack(coding, [PACK[coding](b"data"), b"\0garbage", b"\0"])[0] == b"data"


def test_a_wide_zstd_window_is_refused():
    """A frame that wants the receiver to hold more than 8 MiB is not unpacked."""
    settings = zstandard.ZstdCompressionParameters(window_log=25)
    packer = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    with pytest.raises(Unreadable, match="corrupt"):
        unpack("zstd", [packer.compress(b"data" * 1000) + packer.flush()])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_the_beginning_of_a_body_can_be_unpacked(coding):
    """As much as is asked for is unpacked of a whole or a cut-off body; what cannot be is returned as it is."""
    packed = PACK[coding](DATA)
    assert beginning(packed, coding, 100) == DATA[:100]
    assert beginning(packed, coding, 10**9) == DATA
    assert DATA.startswith(beginning(packed[:-10], coding, 10**9))
    assert beginning(b"\xff" * 100, coding, 5) == b"\xff" * 5
    assert beginning(b"plain text", "", 5) == b"plain"
