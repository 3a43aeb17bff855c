import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import ResponseReader, read_response
from ingate.formats import reader as reading
from tests.support.recordings import JSON, NDJSON, RECORDINGS, SSE

PACK = {
    "": lambda data: data,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.fixture(autouse=True, params=[1, 10**9], ids=["read-at-once", "read-in-batches"])
def batch(request, monkeypatch):
    """Reads every chunk as it comes, or all of them at the end: the facts must not depend on it."""
    monkeypatch.setattr(reading, "_BATCH", request.param)


def read(recording, coding, pieces):
    reader = ResponseReader(recording.format, recording.media, coding)
    for piece in pieces:
        reader.feed(piece)
    return reader.finish()


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda one: one.name)
def test_pieces_of_every_size_tell_the_same(recording, coding):
    """The facts of a response do not depend on how long its pieces are, packed or plain."""
    body = PACK[coding](recording.body)
    for size in (1, 2, 3, 5, 7, 16, 61, 200, len(body)):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        assert read(recording, coding, pieces) == recording.facts


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda one: one.name)
def test_a_cut_at_every_byte_tells_the_same(recording):
    """The facts do not depend on where a response is divided in two."""
    body = recording.body
    for cut in range(len(body)):
        assert read(recording, "", [body[:cut], b"", body[cut:]]) == recording.facts


@given(recording=st.sampled_from(RECORDINGS), coding=st.sampled_from(list(PACK)), data=st.data())
def test_any_division_tells_the_same(recording, coding, data):
    """Any division into any number of pieces yields the same facts."""
    body = PACK[coding](recording.body)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=30)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert read(recording, coding, pieces) == recording.facts


@given(
    recording=st.sampled_from(RECORDINGS),
    coding=st.sampled_from(list(PACK)),
    at=st.integers(0, 4000),
    noise=st.binary(max_size=9),
)
def test_any_damage_is_survived(recording, coding, at, noise):
    """A response that is cut off, or damaged anywhere, still yields facts."""
    body = PACK[coding](recording.body)
    at %= len(body)
    for damaged in (body[:at], body[:at] + noise + body[at + len(noise) :]):
        learned = read(recording, coding, [damaged[:at], damaged[at:]])
        assert learned.error is None or len(learned.error) <= 520
        assert "a fault of the gateway" not in (learned.error or "")


@given(
    recording=st.sampled_from(RECORDINGS),
    media=st.sampled_from([None, JSON, SSE, NDJSON, "", "text/html"]),
    coding=st.sampled_from([*PACK, "bogus"]),
    damage=st.none() | st.tuples(st.integers(0, 4000), st.binary(max_size=9)),
    data=st.data(),
)
def test_a_body_at_hand_tells_the_same(recording, media, coding, damage, data):
    """A body read at once yields the facts of the same body in any pieces, whole or damaged, whatever its label."""
    body = PACK.get(coding, bytes)(recording.body)
    if damage is not None:
        at = damage[0] % len(body)
        body = body[:at] + damage[1] + body[at + len(damage[1]) :]
    media = recording.media if media is None else media
    reader = ResponseReader(recording.format, media, coding)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=30)))
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        reader.feed(body[start:end])
    assert read_response(recording.format, media, coding, body) == reader.finish()
