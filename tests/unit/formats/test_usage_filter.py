"""Hiding the usage that a caller did not ask for, wherever a stream is cut."""

import json
import random
from itertools import pairwise

import pytest

from ingate.formats import UsageFilter
from ingate.formats.oddities import BOM
from ingate.formats.usage_filter import LONGEST

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
COMMON = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def data(chunk, separators=(",", ":")):
    """Returns a chunk as a line of data."""
    return b"data: " + json.dumps(chunk, separators=separators).encode() + b"\n"


def said(text="hi", **members):
    """A chunk that says something; members come behind its choices."""
    return {**COMMON, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **members}


ONLY_USAGE = {**COMMON, "choices": [], "usage": USAGE}
HIDDEN = data(ONLY_USAGE) + b"\n"
DONE = b"data: [DONE]\n\n"


def filtered(*pieces):
    """Returns what passes of a stream in these pieces, and what was hidden."""
    one = UsageFilter()
    passed = b"".join([one.feed(piece) for piece in pieces]) + one.finish()
    assert one.finish() == b""
    return passed, one.hidden


def stream(with_usage):
    """A stream as OpenAI sends it, with the option or without."""
    null = {"usage": None} if with_usage else {}
    events = [said(""), said('a "usage":null, here'), said("né 🦊"), said("x", obfuscation="aB3")]
    lines = [data({**event, **null, "obfuscation": "q"}) + b"\n" for event in events]
    return b"".join([b": ping\n\n", *lines, *([HIDDEN] if with_usage else []), DONE])


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_a_stream_is_what_it_would_have_been(newline):
    """Whether it comes at once, cut in two anywhere, or byte by byte."""
    whole, expected = (stream(option).replace(b"\n", newline) for option in (True, False))
    hidden = HIDDEN.replace(b"\n", newline)

    assert filtered(whole) == (expected, hidden)
    assert filtered(*[whole[at : at + 1] for at in range(len(whole))]) == (expected, hidden)
    for at in range(len(whole)):
        assert filtered(whole[:at], whole[at:]) == (expected, hidden)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'data: {"usage":null,"choices":[1]}\n', b'data: {"choices":[1]}\n'),
        (b'data: { "usage" : null , "choices":[1]}\n', b'data: { "choices":[1]}\n'),
        (b'data: {"choices":[1] , "usage": null }\n', b'data: {"choices":[1]  }\n'),
        (b'data: {"choices":[1],"usage":null,"x":1}\n', b'data: {"choices":[1],"x":1}\n'),
        (b'data: {"usage":null}\n', b"data: {}\n"),
        (
            b'data:{"choices":[],"usage":null,"prompt_filter_results":[]}\n',
            b'data:{"choices":[],"prompt_filter_results":[]}\n',
        ),
        (b'data: {"choices":[{"usage":null}],"usage":null}\n', b'data: {"choices":[{"usage":null}]}\n'),
        (b'data: {"usage":null,"choices":[{"usage":null}]}\n', b'data: {"choices":[{"usage":null}]}\n'),
    ],
)
def test_a_usage_of_null_is_taken_out(before, after):
    """Of the chunk itself, with its comma; blanks around stay."""
    assert filtered(before + b"\n") == (after + b"\n", b"")


@pytest.mark.parametrize(
    "line",
    [
        data(said(usage=USAGE)),  # as Mistral ends its streams, asked or not
        data({**COMMON, "choices": [{"index": 0, "usage": USAGE}]}),
        data({**ONLY_USAGE, "error": {"message": "failed"}}),
        data({**COMMON, "usage": USAGE}),
        data({**ONLY_USAGE, "usage": [1]}),
        data({**COMMON, "choices": [{"usage": None}]}),
        b'data: {"usage":null,"usage":null,"choices":[]}\n',
        b'data: {"choices":[],"usage":{}\n',
        b'data: "usage"\n',
        b'"usage"\n',
        b'event: "usage"\n',
        b"id: 7\nevent: x\ndata: y\n",
        b"data\n",
        b"\n\n",
    ],
)
def test_everything_else_passes(line):
    """Usage beside choices, errors, usage of other objects, what is no JSON, and what is no data."""
    assert filtered(line + b"\n" + DONE) == (line + b"\n" + DONE, b"")


@pytest.mark.parametrize("before", [b"", b"id: 7\n", b"event: message\nretry: 5\n: and\n", b"id\nid:\n"])
@pytest.mark.parametrize("end", [b"\n", b"", b"\r\n"])
def test_the_hidden_event_goes_with_all_its_lines(before, end):
    """The fields beside its data go too, also where the stream ends in it."""
    passing = b"id\n" if before.startswith(b"id\n") else b""
    event = before.removeprefix(passing) + data(ONLY_USAGE)
    assert filtered(DONE, before, data(ONLY_USAGE), end) == (DONE + passing, event + end)
    assert filtered(DONE + before + data(ONLY_USAGE)[:-1])[0] == DONE + passing


@pytest.mark.parametrize("more", [b"data: [DONE]\n", b"x: y\n", b": ping\n"])
def test_an_event_that_has_more_is_another(more):
    """Usage is hidden where its event has nothing else to say."""
    text = data(ONLY_USAGE) + more + b"\n"
    assert filtered(*[text[at : at + 1] for at in range(len(text))]) == (text, b"")


def test_a_line_passes_when_it_is_complete():
    """Nothing that cannot be hidden any more waits: neither for the blank line, nor for the next event."""
    one = UsageFilter()
    assert one.feed(b": ping\n") == b": ping\n"
    assert one.feed(data(said())[:-1]) == b""
    assert one.feed(b"\n") == data(said())
    assert one.feed(b"\n" + data(said(usage=None))) == b"\n" + data(said())
    assert one.feed(b"\r") == b"\r"
    assert one.feed(b"id: 1\n") == b""
    assert one.feed(b"data: {}\n") == b"id: 1\ndata: {}\n"
    assert one.feed(b'{"no":"sse"}\n') == b'{"no":"sse"}\n'


@pytest.mark.parametrize("size", [1, 1000, 16 * LONGEST])
def test_what_is_long_passes_as_it_comes(size):
    """Memory is bounded: a line of any length is held up to a bound, and is followed by others as usual."""
    long = data(said("x" * (3 * LONGEST), usage=None)) + b"\n"
    text = long + HIDDEN + long + DONE
    one = UsageFilter()
    passed = []
    for at in range(0, len(text), size):
        passed.append(one.feed(text[at : at + size]))
        assert len(one._line) + len(one._lines) <= LONGEST

    whole = size > len(text)
    expected = data(said("x" * (3 * LONGEST))) + b"\n" if whole else long
    assert b"".join(passed) + one.finish() == expected + expected + DONE
    assert one.hidden == HIDDEN


def test_very_many_lines_beside_data_are_bounded():
    """So are the lines that wait for the data of their event."""
    one = UsageFilter()
    text = b"id: 1\n" * LONGEST
    passed = b"".join([one.feed(text[at : at + 1000]) for at in range(0, len(text), 1000)])
    assert len(text) - LONGEST <= len(passed) < len(text)
    assert passed + one.finish() == text


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_pass_in_order(seed):
    """Whatever comes and however it is cut, nothing is lost but what was hidden, and cuts make no difference."""
    chance = random.Random(seed)
    usage = [HIDDEN, HIDDEN[:-1], data(said(usage=USAGE)), b'"usage"']
    parts = [*usage, data(said()), b"id: 1\n", b"\r", b"\n", b"\r\n", b":", b"data:", b"\xff"]
    text = b"".join(chance.choices(parts, k=60))
    whole = filtered(text)
    for _ in range(20):
        cuts = sorted(chance.choices(range(len(text)), k=chance.randrange(30)))
        pieces = [text[start:stop] for start, stop in pairwise([0, *cuts, len(text)])]
        assert filtered(*pieces) == whole


@pytest.mark.parametrize("before", [b"", b"event: chunk\n", b": hello\n\n"])
def test_a_byte_order_mark_hides_nothing_from_the_filter(before):
    """It stands before the first line alone, which is judged without it, wherever the stream is cut."""
    body = BOM + before + HIDDEN + data(said(usage=None)) + b"\n" + DONE
    expected = BOM + (before if before.startswith(b":") else b"") + data(said()) + b"\n" + DONE
    for at in range(len(BOM) + len(before) + len(HIDDEN) + 2):
        passed, hidden = filtered(body[:at], body[at:])
        assert (passed, hidden) == (expected, before * (not before.startswith(b":")) + HIDDEN)
    assert filtered(*[body[at : at + 1] for at in range(len(body))])[0] == expected
