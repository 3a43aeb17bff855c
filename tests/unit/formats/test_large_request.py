"""Requests that are scanned rather than read: the model is found, what can be judged is, and work is counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import (
    LARGE,
    Format,
    MalformedBody,
    at_once,
    large_request,
    read_call,
    read_prompt,
    reading_call,
    renaming,
    rewrite_model,
)
from ingate.formats.pace import MOST, Budget

CHAT = Format.OPENAI_CHAT
MARK = b"\xef\xbb\xbf"
FILLERS = {
    "arrays": b"[" + b"[]," * 100_000 + b"0]",
    "pairs": b"[" + b"[[],{}]," * 50_000 + b"0]",
    "picture": b'"' + b"A" * 2_000_000 + b'"',
    "escapes": b'"' + rb"\"\\\n" * 60_000 + b'"',
    "backslashes": b'"' + b"\\\\" * 200_000 + b'"',
    "not-ascii": '"{}"'.format("é[" * 100_000).encode(),
    "long-number": b"-" + b"9" * 1_000_000 + b".5e7",
    "numbers": b"[" + b"0.5," * 60_000 + b"NaN]",
    "strings": b"[" + b'"model",' * 50_000 + b'"]"]',
    "objects": b"[" + b'{"model":1},' * 30_000 + b"{}]",
    "blanks": b" " * 2_000_000 + b"null",
}


def run(steps):
    """Returns the result, and how often others had their turn."""
    turns = 0
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return ended.value, turns
        turns += 1


@pytest.fixture
def most():
    """The units that a body may cost."""
    return MOST


@pytest.fixture
def budgets(monkeypatch, most):
    """Returns the budgets that are made."""
    made = []

    class Counted(Budget):
        def __init__(self, pace):
            super().__init__(pace, most)
            self.most = self._left
            made.append(self)

    monkeypatch.setattr(large_request, "Budget", Counted)
    return made


@pytest.mark.parametrize("name", [b'"model"', rb'"\u006dodel"', rb'"\u006d\u006F\u0064\u0065\u006c"'])
@pytest.mark.parametrize("filler", FILLERS)
def test_the_model_is_found_before_and_behind(filler, name, budgets):
    """However a large body is filled, its model is found, for work in pieces and in proportion to its bytes."""
    member = name + b': "a/b" '
    for body in (b'{%b,"x":%b}', b'{"x":%b,%b}', MARK + b'{"y":{"model":"c"},"x":%b , %b, "z":[]}\n'):
        parts = (member, FILLERS[filler]) if body.startswith(b"{%b,") else (FILLERS[filler], member)
        text = body % parts
        call, turns = run(reading_call(CHAT, "", text))
        assert call.model == "a/b"
        spent = budgets[-1].most - budgets[-1]._left
        assert spent < len(text) / 8
        assert turns >= spent // 3000
        new = b"".join(at_once(renaming(text, "né")))
        assert new == text.replace(b'"a/b"', '"né"'.encode())


@pytest.mark.parametrize("count", [1, 50_000])
def test_the_last_of_very_many_members_counts(count, budgets):
    """Many members cost little each, and the last model is the one."""
    members = b",".join(b'"%d":%d' % (at, at) for at in range(count))
    body = b'{"model":"a",%b,"model":"b","pad":"%b"}' % (members, b"x" * LARGE)
    assert at_once(reading_call(CHAT, "", body)).model == "b"
    assert budgets[-1].most - budgets[-1]._left < len(body) / 8
    assert b"".join(at_once(renaming(body, "c"))) == body.replace(b'"a"', b'"c"').replace(b'"b"', b'"c"')


def test_very_many_models_are_refused():
    """A body that repeats the key hundreds of times is not renamed."""
    with pytest.raises(MalformedBody, match="16 times"):
        at_once(renaming(b'{"x":"%b",%b"y":1}' % (b"x" * LARGE, b'"model":"a",' * 17), "b"))


PAD = b'"pad":"%b"' % (b"x" * LARGE)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[%b]" % b",".join([b"1"] * LARGE), "not a JSON object"),
        (b'"%b"' % (b"x" * LARGE), "not a JSON object"),
        (b" " * (LARGE + 9), "not valid JSON"),
        (b"{%b" % PAD, "not valid JSON"),
        (b"{%b}}" % PAD, "not valid JSON"),
        (b"{%b,1:2}" % PAD, "not valid JSON"),
        (b'{%b,"x" 1}' % PAD, "not valid JSON"),
        (b'{%b,"x":"\xff"}' % PAD, "UTF-8"),
        (b'{%b,"\xc3":1}' % PAD, "UTF-8"),
        (b'{"x":"%b\xc3' % ("é" * LARGE).encode(), "UTF-8"),
        (b'{%b,"x":%b}' % (PAD, b"[" * 64 + b"]" * 64), "64"),
        (b'{%b,"x":%b' % (PAD, b'{"y":' * 10_000), "64"),
        (b'{%b,"x":[%b%b]}' % (PAD, b"[[]," * 1000, b"[" * 63 + b"]" * 63), "64"),
        (b"[" * 3_000_000, "64"),
        (b'{"x":%b' % (b"[" * 3_000_000), "64"),
    ],
)
def test_refuses_what_a_scan_can_judge(body, reason):
    """UTF-8, the outermost object, and its nesting are judged as in small bodies."""
    with pytest.raises(MalformedBody, match=reason):
        at_once(reading_call(CHAT, "", body))
    with pytest.raises(MalformedBody):
        at_once(renaming(body, "x"))


def test_reads_down_to_64_levels():
    """The limit itself is allowed."""
    body = b'{%b,"x":%b,"model":"m"}' % (PAD, b"[" * 63 + b"]" * 63)
    assert at_once(reading_call(CHAT, "", body)).model == "m"


def test_a_format_that_is_not_read_is_not_judged():
    """Any bytes are fine in a format that is only forwarded, and the path names Gemini's model."""
    assert at_once(reading_call(Format.OTHER, "", b"\xff" * LARGE)).model is None
    assert at_once(reading_call(Format.GEMINI, "/v1/models/g:generateContent", b"{%b}" % PAD)).model == "g"


BUSY = b"[[[[[[1]]]]]]," * 20_000


@pytest.mark.parametrize("most", [100_000])
@pytest.mark.parametrize(
    ("end", "model"),
    [
        (b'"model":"b"}', "b"),
        (b'"model" : "b" , "stream":true,"n":"model" }\n', "b"),
        (b'"y":{"model":"b"}}', "a"),
        (b'"y":"\\",\\"model\\":\\"b\\"}"}', "a"),
        (b'"y":1}', "a"),
    ],
)
def test_what_costs_too_much_is_the_providers_to_judge(end, model, budgets):
    """Of a body over its budget, the model at its beginning or its end counts, and no more work is done."""
    body = b'{"model":"a","x":[%b1],%b' % (BUSY, end)
    assert at_once(reading_call(CHAT, "", body)).model == model
    assert -2000 < budgets[-1]._left < 0
    renamed = b"".join(at_once(renaming(body, "new")))
    assert renamed == (
        body.replace(b'"a"', b'"new"').replace(b'"b"', b'"new"') if model == "b" else body.replace(b'"a"', b'"new"')
    )


key = st.sampled_from(["model", "mode", "models", "x", 'model"', "\\model", "é"]) | st.text(max_size=4)
text = st.text(alphabet='model"\\:{}[],\n é', max_size=8)
value = st.recursive(
    text | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(key, inner, max_size=3),
    max_leaves=12,
)


@given(members=st.lists(st.tuples(key, value), max_size=8), ascii_only=st.booleans(), model=st.text(max_size=9))
def test_agrees_with_what_reads_small_bodies(members, ascii_only, model):
    """Scanning a body and reading it tell and do the same."""
    texts = [f"{json.dumps(name)}:{json.dumps(one, ensure_ascii=ascii_only)}" for name, one in members]
    data = b"{%b}" % ",".join(texts).encode()
    assert at_once(reading_call(CHAT, "", data)).model == read_call(CHAT, "", data).model
    assert b"".join(at_once(renaming(data, model))) == rewrite_model(data, model)


def prompts(count, size):
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * size}]} for _ in range(count)]}


@pytest.mark.parametrize(("count", "size"), [(20_000, 200), (200, 20_000), (2, 2_000_000)])
def test_the_last_prompt_of_a_long_talk_is_found(count, size):
    """The last user message is read, however many stand before it, pictures beside it included."""
    talk = prompts(count, size)
    picture = {"type": "image_url", "image_url": {"url": "A" * 2_000_000}}
    talk["messages"] += [
        {"role": "user", "content": [picture, {"type": "text", "text": "the last"}]},
        {"role": "assistant", "content": "no"},
    ]
    assert read_prompt(CHAT, json.dumps(talk).encode()) == "the last"
