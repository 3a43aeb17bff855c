"""Usage of a stream is asked for and hidden again, and nothing else changes."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingate.formats.stream_usage import MAX_HELD, UsageHider, Wish, ask

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def asked(body):
    wish = msgspec.json.decode(body, type=Wish)
    return ask(body, wish.stream_options)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"stream":true}', b'{"stream_options":{"include_usage":true},"stream":true}'),
        (b' {\n "stream" : true }', b' {"stream_options":{"include_usage":true},\n "stream" : true }'),
        (
            b'{"stream_options" : {"include_obfuscation":false} ,"stream":true}',
            b'{"stream_options" : {"include_obfuscation":false,"include_usage":true} ,"stream":true}',
        ),
        (b'{"stream_options":{},"stream":true}', b'{"stream_options":{"include_usage":true},"stream":true}'),
        (b'{"stream_options":null,"stream":true}', b'{"stream_options":{"include_usage":true},"stream":true}'),
        (
            b'{"stream":true,"stream_options":{"include_usage":false}}',
            b'{"stream":true,"stream_options":{"include_usage":true}}',
        ),
        # Asked for already, or nowhere to be put safely.
        (b'{"stream":true,"stream_options":{"include_usage":true}}', None),
        (b'{"stream":true,"stream_options":{},"x":{"stream_options":1}}', None),
        (b'{"stream":true,"stream_options":{},"stream_options":{}}', None),
        (b'{"stream":true,"\\u0073tream_options":{}}', None),
        (b'{"stream":true,"stream_options":[]}', None),
        (b'{"stream":true,"stream_options":7}', None),
        (b'{"stream":true,"stream_options":"\\u0000"}', None),
    ],
)
def test_usage_is_asked_for(body, expected):
    """One member more or one value changed; every other byte is as the caller wrote it."""
    assert asked(body) == expected


@given(
    st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.text(max_size=20) | st.integers(), max_size=5),
    st.sampled_from([None, {}, {"a": [1, {"b": "}"}]}, {"include_usage": False}]),
    st.sampled_from([None, 2]),
)
def test_what_is_asked_is_the_same_request(members, options, indent):
    """Read as JSON, the request differs in `stream_options.include_usage` alone."""
    said = {**members, "stream": True}
    if options is not None:
        said["stream_options"] = options
    body = json.dumps(said, indent=indent).encode()
    changed = asked(body)
    if changed is None:
        assert body.count(b'"stream_options"') > 1 or b"\\u00" in body
        return
    said["stream_options"] = {**(options or {}), "include_usage": True}
    assert json.loads(changed) == said


def event(value, end="\n\n"):
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + end.encode()


def chunk(**members):
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}}], **members}


FILLED = [
    (event(chunk()), event(chunk())),
    (event(chunk(usage=None)), event(chunk())),
    (event(chunk(usage=None, obfuscation="x")), event(chunk(obfuscation="x"))),
    # Its last choice carries it: not an event more than the caller would have had.
    (event(chunk(usage=USAGE)), event(chunk(usage=USAGE))),
    (event({"id": "c", "choices": [], "usage": USAGE}), b""),
    (event({"id": "c", "choices": [], "usage": USAGE}, "\r\n\r\n"), b""),
    (b'data:{"choices" : [ ],\ndata:"usage":{"total_tokens":1}}\n\n', b""),
    # Azure's first event has no choices either, and no usage.
    (event({"choices": [], "prompt_filter_results": []}), event({"choices": [], "prompt_filter_results": []})),
    (event({"choices": [], "usage": None}), event({"choices": []})),
    (event(chunk(text=',"usage":null,')), event(chunk(text=',"usage":null,'))),
    (b'data: not JSON "usage" \n\n', b'data: not JSON "usage" \n\n'),
    (b": ping\n\n", b": ping\n\n"),
    (b"event: x\rdata: 1\r\r", b"event: x\rdata: 1\r\r"),
    (b"data: [DONE]\n\n", b"data: [DONE]\n\n"),
]


@pytest.mark.parametrize(("sent", "shown"), FILLED)
def test_what_was_not_asked_for_is_hidden(sent, shown):
    """The event that only states usage, and a usage of null; a byte of anything else stays."""
    hider = UsageHider()
    assert hider.feed(sent) + hider.close() == shown


@given(st.lists(st.sampled_from(FILLED), max_size=12), st.lists(st.integers(0, 2000), max_size=12))
@example([FILLED[1], FILLED[4], FILLED[-1]], [10])
def test_the_same_in_any_pieces(events, cuts):
    """However the stream is divided, the caller gets the same bytes, each event once it is whole."""
    sent = b"".join(one for one, _ in events)
    hider = UsageHider()
    got = b""
    at = 0
    for cut in [*sorted(cut for cut in cuts if cut <= len(sent)), len(sent)]:
        got += hider.feed(sent[at:cut])
        at = cut
    assert got + hider.close() == b"".join(one for _, one in events)


def test_an_event_goes_on_with_its_last_byte():
    """Nothing is held back once an event is whole."""
    hider = UsageHider()
    sent = event(chunk())
    assert hider.feed(sent[:-1]) == b""
    assert hider.feed(sent[-1:]) == sent


def test_what_is_held_back_is_bounded():
    """An endless event passes by, and what comes after it is read again."""
    hider = UsageHider()
    long = b'data: {"x":"' + b"a" * (MAX_HELD + 10)
    got = hider.feed(long)
    assert len(long) - len(got) <= 3
    got += hider.feed(b"a" * 100)
    got += hider.feed(b'"}\n')
    got += hider.feed(b"\n" + FILLED[4][0] + FILLED[0][0])
    assert got + hider.close() == long + b"a" * 100 + b'"}\n\n' + FILLED[0][0]
