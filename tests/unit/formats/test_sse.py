import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import SSEParser
from ingate.formats.splitter import Splitter

CASES = [
    (b"data: a\n\n", [(b"", b"a")]),
    (b"data:a\n\n", [(b"", b"a")]),
    (b"data:  a \n\n", [(b"", b" a ")]),
    (b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
    (b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"", b"a"), (b"", b"b")]),
    (b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")]),
    (b"data: a\r\n\ndata: b\n\r\n", [(b"", b"a"), (b"", b"b")]),
    (b"data: a\ndata: b\n\n", [(b"", b"a\nb")]),
    (b"data\n\n", [(b"", b"")]),
    (b"data:\n\n", [(b"", b"")]),
    (b"data\ndata\n\n", [(b"", b"\n")]),
    (b"event: x\ndata: a\n\n", [(b"x", b"a")]),
    (b"event:x\ndata:a\n\n", [(b"x", b"a")]),
    (b"data: a\nevent: x\nid: 1\nretry: 5\nnonsense\n\n", [(b"x", b"a")]),
    (b"event: x\nevent: y\ndata: a\ndata: b\n\n", [(b"y", b"a\nb")]),
    (b"event: x\n\ndata: a\n\n", [(b"", b"a")]),
    (b"event: \xff\ndata: a\n\n", [(b"\xff", b"a")]),
    (b": comment\n\ndata: a\n: more\ndata: b\n\n", [(b"", b"a\nb")]),
    (b":\n\n:\n\n", []),
    (b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
    (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
    (b"\xef\xbbdata: a\n\ndata: b\n\n", [(b"", b"b")]),
    (b"data: \xef\xbb\xbfa\n\n", [(b"", b"\xef\xbb\xbfa")]),
    (b"data: a", [(b"", b"a")]),
    (b"data: a\n", [(b"", b"a")]),
    (b"data: a\r", [(b"", b"a")]),
    (b"data: a\n\ndata: b\n\nevent: x", [(b"", b"a"), (b"", b"b")]),
    (b"databus: a\n\n data: b\n\n", []),
    (b"\xef\xbb", []),
    (b"", []),
]


def parse(pieces, **options):
    parser = SSEParser(**options)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


@pytest.mark.parametrize(("stream", "events"), CASES)
def test_reads_a_stream_in_any_pieces(stream, events):
    """The events of a stream do not depend on where it is divided."""
    assert parse([stream]) == events
    for size in range(1, len(stream)):
        assert parse([stream[at : at + size] for at in range(0, len(stream), size)]) == events
        assert parse([stream[:size], b"", stream[size:]]) == events


lines = st.lists(
    st.sampled_from([b"data: a", b"data:", b"data: bb\xc3", b"event: e", b": c", b"", b"x", b"data", b"\xef\xbb\xbf"]),
    max_size=20,
)


@given(lines=lines, ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=1), data=st.data())
def test_pieces_never_matter(lines, ends, data):
    """Any mixture of lines and line ends reads the same in one piece as in many, with and without a limit."""
    stream = b"".join(line + ends[at % len(ends)] for at, line in enumerate(lines))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    for limit in (1000, 7, 8, 9):
        assert parse(pieces, max_event=limit) == parse([stream], max_event=limit)


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_an_event_over_the_limit_is_skipped(size):
    """An event of the limit is reported and a longer one is not, and the next event is read again."""
    exact, longer = b"data: " + b"x" * 94, b"data: " + b"x" * 95
    stream = b"data: a\n\n" + exact + b"\n\n" + longer + b"\n\n" + b"y" * 5000 + b"\n\ndata: b\n\n" + longer
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert parse(pieces, max_event=100) == [(b"", b"a"), (b"", b"x" * 94), (b"", b"b")]


def test_an_endless_event_is_not_kept():
    """Memory stays at the limit however long an event goes on."""
    splitter = Splitter(b"\n\n", 100)
    for _ in range(1000):
        assert splitter.feed(b"data: x\n") == []
        assert len(splitter._held) <= 101  # the only place the bytes could be
    assert splitter.close() == []
    assert splitter.feed(b"a\n\n") == [b"a"]


def test_lines_are_split_alike():
    """A one-byte separator divides lines, the last of which needs no end."""
    splitter = Splitter(b"\n", 3)
    assert splitter.feed(b"a\n\nbb") == [b"a", b""]
    assert splitter.feed(b"b\ncccc\nd") == [b"bbb"]
    assert splitter.close() == [b"d"]
