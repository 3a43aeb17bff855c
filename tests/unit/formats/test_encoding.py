import gzip
import zlib

import brotli
import pytest
import zstandard

from ingate.formats import unpacked
from ingate.formats.encoding import MAX_DECODED, Unreadable, decoder_for


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
DATA = bytes(range(256)) * 2000 + b"the end"


def unpack(coding, pieces):
    out = []
    decoder = decoder_for(coding, out.append)
    for piece in pieces:
        decoder.feed(piece)
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
    assert decoder_for(header, bytes) is None


@pytest.mark.parametrize("header", ["compress", "gzip, br", "x" * 10_000])
def test_unknown_codings_are_said_to_be(header):
    """A coding that is not undone is named, in a bounded message."""
    with pytest.raises(Unreadable, match="not supported") as caught:
        decoder_for(header, bytes)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_stopped(coding):
    """A small body that unpacks to very much is given up at the limit."""
    zeros = b"\0" * (MAX_DECODED + 1)
    bomb = brotli.compress(zeros, quality=1) if coding == "br" else PACK[coding](zeros)
    held = 0

    def emit(piece):
        nonlocal held
        held += len(piece)

    decoder = decoder_for(coding, emit)
    with pytest.raises(Unreadable, match="more than 64 MiB"):
        decoder.feed(bomb)
    assert held <= MAX_DECODED


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("garbage", [b"not compressed at all", b"\xff" * 100])
def test_garbage_is_unreadable(coding, garbage):
    """Bytes of another kind are said to be corrupt."""
    with pytest.raises(Unreadable, match="corrupt"):
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
    assert unpacked(packed, coding, 100) == DATA[:100]
    assert unpacked(packed, coding, 10**9) == DATA
    assert DATA.startswith(unpacked(packed[:-10], coding, 10**9))
    assert unpacked(b"\xff" * 100, coding, 5) == b"\xff" * 5
    assert unpacked(b"plain text", "", 5) == b"plain"
