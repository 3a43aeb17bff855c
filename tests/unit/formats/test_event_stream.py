"""Messages of an event stream are found however they are divided; lengths and checksums are not believed unchecked."""

import json
import struct
import tracemalloc
from itertools import pairwise
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import Format, ResponseReader
from ingate.formats.event_stream import LONGEST, EventStreamParser
from tests.support.event_stream import MEDIA, chunk, framed, header, message

DELTA = message("contentBlockDelta", {"delta": {"text": "Hi"}})
STOP = message("messageStop", {"stopReason": "end_turn"})
USAGE = message("metadata", {"usage": {"inputTokens": 5, "outputTokens": 3}})
MANY = (
    b"\x01b\x00\x01c\x01\x01d\x02\x07\x01e\x03\x00\x07\x01f\x04\x00\x00\x00\x07\x01g\x05" + bytes(8)
    + b"\x01h\x06\x00\x02xy\x01i\x08" + bytes(8) + b"\x01j\x09" + bytes(16)
)  # fmt: skip


def read(*pieces, wire=Format.BEDROCK_CONVERSE):
    reader = ResponseReader(wire, MEDIA, "")
    for piece in pieces:
        reader.feed(piece)
    return reader.finish()


def prelude(length, headers):
    told = struct.pack(">II", length, headers)
    return told + struct.pack(">I", crc32(told))


@given(
    st.lists(st.tuples(st.sampled_from(["chunk", "metadata", "x"]), st.dictionaries(st.text(), st.text())), max_size=5),
    st.lists(st.integers(0, 2000), max_size=8),
)
def test_messages_are_found_in_any_pieces(events, cuts):
    """In order, each with its type and its payload."""
    stream = b"".join(message(kind, said) for kind, said in events)
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    parser = EventStreamParser()
    found = [event for start, end in pairwise(places) for event in parser.feed(stream[start:end])]
    assert not parser.within
    assert parser.problem is None
    assert [(kind.decode(), json.loads(data)) for kind, data in found] == events


def test_headers_of_every_type_are_passed():
    """Text and bytes among them are read."""
    stream = framed(MANY + header(":event-type", "metadata") + MANY, b"{}")
    assert EventStreamParser().feed(stream) == [(b"metadata", b"{}")]


@pytest.mark.parametrize(
    ("headers", "payload", "said"),
    [
        (
            {":message-type": "exception", ":exception-type": "throttlingException"},
            b'{"message":"m"}',
            "throttlingException: m",
        ),
        ({":message-type": "exception", ":exception-type": "x"}, b'{"Message":"m"}', "x: m"),
        ({":message-type": "exception", ":exception-type": "x"}, b"no JSON", "x"),
        ({":message-type": "error", ":error-code": "c", ":error-message": "m"}, b"", "c: m"),
        ({":message-type": "unheard-of"}, b"", "unheard-of"),
    ],
)
def test_a_message_may_be_a_failure(headers, payload, said):
    """An exception of the service, or an error without a payload; what came before it is kept."""
    failed = framed(b"".join(header(*pair) for pair in headers.items()), payload)
    learned = read(DELTA + failed)
    assert (learned.completion, learned.error, learned.complete) == ("Hi", said, False)


BROKEN = {
    "no-checksum": DELTA[:8] + bytes(4) + DELTA[12:],
    "other-payload": DELTA[:-10] + b"x" + DELTA[-9:],
    "too-short": prelude(15, 0) + bytes(8),
    "nothing": prelude(0, 0),
    "headers-beyond": prelude(100, 85) + bytes(100),
    "most-headers": prelude(2**32 - 1, 2**32 - 1),
    "text": b"HTTP/1.1 200 OK\r\n\r\n",
    "header-without-type": framed(b"\x03abc", b"{}"),
    "header-type": framed(b"\x01a\x0a", b"{}"),
    "header-length": framed(b"\x01a\x07\xff\xffx", b"{}"),
    "header-name": framed(b"\xffa", b"{}"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_message_ends_the_reading(broken):
    """And what was learned until then stays; what follows is not read as if it were one."""
    learned = read(DELTA, USAGE, broken, STOP)
    assert (learned.completion, learned.usage.input, learned.finish_reason) == ("Hi", 5, None)
    assert learned.error == "broken: the event stream is broken"


def test_a_long_message_is_passed_over():
    """Whatever its length says, no more than a message of the longest length is held."""
    long = framed(header(":event-type", "x"), b"x" * (LONGEST + 1))
    assert read(long, DELTA, long + STOP + USAGE).completion == "Hi"
    tracemalloc.start()
    try:
        parser = EventStreamParser()
        parser.feed(prelude(2**32 - 1, 0))
        for _ in range(200):
            assert parser.feed(bytes(64 * 1024)) == []
        assert tracemalloc.get_traced_memory()[1] < 2 * LONGEST
    finally:
        tracemalloc.stop()
    assert parser.within


def test_a_stream_that_ends_within_a_message_is_broken_off():
    """It is not taken for one that ended."""
    whole = DELTA + STOP + USAGE
    assert read(whole).failure(stream=True) is None
    for end in (1, len(USAGE) - 1):
        assert read(whole[:-end]).failure(stream=True) == "the stream ended without its last event"
    assert read(whole, prelude(2**20, 0)).failure(stream=True) == "the stream ended without its last event"
    assert read(DELTA).failure(stream=True) == "the stream ended without its last event"
    assert read(b"").failure(stream=True) == "the stream ended without its last event"


@pytest.mark.parametrize(
    "said", [b'{"bytes":"*"}', b'{"bytes":5}', b"{}", b"[]", b"no JSON", b'{"bytes":"bm8gSlNPTg=="}']
)
def test_an_event_without_an_answer_says_nothing(said):
    """As an invoked model wraps it."""
    odd = framed(header(":event-type", "chunk"), said)
    learned = read(odd, chunk({"outputText": "Hi", "completionReason": "FINISH"}), wire=Format.BEDROCK_INVOKE)
    assert (learned.completion, learned.finish_reason, learned.error) == ("Hi", "FINISH", None)


def test_tiny_messages_are_taken_in_bounded_pieces():
    """Others have their turn between them."""
    reader = ResponseReader(Format.BEDROCK_CONVERSE, MEDIA, "")
    turns = sum(1 for _ in reader.reading(framed(b"", b"") * 20_000))
    assert turns >= 75
