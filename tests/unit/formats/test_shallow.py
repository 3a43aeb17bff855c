"""Reading a long request at a glance says what reading it twice says, or leaves it to that."""

import json
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import Format, MalformedBody, read_call, request
from ingate.formats.scan import MAX_DEPTH
from ingate.formats.shallow import members

PAD = 'a[{\\" ' * 200
"""More than what is judged as short, with brackets that are none."""
texts = st.text(alphabet='[]{}"\\n,é\n', max_size=5) | st.just(PAD)
names = st.sampled_from(["model", "stream", "messages", "content"]) | texts
scalars = texts | st.integers() | st.booleans() | st.none() | st.floats()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=20,
)
pairs = st.lists(st.tuples(names, values), max_size=5)


def deep(levels, leaf="1"):
    return "[" * levels + leaf + "]" * levels


def outcome(body, longer_than):
    """Returns what is read of a body that counts as long, or not, or why it is refused."""
    with patch.object(request, "_SHORT", longer_than):
        try:
            return read_call(Format.OPENAI_CHAT, "/v1/chat/completions", body)
        except MalformedBody as refused:
            return str(refused)


def same(body):
    slow = outcome(body, len(body))
    assert outcome(body, -1) == slow
    return slow


@given(
    stated=pairs,
    ascii_only=st.booleans(),
    indent=st.sampled_from(["", " \n"]),
    bom=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_says_what_the_closer_look_says(stated, ascii_only, indent, bom):
    """Whatever the members are, also of one name, the call is the same."""
    dumped = [f"{json.dumps(name)}:{indent}{json.dumps(value, ensure_ascii=ascii_only)}" for name, value in stated]
    same(bom + ("{" + ",".join(dumped) + "}").encode("utf-8", "surrogatepass"))


@given(stated=pairs, data=st.data())
def test_refuses_what_the_closer_look_refuses(stated, data):
    """A body that is cut off, or has a byte that is another, is judged alike."""
    body = json.dumps(dict(stated), ensure_ascii=False).encode()
    at = data.draw(st.integers(0, len(body) - 1))
    same(body[:at])
    same(body[:at] + data.draw(st.binary(min_size=1, max_size=1)) + body[at + 1 :])


@pytest.mark.parametrize("pad", ["", PAD])
@pytest.mark.parametrize("kind", ["top", "item", "member", "part", "below"])
@pytest.mark.parametrize("depth", range(MAX_DEPTH - 3, MAX_DEPTH + 4))
def test_depth_is_known_exactly(depth, kind, pad):
    """One level too many is refused wherever it lies, and the last that is allowed is not."""
    around, levels = {
        "top": ('"x":%s', 1),
        "item": ('"x":[%s]', 2),
        "member": ('"messages":[{"content":%s}]', 3),
        "part": ('"messages":[{"content":[{"text":%s}]}]', 5),
        "below": ('"messages":[{"content":[{"text":[{"x":%s}]}]}]', 7),
    }[kind]
    nested = around % deep(depth - levels, json.dumps([pad])[1:-1])
    body = b'{"model":"m",%b,"stream":true}' % nested.encode()
    found = same(body)
    assert (found == f"the body nests deeper than {MAX_DEPTH} levels") == (depth > MAX_DEPTH)
    assert (members(body, MAX_DEPTH) is None) == (depth > MAX_DEPTH)


def test_talk_of_agents_is_read_at_a_glance():
    """Messages, in parts too, and tools are no reason for a closer look."""
    messages = [{"role": "user", "content": PAD}, {"role": "assistant", "content": [{"type": "text", "text": PAD}]}]
    tools = [{"type": "function", "function": {"parameters": {"properties": {"x": {"enum": ["a"]}}}}}]
    body = json.dumps({"model": "m", "stream": True, "messages": messages * 20, "tools": tools, "stop": ["a"]}).encode()
    stated = members(body, MAX_DEPTH)
    assert (stated["model"], stated["stream"]) == ("m", True)


@pytest.mark.parametrize("many", ["{}", "[]", "0", '{"a":[{}]}'])
def test_very_many_values_become_no_objects(many):
    """A text of little values is left to what makes nothing of them."""
    body = b'{"model":"m","x":[%b]}' % ",".join([many] * 10_000).encode()
    assert members(body, MAX_DEPTH) is None
    assert same(body).model == "m"


@pytest.mark.parametrize("wrong", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"])
@pytest.mark.parametrize(
    "around", [b'"%b":1', b'"x":"%b"', b'"x":[{"%b":1}]', b'"x":[{"y":"%b"}]', b'"x":[[[{"%b":1}]]]']
)
def test_what_is_not_utf8_is_refused_wherever_it_is(around, wrong):
    """Text that is passed over is no less text."""
    body = b'{"model":"m","pad":"%b",%b}' % (b"y" * 5000, around % wrong)
    assert same(body) == "the body is not valid UTF-8"
