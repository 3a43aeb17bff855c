"""Asking for usage by the smallest edit of a request; and which refusals name what was asked for."""

import json

import pytest

from ingate.formats import (
    LARGE,
    Format,
    LargeCall,
    asking,
    asking_large,
    at_once,
    large_request,
    names_the_option,
    reading_call,
)
from ingate.formats.pace import Budget

ASK = b'"stream_options":{"include_usage":true}'
ON = b'{"include_usage":true}'

EDITED = [
    (b'{"stream":true}', b'{"stream":true,%b}' % ASK),
    (b' {\n "stream" : true\n}\n', b' {\n "stream" : true\n,%b}\n' % ASK),
    (b'{"stream":true,"messages":[{"content":"\\"stream_options\\": }"}]}', None),
    (b'{"stream":true,"metadata":{"stream_options":{"include_usage":true}}}', None),
    (b'\xef\xbb\xbf{"stream":true}', b'\xef\xbb\xbf{"stream":true,%b}' % ASK),
    (b'{"x":NaN,"stream":true}', b'{"x":NaN,"stream":true,%b}' % ASK),
    (b'{"x":"\\ud83d","stream":true}', b'{"x":"\\ud83d","stream":true,%b}' % ASK),
    (b'{"stream":true,"stream_options":null}', b'{"stream":true,"stream_options":%b}' % ON),
    (b'{"stream_options": {} ,"stream":true}', b'{"stream_options": %b ,"stream":true}' % ON),
    (b'{"stream_options":{ },"stream":true}', b'{"stream_options":{ "include_usage":true},"stream":true}'),
    (b'{"stream_options":{"include_usage":false},"stream":true}', b'{"stream_options":%b,"stream":true}' % ON),
    (
        b'{"stream_options":{"include_usage" : null},"stream":true}',
        b'{"stream_options":{"include_usage" : true},"stream":true}',
    ),
    (
        b'{"stream_options":{"include_obfuscation":false},"stream":true}',
        b'{"stream_options":{"include_obfuscation":false,"include_usage":true},"stream":true}',
    ),
    # The last one counts, as JSON parsers have it.
    (
        b'{"stream_options":%b,"stream":true,"stream_options":null}' % ON,
        b'{"stream_options":%b,"stream":true,"stream_options":%b}' % (ON, ON),
    ),
    (
        b'{"stream":true,"stream_options":{"include_usage":true,"include_usage":false}}',
        b'{"stream":true,"stream_options":{"include_usage":true,"include_usage":true}}',
    ),
    # A key may be spelled with escapes, and the same word stand elsewhere.
    (b'{"stream_\\u006fptions":null,"stream":true}', b'{"stream_\\u006fptions":%b,"stream":true}' % ON),
    (
        b'{"stream":true,"x":{"stream_options":null},"stream_options":null}',
        b'{"stream":true,"x":{"stream_options":null},"stream_options":%b}' % ON,
    ),
    (
        b'{"stream":true,"stream_options":{"\\u0069nclude_usage":false}}',
        b'{"stream":true,"stream_options":{"\\u0069nclude_usage":true}}',
    ),
]
LEFT = [
    b'{"stream":true,"stream_options":{"include_usage":true}}',
    b'{"stream_options":null,"stream":true,"stream_options":{"include_usage":true}}',
    b'{"stream":true,"stream_options":{"include_usage":"yes"}}',
    b'{"stream":true,"stream_options":{"include_usage":1}}',
    b'{"stream":true,"stream_options":"x"}',
    b'{"stream":true,"stream_options":[]}',
    b'{"stream":true,"stream_options":true}',
    b'{%b"stream":true,"stream_options":null}' % (b'"stream_options":null,' * 17),
    b'{"stream":true,"stream_options":{%b"include_usage":false}}' % (b'"include_usage":false,' * 17),
]


def large(body):
    """Returns a large body that begins as the given one, and what is expected of it is put there in the same way."""
    at = body.index(b"{") + 1
    return body[:at] + b'"pad":"%b",' % (b"x" * LARGE) + body[at:]


def asked_large(body):
    """Reads a large request and asks for its usage, as the engine does."""
    call = at_once(reading_call(Format.OPENAI_CHAT, "", body))
    assert isinstance(call, LargeCall)
    assert call.stream is True
    return asking_large(body, call)


@pytest.mark.parametrize(("before", "after"), EDITED)
def test_usage_is_asked_for(before, after):
    """Every other byte stays as it was, in small bodies and in large ones."""
    if after is None:
        after = before[:-1] + b",%b}" % ASK
    assert asking(before) == after
    assert asked_large(large(before)) == large(after)


@pytest.mark.parametrize("body", LEFT)
def test_what_asks_already_or_cannot_be_read_is_left(body):
    """Usage is asked for once, and what only the provider can judge goes to it as it is."""
    assert asking(body) is None
    assert body.count(b"stream_options") > 16 or asked_large(large(body)) is None


def test_what_is_no_request_is_left():
    """A body that is not read at all."""
    assert asking(b"[]") is None


@pytest.mark.parametrize(
    "body",
    [b'{"stream":true,"x":[%b],"model":"m"}', b'{"model":"m","stream":true,"x":[%b],"y":[0]}'],
    ids=["end", "start"],
)
def test_a_large_body_that_costs_too_much_is_left(body, monkeypatch):
    """What it says of streaming is not relied on where its end was not seen."""
    monkeypatch.setattr(large_request, "Budget", lambda pace: Budget(pace, 100))
    call = at_once(reading_call(Format.OPENAI_CHAT, "", body % (b"[]," * LARGE)))
    assert (call.model, call.stream) == ("m", None)


def test_large_options_are_left():
    """Nobody knows options of that size, and finding a place in them takes time."""
    options = b'{"x":"%b"}' % (b"x" * LARGE)
    assert asked_large(b'{"stream":true,"stream_options":%b}' % options) is None


@pytest.mark.parametrize(
    "fault",
    [
        # OpenAI, Azure, Groq, Mistral, FastAPI, and servers that write names their own way.
        {
            "error": {
                "message": "Unrecognized request argument supplied: stream_options",
                "type": "invalid_request_error",
            }
        },
        {
            "error": {
                "message": "Unknown parameter: 'stream_options'.",
                "param": "stream_options",
                "code": "unknown_parameter",
            }
        },
        {"error": {"message": "Validation error at #/stream_options: Extra inputs are not permitted", "status": 400}},
        {"error": {"message": "property 'stream_options' is unsupported, did you mean 'stream'?"}},
        {
            "object": "error",
            "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"]}]},
        },
        {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]},
        {"message": 'json: unknown field "streamOptions"'},
        "Stream options are not supported",
    ],
)
def test_a_refusal_names_what_was_asked_for(fault):
    """In whichever of the usual shapes."""
    assert names_the_option(json.dumps(fault).encode())


@pytest.mark.parametrize("fault", [b"", b'{"error":{"message":"Unsupported value: \'stream\'"}}', b'{"usage":{}}'])
def test_other_refusals_do_not(fault):
    """What else a provider does not like is told to the caller."""
    assert not names_the_option(fault)
