import json
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import MalformedBody, rewrite_model


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"model":"a/b"}', b'{"model":"NEW"}'),
        (b'{ "model" \t:\r\n "a/b" , "x":1 }', b'{ "model" \t:\r\n "NEW" , "x":1 }'),
        (b'{"model":null,"x":"model"}', b'{"model":"NEW","x":"model"}'),
        (b'{"model":{"model":[1,"model"]},"x":1}', b'{"model":"NEW","x":1}'),
        (b'{"model":5}', b'{"model":"NEW"}'),
        (b'{"model":-1.5e3 }', b'{"model":"NEW" }'),
        (b'{"model":"a","model":"b"}', b'{"model":"NEW","model":"NEW"}'),
        (
            b'{"x":{"model":"a"},"model":"b","y":[{"model":"c"}]}',
            b'{"x":{"model":"a"},"model":"NEW","y":[{"model":"c"}]}',
        ),
        (b'{"x":{"model":"a"}}', b'{"x":{"model":"a"}}'),
        (b'{"x":["model",{"model":1}]}', b'{"x":["model",{"model":1}]}'),
        (rb'{"\u006dodel":"a"}', rb'{"\u006dodel":"NEW"}'),
        (rb'{"m\u006Fde\u006C":"a","model":"b"}', rb'{"m\u006Fde\u006C":"NEW","model":"NEW"}'),
        (rb'{"x":{"model":1},"\u006dodel":"a"}', rb'{"x":{"model":1},"\u006dodel":"NEW"}'),
        (rb'{"x":"\"model\":\"q\"","model":"a\"b"}', rb'{"x":"\"model\":\"q\"","model":"NEW"}'),
        (rb'{"x":"\\","model":"a\\"}', rb'{"x":"\\","model":"NEW"}'),
        (rb'{"x":"\\\"model","model":"a","model":"b"}', rb'{"x":"\\\"model","model":"NEW","model":"NEW"}'),
        (rb'{"x":"\ud83d","model":"a\ud83d","y":1}', rb'{"x":"\ud83d","model":"NEW","y":1}'),
        (b'{"Model":"a"}', b'{"Model":"a"}'),
        (b'{"":"model","mode":"model"}', b'{"":"model","mode":"model"}'),
        (b"{}", b"{}"),
        (b" {\n}\n", b" {\n}\n"),
    ],
)
def test_replaces_the_top_level_value_only(before, after):
    """Only the value of the object's own key changes, every time the key is given, however it is spelled."""
    assert rewrite_model(before, "NEW") == after


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":"a"', b"null", b'{"model":"a"}{"model":"b"}', b"\xff"])
def test_refuses_what_is_no_json_object(body):
    """There is nothing to rename in a body that is no JSON object."""
    with pytest.raises(MalformedBody):
        rewrite_model(body, "NEW")


def test_refuses_absurd_nesting_and_repetition():
    """Bodies made to be expensive are refused."""
    with pytest.raises(MalformedBody, match="64 levels"):
        rewrite_model(b'{"x":' + b'[{"model":1},' * 70 + b"0" + b"]" * 70 + b',"model":"a"}', "NEW")
    with pytest.raises(MalformedBody, match="16 times"):
        rewrite_model(b"{" + b'"model":1,' * 100_000 + b'"x":1}', "NEW")


def test_reads_down_to_64_levels():
    """A body that reading a request accepts can be renamed."""
    deep = b"[" * 63 + b"]" * 63
    body = b'{"x":%b,"y":{"model":1},"model":"a","z":%b}' % (deep, deep)
    assert rewrite_model(body, "NEW") == body.replace(b'"a"', b'"NEW"')


@pytest.mark.parametrize(
    "filler",
    [
        b'"model",' * 3_000_000,
        b'{"model":1},' * 2_000_000,
        b'"\\"model\\"",' * 2_000_000,
        b'"' + b"A" * 30_000_000 + b'",',
    ],
)
def test_a_huge_body_is_renamed_in_reasonable_time(filler):
    """Tens of megabytes are scanned without Python looping over them."""
    body = b'{"x":[%b0],"model":"a"}' % filler
    began = time.process_time()
    assert rewrite_model(body, "NEW") == body[:-4] + b'"NEW"}'
    assert time.process_time() - began < 8


key = st.sampled_from(["model", "mode", "models", "x", 'model"', "\\model", "messages", "é"]) | st.text(max_size=4)
text = st.text(alphabet='model"\\:{}[],\n é', max_size=8)
value = st.recursive(
    text | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(key, inner, max_size=3),
    max_leaves=12,
)


@st.composite
def members(draw):
    """Draws the members of an object as texts of key and value, with blanks around them and repeated keys."""
    blank = st.sampled_from(["", " ", "\n\t", "\r\n"])
    drawn = []
    for name, one in draw(st.lists(st.tuples(key, value), max_size=8)):
        spelled = json.dumps(name)
        if name == "model" and draw(st.booleans()):
            spelled = '"mod\\u0065l"'
        ascii_only = draw(st.booleans())
        drawn.append(
            (
                name,
                draw(blank) + spelled + draw(blank),
                draw(blank),
                json.dumps(one, ensure_ascii=ascii_only),
                draw(blank),
            )
        )
    return drawn


@given(drawn=members(), model=st.text(max_size=12))
def test_every_other_byte_stays(drawn, model):
    """The result is the same text with exactly the values of the key exchanged."""

    def text_with(replacement):
        return (
            "{"
            + ",".join(
                f"{spelled}:{before}{replacement if name == 'model' and replacement else value}{after}"
                for name, spelled, before, value, after in drawn
            )
            + "}"
        )

    body = text_with(None)
    new = rewrite_model(body.encode(), model)
    expected = json.loads(body) | ({"model": model} if "model" in json.loads(body) else {})
    assert json.loads(new) == expected
    assert new == text_with(msgspec.json.encode(model).decode()).encode()
