import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import BadRequest
from rest_facade.documents import MAX_DEPTH, MAX_ESCAPES, MAX_PARTS, body_members, items, members, value

document = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), document, max_size=5))
def test_parts_keep_their_text(given_object):
    """Each member's text means what the member meant."""
    body = json.dumps(given_object).encode()
    if b"\\ud" not in body:
        assert {key: json.loads(bytes(raw)) for key, raw in body_members(body)} == given_object


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a":1,}', "byte 7"),
        (b'{"a":01}', "byte 6"),
        (b'{"a":NaN}', "byte 5"),
        (b"{'a':1}", "byte 1"),
        (b'{"a":1} {}', "trailing characters"),
        (b'{"a":"\xff"}', "UTF-8 at byte 6"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "byte 0"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
    ],
)
def test_broken_bodies(body, problem):
    """What is wrong and where is said, without quoting the body."""
    with pytest.raises(BadRequest, match=problem):
        body_members(body)


def nested(depth):
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_depth():
    """64 levels pass, one more does not, nor do a million; brackets inside strings do not count."""
    assert dict(body_members(nested(MAX_DEPTH)))
    for depth, problem in ((MAX_DEPTH + 1, "deeper"), (2000, "deeper"), (1_000_000, "more than")):
        with pytest.raises(BadRequest, match=problem):
            body_members(nested(depth))
    assert dict(body_members(b'{"a":"' + b"[{" * 500 + b'\\"[[","b":[' + b"[]," * 500 + b"[]]}"))


def test_wrong_kinds_name_the_path():
    """A list where an object belongs, and the other way round, are named; null is nothing."""
    with pytest.raises(BadRequest, match=r"^a\.b must be an object"):
        members(b"[]", "a.b")
    with pytest.raises(BadRequest, match=r"^a must be a list"):
        items(b"{}", "a", 9)
    with pytest.raises(BadRequest, match="a is out of range"):
        value(b"1e999", "a")
    assert list(members(b"null", "a")) == list(items(b"null", "a", 9)) == []


BULK = {
    "members": b"{%s}" % b",".join(b'"k%d":1' % index for index in range(MAX_PARTS)),
    "one member": b'{"a":1%s}' % (b',"a":1' * MAX_PARTS),
    "items": b'{"a":[1%s]}' % (b",1" * MAX_PARTS),
    "empty strings": b'{"a":[""%s]}' % (b',""' * MAX_PARTS),
    "empty lists": b'{"a":[%s1]}' % (b"[]," * (MAX_PARTS // 2)),
    "strings with commas": b'{"a":[",",%s1]}' % (b'",",' * MAX_PARTS),
    "escapes": b'{"a":"%s"}' % (b"\\u0061" * (MAX_ESCAPES + 1)),
    "escaped quotes": b'{"a":"%s"}' % (b'\\"' * (MAX_ESCAPES + 1)),
    "backslashes": b'{"a":"%s"}' % (b"\\\\" * MAX_ESCAPES),
}


@pytest.mark.parametrize("body", BULK.values(), ids=BULK)
def test_bulk(body, monkeypatch):
    """Bodies of more parts than any request has are refused without being taken apart."""
    monkeypatch.setattr("rest_facade.documents._object", None)
    with pytest.raises(BadRequest, match="more than"):
        body_members(body)


def test_what_is_in_strings_is_no_bulk():
    """A long text may hold whatever it likes, and a body as many parts as are allowed."""
    text = json.dumps({"a": ',:[{"' * MAX_PARTS}).encode()
    assert value(bytes(dict(body_members(text))["a"]), "a") == ',:[{"' * MAX_PARTS
    assert body_members(b'{"a":[1%s]}' % (b",1" * (MAX_PARTS - 3)))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":"x:y","a":":"}', "a"),
        (b'{"a":1,"\\u0061":2}', "a"),
        (b'{"b":{"c":1},"a":1,"b":[{"d":":"}]}', "b"),
        (b'{"a":"\\\\","b":"\\":","a":""}', "a"),
        (b'{"a": 1 , "a" : 2}', "a"),
        (b'{"%s":1,"%s":1}' % (b"n" * 300, b"n" * 300), "n" * 100),
    ],
)
def test_a_member_is_given_once(body, name):
    """Whatever the two are worth: one reader would take the first, another the last."""
    with pytest.raises(BadRequest, match=f"^{name} must be given once$"):
        body_members(body)
    with pytest.raises(BadRequest, match=f"^at.{name} must be given once$"):
        members(body, "at")


names = st.text(':"\\\\a', max_size=2)
objects = st.recursive(
    st.text(':{[,"\\\\a', max_size=4), lambda inner: st.lists(st.tuples(names, inner), max_size=4), max_leaves=12
)


@given(st.lists(st.tuples(names, objects), max_size=4))
def test_members_of_any_object(pairs):
    """An object passes exactly if its own names differ; those inside are looked at when it is their turn."""
    text = _object(pairs).encode()
    own = [name for name, _ in pairs]
    if len(set(own)) == len(own):
        assert [name for name, _ in members(text, "at")] == own
    else:
        with pytest.raises(BadRequest, match="must be given once"):
            members(text, "at")


def _object(pairs):
    if isinstance(pairs, str):
        return json.dumps(pairs)
    return "{" + ",".join(f"{json.dumps(name)}:{_object(inner)}" for name, inner in pairs) + "}"


def test_lists_and_objects_have_bounds():
    """They are told before their parts are read."""
    assert len(items(b"[1,2,3]", "at", 3)) == 3
    assert len(members(b'{"a":1,"b":2}', "at", 2)) == 2
    with pytest.raises(BadRequest, match="at must have at most 2 items"):
        items(b"[1,2,3]", "at", 2)
    with pytest.raises(BadRequest, match="at must have at most 1 items"):
        members(b'{"a":1,"b":2}', "at", 1)
