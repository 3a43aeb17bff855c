import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rest_facade.http1.chunks import LINE_LIMIT, TRAILERS_LIMIT, BadChunk, ChunkDecoder


def decode(pieces):
    """Feeds pieces until the body ends; returns (body, what follows it) with None for a body that does not end."""
    decoder = ChunkDecoder()
    body = b""
    for number, piece in enumerate(pieces):
        found, rest = decoder.feed(piece)
        assert all(found)
        body += b"".join(found)
        if rest is not None:
            return body, rest + b"".join(pieces[number + 1 :])
    return body, None


def cut(data, places):
    edges = [0, *sorted(set(places)), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


extensions = st.sampled_from([b"", b";a=b", b";a", b';a="b c"', b';a="\\"\xff;";b=c'])
sizes = st.sampled_from([b"%x", b"%X", b"000%x"])
trailers = st.lists(st.sampled_from([b"x-sum: 1\r\n", b"x:\r\n", b"a: b: c\r\n"]), max_size=3).map(b"".join)


@settings(deadline=None)
@given(data=st.data(), body=st.lists(st.binary(min_size=1, max_size=40), max_size=6), ends=trailers)
def test_any_body_cut_anyhow(data, body, ends):
    """Chunks with extensions and trailers are their content, and what follows them is handed back untouched."""
    wire = b"".join(data.draw(sizes) % len(chunk) + data.draw(extensions) + b"\r\n" + chunk + b"\r\n" for chunk in body)
    wire += b"0" + data.draw(extensions) + b"\r\n" + ends + b"\r\n"
    follows = data.draw(st.sampled_from([b"", b"\r\n", b"POST / HTTP/1.1\r\n"]))
    places = data.draw(st.lists(st.integers(1, len(wire)), max_size=10))
    assert decode(cut(wire + follows, places)) == (b"".join(body), follows)
    assert decode([bytes([byte]) for byte in wire + follows]) == (b"".join(body), follows)


@settings(deadline=None)
@given(data=st.data(), body=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4))
def test_no_prefix_is_complete(data, body):
    """A body that is cut short does not end."""
    wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in body) + b"0\r\n\r\n"
    assert decode([wire[: data.draw(st.integers(0, len(wire) - 1))]])[1] is None


BAD = {
    "no size": b"\r\nab\r\n",
    "not hexadecimal": b"zz\r\n",
    "a prefix": b"0x2\r\nab\r\n",
    "a sign": b"+2\r\nab\r\n",
    "an underscore": b"1_0\r\n",
    "a blank before": b" 2\r\nab\r\n",
    "a blank behind": b"2 \r\nab\r\n",
    "a huge size": b"f" * 16 + b"\r\n",
    "a bare line end": b"2\nab\r\n",
    "an extension without name": b"2;\r\nab\r\n",
    "an extension of two words": b"2;a b\r\nab\r\n",
    "blanks around an extension": b"2; a = b\r\nab\r\n",
    "an open quote in an extension": b'2;a="b\r\nab\r\n',
    "obscure bytes in an extension": b"2;\xff\r\nab\r\n",
    "a bare line end in an extension": b"2;a\nb\r\nab\r\n",
    "a bare return in an extension": b"2;a\rb\r\nab\r\n",
    "NUL in an extension": b"2;\0\r\nab\r\n",
    "too long a chunk": b"2\r\nabc\r\n",
    "no end of the chunk": b"2\r\nab0\r\n\r\n",
    "a bare line end behind a chunk": b"2\r\nab\n0\r\n\r\n",
    "too short a chunk": b"3\r\nab\r\n0\r\n\r\n",
    "a folded trailer": b"0\r\nx: a\r\n b\r\n\r\n",
    "a trailer without name": b"0\r\n: a\r\n\r\n",
    "a trailer that is none": b"0\r\nabc\r\n\r\n",
    "a length behind the body": b"0\r\nContent-Length: 5\r\n\r\n",
    "a coding behind the body": b"0\r\ntransfer-encoding: chunked\r\n\r\n",
    "a bare line end in a trailer": b"0\r\nx: a\n\r\n\r\n",
    "an extension without end": b"2;" + b"x" * (LINE_LIMIT + 1),
    "too long an extension": b"2;" + b"x" * LINE_LIMIT + b"\r\nab\r\n",
    "a trailer without end": b"0\r\nx: " + b"y" * LINE_LIMIT,
    "trailers without end": b"0\r\n" + b"x: y\r\n" * TRAILERS_LIMIT,
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_bad_framing(case, step):
    """What is not the coding, or too large, is refused wherever it is cut, and good chunks before it are told."""
    wire = b"5\r\nhello\r\n" + BAD[case]
    body, fault = b"", None
    decoder = ChunkDecoder()
    for start in range(0, len(wire), step):
        try:
            body += b"".join(decoder.feed(wire[start : start + step])[0])
        except BadChunk as bad:
            body += b"".join(bad.pieces)
            fault = bad
            break
    assert fault is not None
    assert body.startswith(b"hello")


@settings(deadline=None, max_examples=200)
@given(pieces=st.lists(st.text("0123af;:\r\n x", max_size=12).map(str.encode), max_size=8))
def test_garbage_is_bad_or_decoded_alike(pieces):
    """Bytes of any kind raise nothing but BadChunk, and mean the same however they are cut."""

    def outcome(parts):
        try:
            return decode(parts)
        except BadChunk:
            return BadChunk

    assert outcome([b"".join(pieces)]) == outcome(pieces)


def test_nothing_of_a_body_is_held_back():
    """The part of a chunk that is here is handed on, and the decoder holds no more than a line."""
    decoder = ChunkDecoder()
    assert decoder.feed(b"a\r\n123") == ([b"123"], None)
    assert decoder.feed(b"456") == ([b"456"], None)
    assert decoder.feed(b"7890\r") == ([b"7890"], None)
    assert decoder.feed(b"\n0\r\n\r") == ([], None)
    assert decoder.feed(b"\nrest") == ([], b"rest")
