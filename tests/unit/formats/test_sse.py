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


def parse_long(pieces, limit):
    """Returns all events, the data of those over the limit put together again, and the longest that was held."""
    parser = SSEParser(max_event=limit)
    events, parts, longest = [], [], 0
    for piece in [*pieces, None]:
        done = parser.close() if piece is None else parser.feed(piece)
        parts.append(parser.ending)
        if parser.over:
            events.append((parser.name, b"".join(parts)))
            parts = []
        events += done
        parts.append(parser.beginning)
        longest = max(longest, len(parser._blocks._held))
    return [(name, data.replace(b"\n", b"")) for name, data in events], longest


lines = st.lists(
    st.sampled_from([b"data: a", b"data:", b"data: bb\xc3", b"event: e", b": c", b"", b"x", b"data", b"\xef\xbb\xbf"]),
    max_size=20,
)


@given(lines=lines, ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=1), data=st.data())
def test_pieces_never_matter(lines, ends, data):
    """Any mixture of lines and line ends reads the same in one piece as in many."""
    stream = b"".join(line + ends[at % len(ends)] for at, line in enumerate(lines))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parse(pieces) == parse([stream])


@given(
    events=st.lists(st.lists(st.sampled_from([b"a", b"bb", b"c" * 30, b" d", b"data: e"]), min_size=1), max_size=5),
    name=st.sampled_from([b"", b"event: e\n", b": c\nevent:e\nid: 1\n"]),
    space=st.sampled_from([b"", b" "]),
    limit=st.sampled_from([20, 21, 30]),
    data=st.data(),
)
def test_a_long_event_loses_nothing(events, name, space, limit, data):
    """The data of events over the limit comes in parts, in order, wherever the stream is divided."""
    stream = b"".join(name + b"".join(b"data:%b%b\n" % (space, line) for line in some) + b"\n" for some in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = [(event, text.replace(b"\n", b"")) for event, text in parse([stream])]
    read, _ = parse_long(pieces, limit)
    assert [text for _, text in read] == [text for _, text in whole]
    assert len(name) > limit or [event for event, _ in read] == [event for event, _ in whole]


def test_an_endless_event_is_not_kept():
    """Memory stays at the limit however long an event goes on."""
    pieces = [b"data: x\n"] * 1000
    events, longest = parse_long(pieces, 100)
    assert events == [(b"", b"x" * 1000)]
    assert longest <= 108


def test_lines_are_split_alike():
    """A one-byte separator divides lines, the last of which needs no end; a long one is handed on."""
    splitter = Splitter(b"\n", 3)
    assert splitter.feed(b"a\n\nbb") == [b"a", b""]
    assert splitter.feed(b"b\ncccc") == [b"bbb"]
    assert splitter.beginning == b"cccc"
    assert splitter.feed(b"cc\nd") == []
    assert (splitter.ending, splitter.over) == (b"cc", True)
    assert splitter.close() == [b"d"]
