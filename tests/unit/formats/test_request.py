import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import BadRequest
from ingate.formats import (
    JUDGED,
    LARGE,
    MAX_TEXT,
    Format,
    MalformedBody,
    at_once,
    read_call,
    read_prompt,
    reading_call,
    rewrite_model,
)
from ingate.proxy.plan import plan
from tests.support.targets import target

GENERATE = "/v1beta/models/gemini-2.0:generateContent"
PROVIDER, OTHER = target("p", "openai-compatible"), target("openai", "openai", is_default=True)
KNOWN = sorted(JUDGED)


def read(wire, path, body):
    """Returns a request's model and its prompt."""
    model = at_once(reading_call(wire, path, body)).model if len(body) > LARGE else read_call(wire, path, body).model
    return model, read_prompt(wire, body)


def user(content, role="user"):
    return {"role": role, "content": content}


def parts(*texts):
    return [{"type": "text", "text": text} for text in texts]


CASES = [
    (Format.OPENAI_CHAT, "", {"model": "m", "messages": [user("a"), user("b"), user("c", "assistant")]}, ("m", "b")),
    (Format.OPENAI_CHAT, "", {"model": "m", "stream": True, "messages": [user(parts("a", "b"))]}, ("m", "a\nb")),
    (Format.OPENAI_CHAT, "", {"model": "m", "messages": [user([{"type": "image_url"}])]}, ("m", None)),
    (Format.OPENAI_CHAT, "", {"messages": [user("a", "system")]}, (None, None)),
    (Format.OPENAI_CHAT, "", {"messages": [user(None)], "stream": None}, (None, None)),
    (Format.OPENAI_CHAT, "", {"messages": [user("a"), user("")]}, (None, "")),
    (Format.OPENAI_CHAT, "", {}, (None, None)),
    (Format.OPENAI_COMPLETIONS, "", {"model": "m", "prompt": "once"}, ("m", "once")),
    (Format.OPENAI_COMPLETIONS, "", {"prompt": ["a", "b"], "stream": True}, (None, "a\nb")),
    (Format.OPENAI_COMPLETIONS, "", {"prompt": [1, 2, 3]}, (None, None)),
    (Format.OPENAI_EMBEDDINGS, "", {"model": "e", "input": "text"}, ("e", "text")),
    (Format.OPENAI_EMBEDDINGS, "", {"model": "e", "input": ["a", "b"]}, ("e", "a\nb")),
    (Format.OPENAI_EMBEDDINGS, "", {"model": "e", "input": [[1, 2]]}, ("e", None)),
    (Format.OPENAI_RESPONSES, "", {"model": "m", "input": "hi", "stream": True}, ("m", "hi")),
    (
        Format.OPENAI_RESPONSES,
        "",
        {
            "input": [
                user("a"),
                {"type": "message", **user([{"type": "input_text", "text": "b"}])},
                {"type": "reasoning"},
            ]
        },
        (None, "b"),
    ),
    (Format.ANTHROPIC_MESSAGES, "", {"model": "c", "messages": [user("a")], "system": "s"}, ("c", "a")),
    (
        Format.ANTHROPIC_MESSAGES,
        "",
        {"stream": True, "messages": [user([{"type": "tool_result", "content": "x"}, *parts("b")])]},
        (None, "b"),
    ),
    (
        Format.GEMINI,
        GENERATE,
        {"contents": [{"role": "user", "parts": [{"text": "a"}, {"inlineData": {}}, {"text": "b"}]}]},
        ("gemini-2.0", "a\nb"),
    ),
    (
        Format.GEMINI,
        GENERATE.replace("generate", "streamGenerate"),
        {"contents": [{"parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}], "model": "ignored"},
        ("gemini-2.0", "a"),
    ),
    (Format.GEMINI, "/v1/models/e:embedContent", {"content": {"parts": [{"text": "a"}]}}, ("e", "a")),
    (
        Format.GEMINI,
        "/v1/models/e:batchEmbedContents",
        {"requests": [{"content": {"parts": [{"text": "a"}]}}, {"content": {"parts": [{"text": "b"}]}}]},
        ("e", "a\nb"),
    ),
    (Format.OLLAMA, "/api/chat", {"model": "l", "messages": [user("a")]}, ("l", "a")),
    (Format.OLLAMA, "/api/generate", {"model": "l", "prompt": "a", "stream": False}, ("l", "a")),
    (Format.OLLAMA, "/api/generate", {"model": "l", "prompt": "a", "stream": None}, ("l", "a")),
    (Format.OLLAMA, "/api/embed", {"model": "l", "input": ["a", "b"]}, ("l", "a\nb")),
]


@pytest.mark.parametrize(("wire", "path", "body", "expected"), CASES)
def test_reads_what_a_request_says(wire, path, body, expected):
    """Model and the last user message are found in every format."""
    assert read(wire, path, json.dumps(body).encode()) == expected


def test_a_format_that_is_not_read_is_not_judged():
    """Any bytes are fine in a format that is only forwarded."""
    assert read(Format.OTHER, "/v1/files", b"\xff not json") == (None, None)


MALFORMED = [
    (b"", "empty"),
    (b" \r\n\t", "empty"),
    (b"[]", "not a JSON object"),
    (b'"text"', "not a JSON object"),
    (b"null", "not a JSON object"),
    (b"{", "not valid JSON"),
    (b'{"model":"m"} x', "not valid JSON"),
    (b"{'model':'m'}", "not valid JSON"),
    (b'{"x":nan}', "not valid JSON"),
    (b'{"x":+Infinity}', "not valid JSON"),
    (b'{"x":NaN', "not valid JSON"),
    (b"\xef\xbb\xbf", "not valid JSON"),
    (b'\xef\xbb{"model":"m"}', "not valid JSON"),
    (b'{"x":"\xff"}', "UTF-8"),
    (b'{"\xc3":1}', "UTF-8"),
    (b'{"model":"\xed\xa0\x80"}', "UTF-8"),
    (b'{"x":' + b"[" * 64 + b"]" * 64 + b"}", "64"),
    (b'{"x":' + b'{"y":' * 64 + b"1" + b"}" * 64 + b"}", "64"),
    (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "64"),
    (b"[" * 100_000, "64"),
]


@pytest.mark.parametrize("wire", KNOWN)
@pytest.mark.parametrize(("body", "reason"), MALFORMED)
def test_refuses_what_is_no_json_object(wire, body, reason):
    """A body no provider could read is refused with a sentence, as a bad request."""
    with pytest.raises(MalformedBody, match=reason) as caught:
        read(wire, GENERATE, body)
    assert isinstance(caught.value, BadRequest)


def prompted(more):
    """Returns a body with the prompt `hi` in every format, and more behind it."""
    says = {"messages": [user("hi")], "prompt": "hi", "input": "hi", "contents": [{"parts": [{"text": "hi"}]}]}
    return b"%b,%b}" % (json.dumps(says).encode()[:-1], more)


@pytest.mark.parametrize("wire", KNOWN)
@pytest.mark.parametrize("more", [b'"model":5,"x":nul', b'"x":1}'])
def test_what_is_no_json_has_no_prompt(wire, more):
    """The prompt that stands in what cannot be followed is not read."""
    assert read_prompt(wire, prompted(b'"x":1')) == "hi"
    with pytest.raises(MalformedBody):
        read(wire, GENERATE, prompted(more))


ODD = {
    "nan": b'"x":NaN',
    "infinities": b'"x":[Infinity,-Infinity,{"y":NaN}]',
    "odd-in-text": rb'"x":"NaN, -Infinity \" NaN","y":-Infinity',
    "large-numbers": b'"x":1e999,"y":-1E-999,"z":' + b"9" * 5000,
    "half-an-emoji": rb'"x":"\ud83d","y":"\ude00\ud83d"',
    "repeated": b'"x":1,"x":2,"y":{"x":1,"x":2}',
    "whole-emojis": rb'"x":"\ud83d\ude00","y":"\\ud83d","z":NaN',
}


@pytest.mark.parametrize("wire", KNOWN)
@pytest.mark.parametrize("size", [0, 2 * LARGE])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_json_is_read(odd, mark, size, wire):
    """What some senders write and some readers do not take, is read, in small bodies and in large ones."""
    body = mark + prompted(b'%b,"pad":"%b","model":"m"' % (ODD[odd], b"x" * size))
    assert read(wire, GENERATE, body) == ("gemini-2.0" if wire is Format.GEMINI else "m", "hi")


@pytest.mark.parametrize("wire", KNOWN)
def test_nesting_of_exactly_64_levels_is_read(wire):
    """The limit itself is allowed, and brackets in strings are no nesting."""
    body = b'{"model":"m","s":"' + b"[{" * 200 + b'","x":' + b"[" * 63 + b"]" * 63 + b"}"
    read(wire, GENERATE, body)


WRONG = [
    5,
    True,
    None,
    [],
    {},
    "s",
    [[]],
    [5],
    [{}],
    [{"role": 5, "content": 5}],
    [{"role": "user", "content": [5]}],
    1e300,
]


@pytest.mark.parametrize("wire", KNOWN)
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_types_are_left_to_the_provider(wire, wrong):
    """A field of the wrong type yields nothing and does not disturb the others."""
    fields = ("messages", "prompt", "input", "contents", "content", "requests")
    model, _ = read(wire, GENERATE, json.dumps({"model": "m", **dict.fromkeys(fields, wrong)}).encode())
    assert model == ("gemini-2.0" if wire is Format.GEMINI else "m")
    if not isinstance(wrong, str):
        body = json.dumps({"model": wrong, "stream": wrong, "messages": [user("hi")]}).encode()
        assert read(Format.OPENAI_CHAT, "", body) == (None, "hi")


def test_a_broken_message_does_not_hide_the_good_one():
    """Messages that make no sense are passed over."""
    body = json.dumps({"messages": [{"content": "no role"}, 5, user(["x", 5, {"text": "b"}]), {"role": None}]}).encode()
    assert read(Format.OPENAI_CHAT, "", body) == (None, "b")


def test_the_last_of_repeated_keys_counts():
    """Repeated keys are read as most JSON libraries read them."""
    assert read(Format.OPENAI_CHAT, "", b'{"model":"a","model":"b"}') == ("b", None)


SPELLED = st.sampled_from(
    [
        '"model"',
        r'"mod\u0065l"',
        r'"\u006d\u006Fd\u0065l"',
        '"Model"',
        '"models"',
        r'"\\model"',
        r'"model\u0000"',
        '"x"',
        r'"m\/odel"',
    ]
)
VALUES = st.sampled_from(
    [
        '"p/a"',
        '"b"',
        r'"p\/c"',
        r'"\u0070/d"',
        r'"\"model\":\"p/e\""',
        '""',
        '"é"',
        "null",
        "5",
        "1e999",
        "-1.5e3",
        "123456789012345678901234567890",
        "true",
        '["p/f"]',
        '{"model":"p/g"}',
        '[{"model":"p/h"},"model"]',
    ]
)
BLANKS = st.sampled_from(["", " ", "\n\t"])


@given(st.lists(st.tuples(BLANKS, SPELLED, BLANKS, VALUES, BLANKS), max_size=8))
def test_one_model_is_read_sent_and_recorded(drawn):
    """However often it is given and however it is spelled: the last, which is what JSON parsers make of the body."""
    body = (
        "{" + ",".join(f"{before}{key}{between}:{value}{after}" for before, key, between, value, after in drawn) + "}"
    )
    last = json.loads(body).get("model")

    model = read_call(Format.OPENAI_CHAT, "", body.encode()).model
    route = plan([PROVIDER, OTHER], Format.OPENAI_CHAT, "/v1/chat/completions", model, headers=[], named=None)
    sent = rewrite_model(body.encode(), route.model) if route.prefixed else body.encode()

    assert model == (last if isinstance(last, str) else None)
    assert json.loads(sent).get("model") == (last if route.model is None else route.model)
    assert (route.target is PROVIDER) == (isinstance(last, str) and last.startswith("p/"))
    assert json.loads(sent) == json.loads(body) | ({"model": route.model} if route.prefixed else {})


def test_an_escaped_key_is_the_key():
    """A key may be spelled with escapes."""
    assert read(Format.OPENAI_CHAT, "", rb'{"\u006dodel":"m"}') == ("m", None)


def test_lone_surrogates_are_read_as_replacement_characters():
    """Half an emoji, as a client cuts it, is valid JSON; an escaped backslash before a `u` is none."""
    body = rb'{"model":"m","messages":[{"role":"user","content":"a\ud83d \ud83d\ude00 \\ud83d \uDe00"}]}'
    assert read(Format.OPENAI_CHAT, "", body) == ("m", "a\ufffd 😀 \\ud83d \ufffd")


@pytest.mark.parametrize("wire", KNOWN)
def test_a_lone_surrogate_behind_a_wrong_type_is_no_fault(wire):
    """Half an emoji in a field nobody reads is valid JSON, whatever the fields before it hold."""
    body = prompted(rb'"x":"\ud83d"').replace(b"{", b'{"model":5,', 1)
    assert read(wire, GENERATE, body) == ("gemini-2.0" if wire is Format.GEMINI else None, "hi")


@pytest.mark.parametrize("content", ["x" * (MAX_TEXT + 9), parts("x" * MAX_TEXT, "y"), parts(*["x" * 99] * 1000)])
def test_the_prompt_is_capped(content):
    """A prompt is kept up to the cap."""
    _, prompt = read(Format.OPENAI_CHAT, "", json.dumps({"messages": [user(content)]}).encode())
    assert len(prompt) == MAX_TEXT


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
names = st.sampled_from(
    ["model", "stream", "messages", "prompt", "input", "contents", "role", "content", "parts", "text"]
)
shaped = st.recursive(
    json_values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5), max_leaves=20
)


@given(wire=st.sampled_from(KNOWN), body=st.dictionaries(names, shaped, max_size=6))
def test_any_json_object_is_read(wire, body):
    """Whatever the fields hold, reading yields text or nothing."""
    assert all(one is None or isinstance(one, str) for one in read(wire, GENERATE, json.dumps(body).encode()))


@given(wire=st.sampled_from(KNOWN), body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(wire, body):
    """Bytes are read or a malformed body, nothing else."""
    with suppress(MalformedBody):
        assert all(one is None or isinstance(one, str) for one in read(wire, GENERATE, body))


ASKED = "What is in this folder?"
TURNS = {
    "anthropic: a tool's result": (
        Format.ANTHROPIC_MESSAGES,
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": ASKED}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "ls", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "a.txt"}]}]},
            ]
        },
    ),
    "anthropic: a picture": (
        Format.ANTHROPIC_MESSAGES,
        {
            "messages": [
                {"role": "user", "content": ASKED},
                {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "iVBO"}}]},
            ]
        },
    ),
    "anthropic: reminders": (
        Format.ANTHROPIC_MESSAGES,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "<system-reminder>be brief</system-reminder>"},
                        {"type": "text", "text": f" <system-reminder>a</system-reminder>\n{ASKED}"},
                    ],
                }
            ]
        },
    ),
    "gemini": (
        Format.GEMINI,
        {
            "contents": [
                {"role": "user", "parts": [{"text": ASKED}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "ls", "response": {}}}]},
            ]
        },
    ),
    "chat: a picture": (
        Format.OPENAI_CHAT,
        {
            "messages": [
                {"role": "user", "content": ASKED},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]},
            ]
        },
    ),
}


@pytest.mark.parametrize(("format", "body"), TURNS.values(), ids=TURNS)
def test_the_prompt_of_an_agents_turn_is_what_the_person_asked(format, body):
    """Results of tools, pictures and reminders come after it, beside it or before it."""
    assert read_prompt(format, json.dumps(body).encode()) == ASKED
